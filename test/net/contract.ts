/**
 * The contract of `Transport`, run on every adapter.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { TransportLimits } from '../../src/net/limits.ts';
import {
  FRAME_SIZE_BYTES_MAX,
  GOSSIP_SIZE_BYTES_MAX,
  PeerFault,
  type PeerName,
  type RequestOptions,
  type Transport,
  TransportError,
} from '../../src/net/transport.ts';
import { hostileContract } from './hostile-contract.ts';
import { bytes, collect, connect, ECHO, gossipReady, OPTIONS, outcome, type Rig, TOPIC, until } from './rig.ts';

const echo = async function* (_: PeerName, request: Uint8Array) {
  yield request;
};

export function transportContract(makeRig: () => Rig): void {
  let rig: Rig;
  const pair = async (limits?: Partial<TransportLimits>): Promise<[Transport, Transport]> => {
    const [a, b] = [await rig.peer(), await rig.peer(limits)];
    await connect(a, b);
    return [a, b];
  };

  describe(`transport contract: ${makeRig().name}`, () => {
    afterEach(async () => rig.close());
    const test = (name: string, body: () => Promise<void>) =>
      it(name, async () => {
        rig = makeRig();
        await body();
      });

    test('peers dial, see each other, and say so to listeners', async () => {
      const [a, b] = [await rig.peer(), await rig.peer()];
      const seen: string[] = [];
      a.onPeer((peer, connected) => seen.push(`a ${peer === b.self} ${connected}`));
      b.onPeer((peer, connected) => seen.push(`b ${peer === a.self} ${connected}`));
      await connect(a, b);
      expect(a.peers()).toEqual([b.self]);
      await b.stop();
      await until('a saw b leave', () => a.peers().length === 0);
      expect(seen.filter((line) => line.startsWith('a'))).toEqual(['a true true', 'a true false']);
      expect(seen[0]).not.toBe(undefined);
      expect(seen).toContain('b true true');
    });

    test('refuses bad addresses and absent peers', async () => {
      const [a, b] = await pair();
      const address = b.addresses()[0]!;
      await b.stop();
      await until('a saw b leave', () => a.peers().length === 0);
      await expect(a.dial('not an address')).rejects.toMatchObject({ code: 'bad-address' });
      await expect(a.dial(address)).rejects.toMatchObject({ code: 'unreachable' });
      expect(await outcome(a.request(b.self, ECHO, bytes(1), OPTIONS))).toBe('unreachable');
    });

    test('a request is answered with frames, empty ones too, in order', async () => {
      const [a, b] = await pair();
      b.handle('/cairn/count/1', async function* (from, request) {
        expect(from).toBe(a.self);
        for (let i = 0; i < request[0]!; i++) yield new Uint8Array(i).fill(i);
      });
      const frames = await collect(a.request(b.self, '/cairn/count/1', bytes(5), OPTIONS));
      expect(frames.map((frame) => frame.length)).toEqual([0, 1, 2, 3, 4]);
      expect(frames[3]).toEqual(bytes(3, 3, 3));
      expect(await collect(a.request(b.self, '/cairn/count/1', bytes(0), OPTIONS))).toEqual([]);
    });

    test('many requests at once, both ways, all come back', async () => {
      const [a, b] = await pair();
      a.handle(ECHO, echo);
      b.handle(ECHO, echo);
      const asked = Array.from({ length: 60 }, (_, i) => i);
      const answers = await Promise.all([
        ...asked.map((i) => collect(a.request(b.self, ECHO, bytes(i), OPTIONS))),
        ...asked.map((i) => collect(b.request(a.self, ECHO, bytes(i), OPTIONS))),
      ]);
      expect(answers.map((frames) => frames[0]![0])).toEqual([...asked, ...asked]);
    });

    test('a 16 MiB frame arrives whole', async () => {
      const [a, b] = await pair();
      b.handle(ECHO, echo);
      const big = new Uint8Array(FRAME_SIZE_BYTES_MAX).map((_, i) => (i * 31) ^ (i >> 11));
      const [back] = await collect(a.request(b.self, ECHO, big, { ...OPTIONS, idleTimeoutMs: 30_000 }));
      expect(Buffer.compare(back!, big)).toBe(0);
    });

    test('a slow reader holds the sender back', async () => {
      const [a, b] = await pair();
      let made = 0;
      b.handle('/cairn/stream/1', async function* () {
        for (; made < 200; made++) yield new Uint8Array(65_536).fill(made);
      });
      let read = 0;
      for await (const frame of a.request(b.self, '/cairn/stream/1', bytes(1), OPTIONS)) {
        expect(frame[0]).toBe(read++ & 0xff);
        if (read === 3) {
          await new Promise((resolve) => setTimeout(resolve, 300));
          // 200 frames are 12.5 MiB; windows and socket buffers together hold a few.
          expect(made).toBeLessThan(120);
        }
      }
      expect(read).toBe(200);
    });

    test('a reader that stays slower than the sender gets a long answer whole', async () => {
      const [a, b] = await pair();
      b.handle('/cairn/long/1', async function* () {
        for (let made = 0; made < 600; made++) yield new Uint8Array(32_768).fill(made);
      });
      let read = 0;
      for await (const frame of a.request(b.self, '/cairn/long/1', bytes(1), OPTIONS)) {
        expect(frame[0]).toBe(read++ & 0xff);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(read).toBe(600);
    });

    test('gives up when no frame comes, and when the caller says so', async () => {
      const [a, b] = await pair();
      let cancelled = 0;
      b.handle('/cairn/hang/1', async function* () {
        yield bytes(1);
        await new Promise((resolve) => setTimeout(resolve, 400));
        try {
          yield bytes(2);
          yield new Uint8Array(1_000_000);
        } finally {
          cancelled++;
        }
      });
      const request = (options: Partial<RequestOptions>) =>
        outcome(a.request(b.self, '/cairn/hang/1', bytes(), { ...OPTIONS, ...options }));
      expect(await request({ idleTimeoutMs: 100 })).toBe('timeout');
      expect(await request({ signal: AbortSignal.timeout(100) })).toBe('aborted');
      await until('both handlers were told', () => cancelled === 2);
    });

    test('leaving the loop early ends the request', async () => {
      const [a, b] = await pair();
      let ended = false;
      b.handle('/cairn/endless/1', async function* () {
        try {
          for (;;) yield new Uint8Array(65_536);
        } finally {
          ended = true;
        }
      });
      for await (const frame of a.request(b.self, '/cairn/endless/1', bytes(), OPTIONS)) {
        expect(frame.length).toBe(65_536);
        break;
      }
      await until('the handler was ended', () => ended);
    });

    test('a response past its maximum ends with too-large', async () => {
      const [a, b] = await pair();
      b.handle('/cairn/big/1', async function* () {
        for (let i = 0; i < 10; i++) yield new Uint8Array(1000);
      });
      const request = (responseSizeBytesMax: number) =>
        outcome(a.request(b.self, '/cairn/big/1', bytes(), { ...OPTIONS, responseSizeBytesMax }));
      expect(await request(10_000)).toBe(10);
      expect(await request(9_999)).toBe('too-large');
    });

    test("too large a request frame is the caller's error; an unserved protocol is refused", async () => {
      const [a, b] = await pair();
      b.handle(ECHO, echo);
      const huge = new Uint8Array(FRAME_SIZE_BYTES_MAX + 1);
      expect(await outcome(a.request(b.self, ECHO, huge, OPTIONS))).toBe('too-large');
      expect(await outcome(a.request(b.self, '/cairn/none/1', bytes(1), OPTIONS))).toBe('refused');
      expect(await outcome(a.request(b.self, ECHO, bytes(1), OPTIONS))).toBe(1);
    });

    test('a handler that throws ends its stream only, and leaks nothing', async () => {
      const [a, b] = await pair();
      b.handle(ECHO, echo);
      b.handle('/cairn/throw/1', async function* () {
        yield bytes(1);
        throw new TypeError('secret path /etc/passwd');
      });
      const error = await collect(a.request(b.self, '/cairn/throw/1', bytes(), OPTIONS)).catch((e) => e);
      expect(error).toBeInstanceOf(TransportError);
      expect(error.code).toBe('refused');
      expect(error.message).not.toContain('secret');
      expect(await outcome(a.request(b.self, ECHO, bytes(1), OPTIONS))).toBe(1);
    });

    test('PeerFault of a handler is told to the peer, counts, and bans in the end', async () => {
      const [a, b] = await pair();
      b.handle('/cairn/strict/1', async function* (from) {
        yield* [] as Uint8Array[];
        throw new PeerFault(from, 'bad-signature', 'the signature is wrong');
      });
      const error = await collect(a.request(b.self, '/cairn/strict/1', bytes(), OPTIONS)).catch((e) => e);
      expect(error.message).toContain('bad-signature');
      for (let i = 0; i < 4; i++) await outcome(a.request(b.self, '/cairn/strict/1', bytes(), OPTIONS)).catch(() => 0);
      await until('b dropped a', () => b.peers().length === 0);
      await until('a saw it', () => a.peers().length === 0);
      await a.dial(b.addresses()[0]!).catch(() => '');
      await until('refused again', () => a.peers().length === 0);
      expect(b.peers()).toEqual([]);
    });

    test('more requests than a peer may have under way wait for their turn', async () => {
      const [a, b] = await pair();
      let running = 0;
      let most = 0;
      b.handle('/cairn/slow/1', async function* () {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running--;
        yield bytes(1);
      });
      const all = Array.from({ length: 50 }, () => outcome(a.request(b.self, '/cairn/slow/1', bytes(), OPTIONS)));
      expect(await Promise.all(all)).toEqual(new Array(50).fill(1));
      expect(most).toBeLessThanOrEqual(16);
      expect(most).toBeGreaterThan(4);
    });

    test('gossip reaches every peer once, over neighbours too, and not its sender', async () => {
      const peers = [await rig.peer(), await rig.peer(), await rig.peer(), await rig.peer()];
      const got = peers.map(() => [] as string[]);
      peers.forEach((peer, i) => {
        peer.subscribe(TOPIC, (_, message) => {
          got[i]!.push(Buffer.from(message).toString());
          return 'accept';
        });
      });
      // A ring: each has two neighbours, so everything arrives twice somewhere.
      for (let i = 0; i < 4; i++) await connect(peers[i]!, peers[(i + 1) % 4]!);
      await gossipReady(peers, got);
      for (let i = 0; i < 20; i++) peers[i % 4]!.publish(TOPIC, Buffer.from(`message ${i}`));
      peers[0]!.publish(TOPIC, Buffer.from('message 0'));
      const expected = (i: number) =>
        Array.from({ length: 20 }, (_, k) => k)
          .filter((k) => k % 4 !== i)
          .map((k) => `message ${k}`)
          .sort();
      const real = (i: number) => got[i]!.filter((line) => line.startsWith('message')).sort();
      await until('all arrived', () => peers.every((_, i) => real(i).length >= 15));
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (let i = 0; i < 4; i++) expect(real(i)).toEqual(expected(i));
    });

    test('rejected and ignored gossip goes no further; rejects ban', async () => {
      const [a, b, c] = [await rig.peer(), await rig.peer(), await rig.peer()];
      const got: string[][] = [[], []];
      let rejects = 0;
      b.subscribe(TOPIC, (from, message) => {
        const text = Buffer.from(message).toString();
        got[0]!.push(text);
        if (from === a.self && text.startsWith('bad')) rejects++;
        return text.startsWith('bad') ? 'reject' : text.startsWith('dull') ? 'ignore' : 'accept';
      });
      c.subscribe(TOPIC, (_, message) => {
        got[1]!.push(Buffer.from(message).toString());
        return 'accept';
      });
      a.subscribe(TOPIC, () => 'accept');
      await connect(a, b);
      await connect(b, c);
      await gossipReady([a, b, c], [null, ...got]);
      for (const text of ['dull 1', 'bad 1', 'good 1']) a.publish(TOPIC, Buffer.from(text));
      await until('the good one came through', () => got[1]!.includes('good 1'));
      expect(got[1]!.filter((text) => text.startsWith('bad') || text.startsWith('dull'))).toEqual([]);
      expect(got[0]!.filter((text) => text.startsWith('bad'))).toEqual(['bad 1']);
      expect(b.peers()).toContain(a.self);
      for (let i = 2; i < 14; i++) a.publish(TOPIC, Buffer.from(`bad ${i}`));
      await until('b banned a', () => !b.peers().includes(a.self));
      expect(rejects).toBeLessThanOrEqual(14);
      expect(b.peers()).toContain(c.self);
    });

    test('a gossip handler that throws is a dropped message, not a crash', async () => {
      const [a, b] = await pair();
      const got: string[] = [];
      b.subscribe(TOPIC, (_, message) => {
        const text = Buffer.from(message).toString();
        if (text === 'boom') throw new TypeError('handler bug');
        got.push(text);
        return 'accept';
      });
      a.subscribe(TOPIC, () => 'accept');
      await gossipReady([a, b], [null, got]);
      a.publish(TOPIC, Buffer.from('boom'));
      a.publish(TOPIC, Buffer.from('fine'));
      await until('the next came', () => got.includes('fine'));
      expect(() => a.publish(TOPIC, new Uint8Array(GOSSIP_SIZE_BYTES_MAX + 1))).toThrow(/maximum/);
      a.publish(TOPIC, new Uint8Array(GOSSIP_SIZE_BYTES_MAX));
      await until('the largest came', () => got.some((text) => text.length === GOSSIP_SIZE_BYTES_MAX));
    });

    test('a ban disconnects and refuses, and ends', async () => {
      const [a, b] = [await rig.peer(), await rig.peer({ banDurationMs: 400 })];
      b.handle(ECHO, echo);
      await connect(a, b);
      b.ban(a.self, 'test');
      await until('a lost b', () => a.peers().length === 0 && b.peers().length === 0);
      expect(await outcome(b.request(a.self, ECHO, bytes(1), OPTIONS))).toBe('refused');
      await expect(b.dial(a.addresses()[0]!)).rejects.toMatchObject({ code: 'refused' });
      await a.dial(b.addresses()[0]!).catch(() => '');
      await until('not connected while banned', () => b.peers().length === 0 && a.peers().length === 0, 300);
      await new Promise((resolve) => setTimeout(resolve, 500));
      await connect(a, b);
      expect(await outcome(a.request(b.self, ECHO, bytes(1), OPTIONS))).toBe(1);
    });

    test('a stopped peer breaks requests under way; a new one can be dialed', async () => {
      const [a, b] = await pair();
      b.handle('/cairn/hang/1', async function* () {
        yield bytes(1);
        await new Promise(() => {});
      });
      const broken = outcome(a.request(b.self, '/cairn/hang/1', bytes(), OPTIONS));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await b.stop();
      await b.stop();
      expect(await broken).toBe('closed');
      expect(b.addresses()).toEqual([]);
      await expect(b.dial(a.addresses()[0]!)).rejects.toMatchObject({ code: 'stopped' });
      await expect(b.start()).rejects.toMatchObject({ code: 'stopped' });
      b.publish(TOPIC, bytes(1));
      const again = await rig.peer();
      again.handle(ECHO, echo);
      await connect(a, again);
      expect(await outcome(a.request(again.self, ECHO, bytes(1), OPTIONS))).toBe(1);
    });

    hostileContract(test, pair, () => rig);
  });
}
