/** The hand-overs' store by itself, and how what it holds is served. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HandOverStore } from '../../src/node/hand-overs/hand-over-store.ts';
import { encodeMessage, HAND_OVERS_MAX, PROTOCOL } from '../../src/node/protocols.ts';
import { serveHandOvers } from '../../src/node/serve/hand-over-service.ts';
import { CorruptionError } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels } from './world.ts';

const [first, second, third] = [1, 2, 3].map((fill) => new Uint8Array(500 + fill).fill(fill)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

describe('hand-overs that are kept', () => {
  it('come back as they were written, ascending, or as corruption', async () => {
    const directory = join(await freshDirectory(), 'hand-overs');
    const store = await HandOverStore.open(directory, kernels);
    await store.append(3, first);
    await store.append(5, second);
    await expect(store.append(5, third)).rejects.toThrow(RangeError);
    expect([...store.from(4, 10)]).toEqual([second]);
    expect([...store.from(0, 1)]).toEqual([first]);
    expect(store.last).toEqual(second);
    await store.close();
    const other = await HandOverStore.open(directory, { crc32c: () => 1 });
    expect(() => other.last).toThrow(CorruptionError);
    await other.close();
  });

  it('are served in bounded answers', async () => {
    const asked: number[] = [];
    const net = new VirtualNet();
    const self = await net.peer('self');
    const peer = await net.peer('server');
    serveHandOvers(peer, {
      *from(epoch, countMax) {
        asked.push(countMax);
        for (let at = 0; at < countMax; at += 1) yield Uint8Array.of(epoch + at);
      },
    });
    await net.settle(self.dial(net.network.addressOf('server')));
    const got: number[] = [];
    const request = encodeMessage({ fromEpoch: 5 });
    const collect = async (): Promise<void> => {
      for await (const frame of self.request('server', PROTOCOL.handOvers, request, {
        idleTimeoutMs: 1000,
        responseSizeBytesMax: 1e6,
      }))
        got.push(frame[0]!);
    };
    await net.settle(collect());
    expect([got.length, got[0], asked]).toEqual([HAND_OVERS_MAX, 5, [HAND_OVERS_MAX]]);
  });
});
