/** The contract of `Transport` towards bytes that are not frames. */
import { expect } from 'vitest';
import type { TransportLimits } from '../../src/net/limits.ts';
import { FRAME_SIZE_BYTES_MAX, type Transport } from '../../src/net/transport.ts';
import { bytes, collect, ECHO, OPTIONS, type Rig, u32, until } from './rig.ts';

type Test = (name: string, body: () => Promise<void>) => void;

/** Adds its tests to a suite. */
export function hostileContract(
  test: Test,
  pair: (limits?: Partial<TransportLimits>) => Promise<[Transport, Transport]>,
  rig: () => Rig,
): void {
  const served = async (b: Transport): Promise<{ count: number }> => {
    const calls = { count: 0 };
    b.handle(ECHO, async function* (_, request) {
      calls.count++;
      yield request;
    });
    return calls;
  };

  test('hostile: a frame announced too large is refused at once, without its bytes', async () => {
    const [a, b] = await pair();
    const calls = await served(b);
    const stream = await rig().raw(a, b.self, ECHO);
    await stream.write(u32(FRAME_SIZE_BYTES_MAX + 1));
    const { bytes: answer } = await stream.drain();
    expect(Buffer.from(answer).toString()).toContain('over the maximum');
    expect(calls.count).toBe(0);
  });

  test('hostile: a frame cut short is refused with a reason; five of them ban', async () => {
    const [a, b] = await pair();
    const calls = await served(b);
    for (let i = 0; i < 5; i++) {
      const stream = await rig().raw(a, b.self, ECHO);
      await stream.write(u32(100));
      await stream.write(new Uint8Array(60 + i));
      await stream.end();
      const { bytes: answer } = await stream.drain();
      if (i === 0) expect(Buffer.from(answer).toString()).toContain('60 of 100 bytes');
    }
    await until('banned', () => b.peers().length === 0);
    expect(calls.count).toBe(0);
  });

  test('hostile: a request that never ends is cut off after its timeout', async () => {
    const [a, b] = await pair({ requestTimeoutMs: 150, lingerMs: 100 });
    const calls = await served(b);
    const stream = await rig().raw(a, b.self, ECHO);
    await stream.write(u32(100));
    await stream.write(bytes(1, 2, 3));
    const { bytes: answer, end } = await stream.drain();
    expect(Buffer.from(answer).toString()).toContain('nothing within 150 ms');
    expect(end === 'ended' || end === 'reset').toBe(true);
    expect(calls.count).toBe(0);
    expect(b.peers()).toContain(a.self);
  });

  test('hostile: over the count of requests at once, the rest hear busy', async () => {
    const [a, b] = await pair({ inboundRequestsPerPeerMax: 2, outboundRequestsPerPeerMax: 2 });
    await served(b);
    const streams = [];
    for (let i = 0; i < 4; i++) {
      const stream = await rig().raw(a, b.self, ECHO);
      await stream.write(u32(5));
      streams.push(stream);
    }
    const answers = await Promise.all(streams.slice(2).map((stream) => stream.drain()));
    for (const answer of answers) expect(Buffer.from(answer.bytes).toString()).toContain('requests at once');
  });

  test('hostile: bytes after a request are dropped, the answer still comes', async () => {
    const [a, b] = await pair({ lingerMs: 100 });
    await served(b);
    const stream = await rig().raw(a, b.self, ECHO);
    await stream.write(Buffer.concat([u32(2), bytes(7, 8), new Uint8Array(5000)]));
    const { bytes: answer } = await stream.drain();
    expect([...answer.subarray(0, 10)]).toEqual([2, 0, 0, 0, 7, 8, 255, 255, 255, 255]);
  });

  test('hostile: a peer that keeps its side open after the answer is reset', async () => {
    const [a, b] = await pair({ lingerMs: 100 });
    await served(b);
    const stream = await rig().raw(a, b.self, ECHO);
    await stream.write(Buffer.concat([u32(1), bytes(7)]));
    await stream.drain();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await expect(stream.write(bytes(1))).rejects.toMatchObject({ code: 'closed' });
  });

  test('hostile: random bytes on many streams crash nothing', async () => {
    const [a, b] = await pair({ requestTimeoutMs: 200, lingerMs: 50, faultPointsMax: 100_000 });
    const calls = await served(b);
    let seed = 1234567;
    const random = () => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return seed >>> 16;
    };
    for (let i = 0; i < 60; i++) {
      const stream = await rig().raw(a, b.self, ECHO);
      const junk = new Uint8Array(random() % 64).map(() => random() & (i % 2 === 0 ? 0xff : 0x03));
      await stream.write(junk).catch(() => {});
      if (i % 3 !== 0) await stream.end().catch(() => {});
      if (i % 10 === 9) await stream.drain();
    }
    const [frame] = await collect(a.request(b.self, ECHO, bytes(9), { ...OPTIONS, idleTimeoutMs: 5_000 }));
    expect(frame).toEqual(bytes(9));
    expect(calls.count).toBeGreaterThan(0);
  });
}
