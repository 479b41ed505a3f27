import { describe, expect, it } from 'vitest';
import type { RequestHandler } from '../../src/net/core.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import {
  PIECES_AT_ONCE_MAX,
  PIECES_AT_ONCE_PER_PEER_MAX,
  QUESTIONS_PER_SECOND,
  StateService,
} from '../../src/node/serve/state-service.ts';
import { LEASE_LIFE_MS_MAX, LEASE_MS, LEASES_MAX, SyncLeases } from '../../src/node/serve/sync-leases.ts';
import { StorageError } from '../../storage/errors.ts';
import { PIECE_OPS } from '../../storage/sync/piece.ts';
import { VirtualTime } from '../consensus/virtual-time.ts';
import { modelSource } from '../storage/sync-source.ts';

const source = modelSource({ seed: 5, heights: 40, opsMax: 60 });

function timersOf(time: VirtualTime) {
  return {
    now: () => time.nowMs,
    after: (delayMs: number, run: () => void) => {
      let isCancelled = false;
      time.after(delayMs, () => isCancelled || run());
      return () => {
        isCancelled = true;
      };
    },
  };
}

function serve(of: typeof source = source) {
  const time = new VirtualTime();
  const handlers = new Map<string, RequestHandler>();
  const service = new StateService({
    transport: { handle: (protocol, handler) => void handlers.set(protocol, handler) },
    source: of,
    timers: timersOf(time),
  });
  const ask = (peer: string, protocol: string, message: Record<string, unknown>): AsyncIterator<Uint8Array> =>
    handlers.get(protocol)!(peer, encodeMessage(message))[Symbol.asyncIterator]();
  const manifest = (peer: string, height = source.height) => ask(peer, PROTOCOL.stateManifest, { height });
  const piece = (peer: string, from: number, to: number, size = source.opCount) =>
    ask(peer, PROTOCOL.statePiece, { size, from, to });
  return { time, service, manifest, piece };
}

describe('the leases of syncing peers', () => {
  const newLeases = () => {
    const time = new VirtualTime();
    const held: number[] = [];
    const pin = (op: number) => {
      held.push(op);
      return () => void held.splice(held.indexOf(op), 1);
    };
    return { time, held, pin, leases: new SyncLeases(timersOf(time)) };
  };

  it('end when a peer asks no more, and after their life at the latest', () => {
    const { time, held, pin, leases } = newLeases();
    leases.grant('a', 100, pin);
    leases.grant('a', 100, pin);
    leases.grant('b', 200, pin);
    expect(held).toEqual([100, 200]);
    time.runUntil(LEASE_MS / 2);
    leases.touch('b');
    time.runUntil(LEASE_MS * 1.3);
    expect(held).toEqual([200]);
    for (let now = time.nowMs; now < LEASE_LIFE_MS_MAX + LEASE_MS; now += LEASE_MS / 2) {
      leases.touch('b');
      // Asking for another height makes it no younger.
      leases.grant('b', 200 + (now % 7), pin);
      time.runUntil(now);
      if (now < LEASE_LIFE_MS_MAX) expect(held.length).toBe(1);
      else if (leases.peers.length === 0) return expect(held).toEqual([]);
    }
    throw new TypeError('the lease never ended');
  });

  it('are few: the one asked for longest ago is given up first; one a peer', () => {
    const { held, pin, leases } = newLeases();
    for (let peer = 0; peer < LEASES_MAX; peer += 1) leases.grant(`p${peer}`, peer, pin);
    leases.touch('p0');
    leases.grant('late', 99, pin);
    expect(leases.peers).toEqual([...Array.from({ length: LEASES_MAX - 2 }, (_, n) => `p${n + 2}`), 'p0', 'late']);
    expect(held).not.toContain(1);
    leases.grant('late', 98, pin);
    expect(held.filter((op) => op > 90)).toEqual([98]);
    leases.close();
    expect(held).toEqual([]);
  });

  it('that cannot be had change nothing', () => {
    const { held, pin, leases } = newLeases();
    leases.grant('a', 5, pin);
    const gone = () => {
      throw new StorageError('not-found', 'deleted');
    };
    expect(() => leases.grant('a', 3, gone)).toThrow('deleted');
    expect([held, leases.peers]).toEqual([[5], ['a']]);
    leases.close();
  });
});

describe('the state service', () => {
  it('pins what a peer reads from its manifest on, until it asks no more', async () => {
    const { service, manifest, piece, time } = serve();
    const before = source.pins;
    expect((await manifest('a').next()).done).toBe(false);
    expect(source.pins).toBe(before + 1);
    time.runUntil(LEASE_MS * 0.9);
    expect((await piece('a', source.firstOp, source.firstOp + 9).next()).done).toBe(false);
    time.runUntil(LEASE_MS * 1.5);
    expect(source.pins).toBe(before + 1);
    time.runUntil(LEASE_MS * 4);
    expect(source.pins).toBe(before);
    await manifest('b').next();
    service.close();
    expect(source.pins).toBe(before);
  });

  it('has no frame for what is not kept, and a fault for what no honest peer asks', async () => {
    const { piece, manifest } = serve();
    const { firstOp, opCount } = source;
    for (const [from, to, size] of [
      [firstOp - 1, firstOp + 5, opCount],
      [firstOp, firstOp + 5, opCount + 1],
    ] as const)
      expect((await piece('a', from, to, size).next()).done).toBe(true);
    for (const [from, to, size] of [
      [firstOp, firstOp, opCount],
      [firstOp, firstOp + PIECE_OPS + 1, opCount + PIECE_OPS],
      [firstOp, opCount + 1, opCount],
    ] as const)
      await expect(piece('a', from, to, size).next()).rejects.toMatchObject({ code: 'bad-piece-request' });
    const answer = manifest('a', source.height - 1);
    expect((await answer.next()).done).toBe(false);
    expect((await answer.next()).done).toBe(true);
  });

  it('is busy for who asks too much at once, or too fast, and for all together', async () => {
    const { piece, time } = serve();
    const one = (peer: string) => piece(peer, source.firstOp, source.firstOp + 2);
    const open = Array.from({ length: PIECES_AT_ONCE_PER_PEER_MAX }, () => one('a'));
    await Promise.all(open.map((answer) => answer.next()));
    await expect(one('a').next()).rejects.toMatchObject({ code: 'busy' });
    const others = Array.from({ length: PIECES_AT_ONCE_MAX - open.length }, (_, n) => one(`b${n >> 1}`));
    await Promise.all(others.map((answer) => answer.next()));
    await expect(one('c').next()).rejects.toMatchObject({ code: 'busy' });
    for (const answer of [...open, ...others]) await answer.return?.();
    const again = one('a');
    expect((await again.next()).done).toBe(false);
    await again.return?.();
    for (let count = 0; ; count += 1) {
      const answer = one('fast');
      try {
        await answer.next();
        await answer.return?.();
      } catch (error) {
        expect(error).toMatchObject({ code: 'busy' });
        expect(count).toBe(QUESTIONS_PER_SECOND);
        break;
      }
    }
    time.runUntil(1_000);
    expect((await one('fast').next()).done).toBe(false);
  });
});
