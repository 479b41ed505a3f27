/**
 * The electorate after a block, from the state after it alone: whoever has the state (by execution, from disk, by fast sync) finds the same.
 *
 * Owns the cache of members. Members follow from a judge's era and exclusions and the bonds; epoch and parent name one electorate among all forks, so
 * that is the cache's key, and all blocks of one epoch of one chain share one array of members.
 */
import { byteKey, type PublicKey, sameBytes } from '../../../native/index.ts';
import { addressOf } from '../../codec/index.ts';
import { addVoter, type Electorate, isQuorumOf, type Member, NO_TALLY, rankOf } from '../../consensus/electorate.ts';
import type { LedgerState } from '../ledger-state.ts';
import { byteOrder } from '../state-key.ts';
import { type Bond, isInSet, readBond, readBonds } from './bond.ts';
import { type Judge, judgeNow, readEpoch } from './epoch-record.ts';
import { readNomination } from './nomination-record.ts';
import { readProgress } from './progress-record.ts';
import { hasSeat } from './seat-set.ts';

/** Electorates kept: a few epochs of a few forks. */
const CACHE_SIZE = 32;

/** Members by judge: a memory of what was worked out before, without any effect on results. */
export class ElectorateCache {
  readonly #members: Map<string, readonly Member[]> = new Map();

  /** The members of a judge. @param bonds read only when they are not known yet */
  membersOf({ epoch, era, excluded, parent }: Judge, bonds: () => readonly Bond[]): readonly Member[] {
    const name = `${epoch} ${byteKey(parent)}`;
    const known = this.#members.get(name);
    if (known !== undefined) return known;
    const members = membersFrom(bonds(), era, excluded);
    if (this.#members.size >= CACHE_SIZE) this.#members.delete(this.#members.keys().next().value!);
    this.#members.set(name, members);
    return members;
  }
}

/** What this file needs of the ledger's rules. */
export interface ElectorateRules {
  readonly electorates: ElectorateCache;
}

/** Who judges and leads the children of the block that left this state. @throws RecordError */
export function electorateAfter(rules: ElectorateRules, state: LedgerState): Electorate {
  const bare = electorateOfJudge(rules, state, judgeNow(readEpoch(state)));
  const { handOver, leader } = readProgress(state);
  const { secondary } = readNomination(state);
  return {
    ...bare,
    secondary: secondary !== null && isCounted(bare, secondary) ? secondary : null,
    handOver,
    deposed: isSlashed(state, leader) ? leader : null,
  };
}

/** A judge's electorate, without what changes from block to block. @throws RecordError */
export function electorateOfJudge(rules: ElectorateRules, state: LedgerState, judge: Judge): Electorate {
  const { epoch, era, majorityFloor } = judge;
  const members = rules.electorates.membersOf(judge, () => readBonds(state));
  return { epoch, era, members, majorityFloor, secondary: null, handOver: false, deposed: null };
}

/** A member by its key, or undefined. */
export function memberOf(electorate: Electorate, key: PublicKey): Member | undefined {
  const rank = rankOf(electorate, key);
  return rank === undefined ? undefined : electorate.members[rank];
}

/** Whether a key is a member that counts. */
export function isCounted(electorate: Electorate, key: PublicKey): boolean {
  return memberOf(electorate, key)?.excluded === false;
}

/** Whether the members in these seats are a quorum. */
export function isQuorumOfSeats(electorate: Electorate, seats: Uint8Array): boolean {
  const tally = electorate.members.filter(({ seat }) => hasSeat(seats, seat)).reduce(addVoter, NO_TALLY);
  return isQuorumOf(electorate, tally);
}

/** The members of set(era) and set(era - 1), in order of rank. set(-1) is set(0). @param excluded seats of those that do not count */
export function membersFrom(bonds: readonly Bond[], era: number, excluded: Uint8Array): readonly Member[] {
  const previousEra = Math.max(0, era - 1);
  return bonds
    .map((bond) => ({
      publicKey: bond.publicKey.slice() as PublicKey,
      weight: bond.weight,
      seat: bond.seat,
      inCurrent: isInSet(bond, era),
      inPrevious: isInSet(bond, previousEra),
      excluded: hasSeat(excluded, bond.seat),
    }))
    .filter(({ inCurrent, inPrevious }) => inCurrent || inPrevious)
    .sort(byRank);
}

function byRank(a: Member, b: Member): number {
  if (a.weight !== b.weight) return a.weight > b.weight ? -1 : 1;
  return byteOrder(b.publicKey, a.publicKey);
}

function isSlashed(state: LedgerState, key: PublicKey): boolean {
  const bond = readBond(state, addressOf(key));
  return bond?.slashed === true && sameBytes(bond.publicKey, key);
}
