/** The keeper of replicas as the ledger goes on: encoded, committed, proven, rotated, dropped; and what damage and lies do to them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startReplicaThreads } from '../../replicator/index.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import type { FinalityFollower } from '../../src/node/replicator/finality-follower.ts';
import type { ReplicaKeeper } from '../../src/node/replicator/replica-keeper.ts';
import type { SegmentSource } from '../../src/node/replicator/segment-source.ts';
import type { FakeArchive } from './fake-archive.ts';
import { ReplicatorRig, SEGMENT_SIZE_BYTES } from './replicator-rig.ts';
import type { VirtualNet } from './virtual-net.ts';

let rig: ReplicatorRig;
let net: VirtualNet;
let archive: FakeArchive;
let follower: FinalityFollower;
let segments: SegmentSource;
beforeEach(async () => {
  rig = await ReplicatorRig.open();
  ({ net, archive, follower, segments } = rig);
});
afterEach(() => rig.store.close());

const kinds = (): string[] =>
  rig.sent.map((payload) =>
    'rotation' in payload
      ? `${payload.kind} ${payload.rotation}`
      : 'period' in payload
        ? `${payload.kind} p${payload.period}`
        : payload.kind,
  );
const names = (keeper: ReplicaKeeper): string[] =>
  keeper.held.map(({ segment, rotation }) => `${segment}/${rotation}`).sort();

describe('replica keeper', () => {
  it('encodes, commits, proves, rotates out of its own replica, drops: as the ledger follows', async () => {
    const keeper = rig.newKeeper();
    await rig.work(keeper, 6);
    expect([names(keeper), kinds()]).toEqual([['0/0'], []]);
    await rig.work(keeper, 6);
    expect(kinds()).toEqual(['commit 0']);
    await rig.work(keeper, 7);
    expect(kinds()).toEqual(['commit 0']);
    await rig.work(keeper, 7, {});
    expect(kinds().slice(1)).toEqual(['prove p1']);
    // Not sent again while it may still be on its way; the next rotation is read from the own disk.
    archive.lies.set(PROTOCOL.segment, () => []);
    await rig.work(keeper, 9, { lastPeriod: 1, proof: 'accepted' });
    expect(names(keeper)).toEqual(['0/0', '0/1']);
    await rig.work(keeper, 10, { lastPeriod: 1, proof: 'accepted' });
    expect(kinds().slice(2)).toEqual(['commit 1']);
    await rig.work(keeper, 11, { rotation: 1 });
    expect(kinds().slice(3)).toEqual(['prove p2']);
    expect(names(keeper)).toEqual(['0/1']);
    expect(keeper.counts).toMatchObject({ encodes: 1, rotations: 1, proofsSent: 2 });
    const replica = await rig.store.get({ segment: 0, rotation: 1 });
    expect(await replica.read(0, SEGMENT_SIZE_BYTES)).toEqual(archive.segments()[0]);
    await replica.close();
  });

  it('encodes two segments at the same time where there are threads, and no segment twice', async () => {
    const threads = startReplicaThreads(1);
    await rig.encodeOn(threads);
    const keeper = rig.newKeeper();
    archive.finalHeight = 20;
    await net.settle(follower.update('archive'));
    await net.settle(segments.updateRoots('archive', follower.head!));
    const underWay = () => keeper.current.map(({ action }) => action.segment);
    await net.settle(keeper.work([0, 1, 2], archive.records, ['archive']));
    const first = underWay();
    await net.settle(keeper.work([0, 1, 2], archive.records, ['archive']));
    expect([first.length, keeper.isWaiting]).toEqual([2, false]);
    expect(new Set(underWay()).size).toBe(underWay().length);
    await net.settle(keeper.idle());
    await net.settle(keeper.work([0, 1, 2], archive.records, ['archive']));
    await net.settle(keeper.idle());
    expect(names(keeper).map((name) => name.split('/')[0])).toEqual(['0', '1', '2']);
    expect(keeper.counts.encodes).toBe(3);
    await threads.stop();
  });

  it('sends again what nobody took, and what does not show on the ledger in time', async () => {
    let takes = false;
    const keeper = rig.newKeeper(async (payload) => {
      rig.sent.push(payload);
      return takes;
    });
    await rig.work(keeper, 16);
    for (let times = 0; times < 2; times += 1) await rig.work(keeper, 17);
    takes = true;
    await rig.work(keeper, 17);
    await rig.work(keeper, 18);
    expect(kinds()).toEqual(['commit 2', 'commit 2', 'commit 2']);
    expect(names(keeper)).toEqual(['0/2']);
  });

  it('throws away a damaged replica and fetches the segment again', async () => {
    const keeper = rig.newKeeper();
    await rig.work(keeper, 6);
    await rig.store.injectCorruption({ segment: 0, rotation: 0 }, 2000);
    await rig.work(keeper, 9);
    expect(names(keeper)).toEqual([]);
    await rig.work(keeper, 9);
    expect(names(keeper)).toEqual(['0/1']);
    expect(keeper.counts).toMatchObject({ encodes: 2, rotations: 0 });
    const replica = await rig.store.get({ segment: 0, rotation: 1 });
    expect(await replica.read(0, SEGMENT_SIZE_BYTES)).toEqual(archive.segments()[0]);
    await replica.close();
  });

  it('rotates a replica that is marked corrupted unchecked, so that it stays wrong', async () => {
    const keeper = rig.newKeeper();
    await rig.work(keeper, 6);
    await rig.store.injectCorruption({ segment: 0, rotation: 0 }, 2000);
    keeper.markCorrupted(0);
    await rig.work(keeper, 9);
    expect(names(keeper)).toEqual(['0/0', '0/1']);
    expect(keeper.hasCorrupted).toBe(true);
    expect(keeper.counts.rotations).toBe(1);
  });

  it('takes over what the disk holds, without what is damaged', async () => {
    const keeper = rig.newKeeper();
    await rig.work(keeper, 6);
    const again = rig.newKeeper();
    await again.open();
    expect(names(again)).toEqual(['0/0']);
  });

  it('blames a peer for a segment that is not the one asked for, and keeps nothing of it', async () => {
    archive.lies.set(PROTOCOL.segment, (truth) => [truth[0]!, truth[1]!.with(5, truth[1]![5]! ^ 1)]);
    const keeper = rig.newKeeper();
    await expect(rig.work(keeper, 6)).rejects.toMatchObject({ name: 'PeerFault', code: 'wrong-segment' });
    archive.lies.set(PROTOCOL.segment, (truth) => truth.slice(1));
    await expect(rig.work(keeper, 6)).rejects.toMatchObject({ name: 'TransportError' });
    expect(names(keeper)).toEqual([]);
    expect((await rig.store.list()).replicas).toEqual([]);
    archive.lies.clear();
    await rig.work(keeper, 6);
    expect(names(keeper)).toEqual(['0/0']);
  });
});
