/**
 * What a block writes about its parent before its transactions: the parent's tally, the chain's progress, and at an epoch's first block all that
 * changes with the epoch. Tallies that nobody needs any more go.
 */
import type { Hash, PublicKey, Slot } from '../../../native/index.ts';
import type { Hasher } from '../../codec/index.ts';
import { invariant } from '../invariant.ts';
import type { Overlay } from '../overlay.ts';
import { beginEpoch } from './epoch-change.ts';
import { type EpochRecord, judgeNow, readEpoch } from './epoch-record.ts';
import { tallyKey } from './keys.ts';
import { type ProgressRecord, putProgress, readProgress } from './progress-record.ts';
import { NO_SEATS } from './seat-set.ts';
import { type ConsensusFields, epochOf } from './stake-rules.ts';
import { newTally, putTally, tallySlots } from './tally-record.ts';

/** Of a block's parent, what its child writes down. */
export interface ParentBlock {
  readonly slot: Slot;
  readonly hash: Hash;
  readonly stateRoot: Hash;
}

/** Begins a block of `slot`, led by `leader`. */
export function beginBlock(
  hasher: Hasher,
  rules: ConsensusFields,
  overlay: Overlay,
  parent: ParentBlock,
  slot: Slot,
  leader: PublicKey,
): void {
  const epoch = readEpoch(overlay);
  const progress = noteParent(overlay, epoch, readProgress(overlay), parent);
  dropTallies(rules, overlay, progress, slot);
  // Who judges this block is settled by the state after its parent, before this block's own epoch begins.
  const judgeEpoch = judgeNow(epoch).epoch;
  const isFirst = epochOf(rules, slot) > judgeEpoch;
  if (isFirst) beginEpoch(hasher, rules, overlay, { slot, parent: parent.hash }, epoch, progress);
  const { blocks, present } = isFirst ? { blocks: 0, present: NO_SEATS } : progress;
  putProgress(overlay, { ...progress, handOver: false, judgeEpoch, leader, blocks: blocks + 1, present });
}

/** The state knows a block by name only from its child on. Genesis is final from the start and needs no tally. */
function noteParent(
  overlay: Overlay,
  { judges }: EpochRecord,
  progress: ProgressRecord,
  parent: ParentBlock,
): ProgressRecord {
  if (parent.slot === 0) {
    const genesis = { slot: parent.slot, hash: parent.hash };
    return { ...progress, justified: genesis, final: genesis };
  }
  const judge = judges.find(({ epoch }) => epoch === progress.judgeEpoch);
  invariant(judge !== undefined, 'argument', () => `no judge of epoch ${progress.judgeEpoch}, which the parent has`);
  putTally(overlay, parent.slot, newTally(parent, judge));
  return progress;
}

/** A tally goes once its block is shown final and no vote for it can show presence any more. */
function dropTallies(rules: ConsensusFields, overlay: Overlay, { final }: ProgressRecord, slot: number): void {
  const gone: number[] = [];
  for (const one of tallySlots(overlay)) {
    if (one > final.slot || one + rules.voteLateSlotsMax >= slot) break;
    gone.push(one);
  }
  for (const one of gone) overlay.deleteRecord(tallyKey(one));
}
