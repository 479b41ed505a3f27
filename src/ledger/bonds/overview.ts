/**
 * What people ask of the validators: one row a bond, from the state alone. For RPC, the command line and audits.
 */
import type { Address, PublicKey, Slot } from '../../../native/index.ts';
import type { LedgerState } from '../ledger-state.ts';
import { type Bond, isExcluded, isWaiting, readBonds } from './bond.ts';
import { missedEpochs } from './epoch-opening.ts';
import { type EpochRecord, judgeNow, readEpoch } from './epoch-record.ts';
import { isJudging } from './era-change.ts';
import type { ConsensusFields } from './stake-rules.ts';

/**
 * Where a bond stands: waits to enter (or is to enter at the next era), judges, judges and is on its way out, has left both sets.
 */
export type BondStage = 'waiting' | 'active' | 'leaving' | 'left';

export interface ValidatorOverview {
  readonly publicKey: PublicKey;
  readonly address: Address;
  readonly units: bigint;
  readonly weight: bigint;
  readonly seat: number;
  readonly stage: BondStage;
  readonly slashed: boolean;
  /** It asked to leave. */
  readonly asked: boolean;
  readonly excluded: boolean;
  /** It has missed as many full epochs as make a member leave. */
  readonly stale: boolean;
  readonly missedEpochs: number;
  readonly fromEra: number | null;
  readonly untilEra: number | null;
  readonly leftEpoch: number | null;
  /** First epoch in which `withdraw` is possible; null before it has left, and where it did not ask. */
  readonly freeEpoch: number | null;
  readonly bondedSlot: Slot;
}

/** Every bond, in order of rank: weight, then key, both descending. @throws RecordError */
export function readValidators(
  rules: { readonly consensus: ConsensusFields },
  state: LedgerState,
): ValidatorOverview[] {
  const epoch = readEpoch(state);
  return readBonds(state)
    .map((bond) => overviewOf(rules.consensus, epoch, bond))
    .sort((a, b) => (a.weight === b.weight ? Buffer.compare(b.publicKey, a.publicKey) : a.weight > b.weight ? -1 : 1));
}

/** Whether anybody with this address has a bond, member or not. */
export function hasBond(state: LedgerState, address: Address): boolean {
  return state.bond(address) !== undefined;
}

function overviewOf(rules: ConsensusFields, record: EpochRecord, bond: Bond): ValidatorOverview {
  const { publicKey, address, units, weight, seat, slashed, fromEra, untilEra, leftEpoch, bondedSlot } = bond;
  const missed = missedEpochs(record.fullEpochs, bond);
  const isAsked = bond.leaving || slashed;
  const { era } = judgeNow(record);
  return {
    ...{ publicKey, address, units, weight, seat, slashed, fromEra, untilEra, leftEpoch, bondedSlot },
    stage: stageOf(bond, era),
    asked: bond.leaving,
    excluded: isExcluded(bond),
    stale: missed >= rules.staleEpochsFast,
    missedEpochs: missed,
    freeEpoch: isAsked && leftEpoch !== null ? leftEpoch + rules.unbondingEpochs : null,
  };
}

function stageOf(bond: Bond, era: number): BondStage {
  if (bond.leftEpoch !== null) return 'left';
  if (isWaiting(bond) || !isJudging(bond, era)) return 'waiting';
  return bond.leaving || bond.slashed || bond.untilEra !== null ? 'leaving' : 'active';
}
