/**
 * The electorate is a function of the state: a node that reopens its store, was killed, rebuilds its tables or takes the state by fast sync judges and executes as one that has
 * been there all along.
 */

import { describe, expect, it } from 'vitest';
import { type Hash, slot as toSlot } from '../../../native/index.ts';
import { BlockExecution, electorateAfter, genesisBatch } from '../../../src/ledger/index.ts';
import { SimulatedDisk } from '../../../storage/files/simulated-disk.ts';
import { lmdbKeyValues } from '../../../storage/key-value/lmdb-key-values.ts';
import { encodeBatch } from '../../../storage/oplog/batch.ts';
import { StateStore, type StateStoreOptions } from '../../../storage/state.ts';
import { checkManifest } from '../../../storage/sync/manifest.ts';
import { readPiece } from '../../../storage/sync/piece.ts';
import { readPieceFrame } from '../../../storage/sync/state-source.ts';
import { SyncStage } from '../../../storage/sync/sync-stage.ts';
import { hasher, kernels } from '../fixture.ts';
import { type Actor, actor, bond, StakeWorld } from './stake-world.ts';

const four = ['a', 'b', 'c', 'd'].map(actor) as [Actor, Actor, Actor, Actor];
const [a, b, c, d] = four;
const eve = actor('eve');

const optionsOf = (world: StakeWorld, disk: SimulatedDisk, directory: string): StateStoreOptions => ({
  kernels,
  chainId: world.rules.chainId,
  segmentSizeBytes: 4096,
  retainHeights: 4,
  directory,
  files: disk,
  shardCountLog2: 1,
  shardSlotCountLog2: 7,
  randomBytes: (size) => new Uint8Array(size).fill(3),
});

/** Takes the newest state of a store through a quarantine. */
async function synced(world: StakeWorld, source: StateStore, disk: SimulatedDisk): Promise<StateStore> {
  const { height, commitment } = source.tip;
  const manifest = source.manifest(height)!;
  const target = { height, root: commitment.root as Hash };
  const { firstOp, opCount } = manifest;
  const log = { kernels, chainId: world.rules.chainId, segmentSizeBytes: 4096, retainHeights: 4 };
  const start = await readPieceFrame(source, { from: firstOp, to: firstOp + 1 }, opCount);
  const stage = await SyncStage.open({
    ...log,
    directory: '/quarantine',
    disk: { files: disk, keyValues: lmdbKeyValues },
    sizeBytesMax: 1e8,
    pieceOps: 64,
  });
  const state = await stage.openState(checkManifest({ ...log, target }, manifest, start));
  for (let span = state.take(); !state.isWhole; span = state.take())
    if (span !== undefined) {
      const frame = await readPieceFrame(source, span, state.tree.opCount);
      await state.keep(span, readPiece(kernels, frame, span.from, state.tree));
    }
  await state.finish();
  await stage.settleState(target);
  await stage.adopt('/synced');
  return StateStore.open(optionsOf(world, disk, '/synced/state'));
}

/** What the next block comes to on a state, with nothing remembered: its ops and who judges after it. */
function nextOn(world: StakeWorld, state: StateStore | StakeWorld['chain']['state']): unknown {
  const { chain, forgetful: rules } = world;
  const slot = toSlot(world.tip.slot + 1);
  const { parent, recent, segmentCount } = chain;
  const block = BlockExecution.start({ rules, kernels, slot, leader: a.key, parent, recent, segmentCount, state });
  block.executeVotes(world.votesBy([a, b, c]));
  return [electorateAfter(rules, state), block.electorate(), block.overlay.ops()];
}

describe('copies of the state', () => {
  it('reopened, killed, rebuilt and synced all give the same electorate, and execute the next block alike', async () => {
    const world = new StakeWorld(
      four.map((who) => [who, 100n] as const),
      [[eve, 1000n]],
      { staleEpochsFast: 1 },
    );
    const disk = new SimulatedDisk(1);
    let store = await StateStore.open(optionsOf(world, disk, '/first/state'));
    await store.initialize(genesisBatch(hasher, world.chain.genesis));
    let copies = 0;
    while (world.tip.slot < 76) {
      const slot = world.tip.slot + 1;
      world.begin(slot);
      if (slot === 9) expect(world.send(eve, bond(60n), 1n)).toBeNull();
      if (slot === 12) expect(world.send(d, { kind: 'unbond' })).toBeNull();
      // Somebody is silent for a while, then a stall, then all go on.
      const voters = slot < 24 ? four : slot < 40 ? [a, b, c] : slot < 56 ? [a, b] : [a, b, c, eve];
      const ops = world.end(world.votesBy(voters));
      await store.append(encodeBatch(store.commitment.place, ops));
      if (slot % 7 !== 0) continue;
      const expected = nextOn(world, world.chain.state);
      expect(nextOn(world, store)).toEqual(expected);
      if (slot % 3 === 0) disk.restartProcess();
      else await store.close();
      store = await StateStore.open({ ...optionsOf(world, disk, '/first/state'), rebuild: slot % 3 === 1 });
      expect(nextOn(world, store)).toEqual(expected);
      const copy = await synced(world, store, new SimulatedDisk(slot));
      expect(nextOn(world, copy)).toEqual(expected);
      await copy.close();
      copies++;
    }
    expect(copies).toBe(10);
    expect(world.electorate.era).toBeGreaterThan(3);
    await store.close();
  });
});
