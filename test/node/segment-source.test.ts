/** Segments of history as a replicator fetches them: roots that a final header stands for, bytes, and nothing else. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PeerFault } from '../../src/net/transport.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import type { SegmentSource } from '../../src/node/replicator/segment-source.ts';
import type { FakeArchive } from './fake-archive.ts';
import { chain, ReplicatorRig, SEGMENT_SIZE_BYTES } from './replicator-rig.ts';
import type { VirtualNet } from './virtual-net.ts';

let rig: ReplicatorRig;
let net: VirtualNet;
let archive: FakeArchive;
let segments: SegmentSource;
beforeEach(async () => {
  rig = await ReplicatorRig.open();
  ({ net, archive, segments } = rig);
});
afterEach(() => rig.store.close());

describe('segment source', () => {
  it('takes the roots of a final header, and the bytes of a segment', async () => {
    archive.finalHeight = 20;
    const { header } = chain[19]!;
    await net.settle(segments.updateRoots('archive', header));
    expect(segments.roots).toEqual(archive.segments().map((bytes) => archive.rootOf(bytes)));
    expect(segments.roots.length).toBeGreaterThan(2);
    const before = archive.requests;
    await net.settle(segments.updateRoots('archive', header));
    expect(archive.requests).toBe(before);
    const bytes = await net.settle(collect(segments.stream('archive', 1)));
    expect(bytes).toEqual(archive.segments()[1]);
    expect(segments.bytesFetched).toBe(SEGMENT_SIZE_BYTES);
  });

  it.each([
    ['another root', (truth: Uint8Array[]) => [truth[0]!.with(40, truth[0]![40]! ^ 1)]],
    ['the roots of the wrong order', (truth: Uint8Array[]) => [truth[0]!.slice(32), truth[0]!.slice(0, 32)]],
    ['half a root', (truth: Uint8Array[]) => [truth[0]!.slice(0, -1)]],
    ['nothing', () => []],
    ['empty frames without end', () => Array.from({ length: 10_000 }, () => new Uint8Array(0))],
  ])('takes no roots when told %s, and keeps those it has', async (_, lie) => {
    archive.finalHeight = 10;
    await net.settle(segments.updateRoots('archive', chain[9]!.header));
    const kept = segments.roots;
    archive.finalHeight = 30;
    archive.lies.set(PROTOCOL.segmentRoots, lie);
    await expect(net.settle(segments.updateRoots('archive', chain[29]!.header))).rejects.toBeInstanceOf(PeerFault);
    expect(segments.roots).toBe(kept);
    archive.lies.clear();
    await net.settle(segments.updateRoots('archive', chain[29]!.header));
    expect(segments.roots.length).toBe(chain[29]!.header.segmentCount);
  });

  it('takes no more of a segment than it can have', async () => {
    archive.finalHeight = 20;
    archive.lies.set(PROTOCOL.segment, (truth) => [...truth, Uint8Array.of(1)]);
    await expect(net.settle(collect(segments.stream('archive', 0)))).rejects.toMatchObject({ code: 'too-large' });
    archive.lies.set(PROTOCOL.segment, () => Array.from({ length: 10_000 }, () => new Uint8Array(0)));
    await expect(net.settle(collect(segments.stream('archive', 0)))).rejects.toMatchObject({ code: 'too-many-frames' });
  });
});

async function collect(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const frame of frames) parts.push(frame);
  return Uint8Array.from(Buffer.concat(parts));
}
