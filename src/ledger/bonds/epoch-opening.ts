/**
 * An epoch's change under way: what it is worked out from, and what it comes to. The steps are epoch-change.ts's.
 */
import type { Slot } from '../../../native/index.ts';
import type { Bond } from './bond.ts';
import { type EpochRecord, judgeNow } from './epoch-record.ts';
import type { ProgressRecord } from './progress-record.ts';
import { type ConsensusFields, epochOf } from './stake-rules.ts';

/** A bond that an epoch's change may write. */
export type OpenBond = { -readonly [K in keyof Bond]: Bond[K] };

/** Everything an epoch's change is worked out from, and what it comes to. */
export interface EpochChange {
  readonly rules: ConsensusFields;
  /** The epoch that begins. */
  readonly epoch: number;
  /** Its first block. */
  readonly slot: Slot;
  readonly before: EpochRecord;
  readonly progress: ProgressRecord;
  readonly bonds: OpenBond[];
  fullEpochs: number;
  stalledEpochs: number;
  era: number;
  eraFirstSlot: Slot;
  majorityFloor: boolean;
}

/** Whether nothing has become final for so long that production slows down, and absent members stop counting. */
export function isStalled(
  { staleEpochsSlow }: ConsensusFields,
  { stalledEpochs }: Pick<EpochRecord, 'stalledEpochs'>,
): boolean {
  return stalledEpochs >= staleEpochsSlow;
}

/**
 * How many slots after its target a vote still shows its voter present. In a stall blocks are far apart and honest voters wait for each other over many slots, so
 * there it is as long as absence takes to count. A vote for the parent of the block that holds it is never late: no block could have held it sooner.
 */
export function lateSlotsMax(rules: ConsensusFields, epoch: Pick<EpochRecord, 'stalledEpochs'>): number {
  return isStalled(rules, epoch) ? rules.staleEpochsSlow * rules.slotsPerEpoch : rules.voteLateSlotsMax;
}

/** Full epochs that a bond has missed in a row. */
export function missedEpochs(fullEpochs: number, { absentFrom }: Pick<Bond, 'absentFrom'>): number {
  return absentFrom === null ? 0 : fullEpochs - absentFrom;
}

/** Opens an epoch's change: presence, eras and exclusion follow. */
export function openChange(
  rules: ConsensusFields,
  slot: Slot,
  before: EpochRecord,
  progress: ProgressRecord,
  bonds: readonly Bond[],
): EpochChange {
  // Long without finality production slows down to a block an epoch: then that is all there is to vote for.
  const isFull = progress.blocks * 2 >= rules.slotsPerEpoch || (isStalled(rules, before) && progress.blocks > 0);
  const { era, majorityFloor } = judgeNow(before);
  return {
    rules,
    epoch: epochOf(rules, slot),
    slot,
    before,
    progress,
    bonds: bonds.map((bond) => ({ ...bond })),
    fullEpochs: before.fullEpochs + (isFull ? 1 : 0),
    stalledEpochs: progress.final.slot > before.finalSlot ? 0 : before.stalledEpochs + 1,
    era,
    eraFirstSlot: before.eraFirstSlot,
    majorityFloor,
  };
}
