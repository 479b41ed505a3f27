/**
 * Who judges and who leads: the electorate after a block decides what counts as a quorum for that block's children, and whose turn it is on
 * top of it. It follows from the chain alone (the ledger works it out); this file only judges by it.
 *
 * Invariants
 * - Members stand in order of rank: weight descending, then key bytes descending; no key twice; every weight > 0.
 * - A quorum needs more than 2/3 of the active weight of the era's set and of the one before it (Casper's forward and rear sets): so two electorates
 *   of neighbouring eras always share a set, in which conflicting finality exposes more than 1/3. Why: docs/protocol.md, "Safety".
 * - `majorityFloor`: some members are excluded for their absence, and a quorum needs more than half of both full sets besides. So of two sides
 *   of one partition at most one can go on.
 */
import { byteKey, type PublicKey } from '../../native/index.ts';

/** One validator as an electorate sees it. */
export interface Member {
  readonly publicKey: PublicKey;
  /** Bonded units, > 0. */
  readonly weight: bigint;
  /** Its lifelong place in bit sets of the ledger, 0 .. 1023. */
  readonly seat: number;
  /** In the set of this era; in that of the era before. At least one of them. */
  readonly inCurrent: boolean;
  readonly inPrevious: boolean;
  /** Absent for so long that it does not count until it has come in anew. */
  readonly excluded: boolean;
}

/** What a chain says about the judging and leading of a block's children. */
export interface Electorate {
  readonly epoch: number;
  readonly era: number;
  /** In order of rank. The same array for all blocks of one epoch of one chain. */
  readonly members: readonly Member[];
  readonly majorityFloor: boolean;
  /** The approved secondary, or null. */
  readonly secondary: PublicKey | null;
  /** The block handed its lead over: the next slot is another's. */
  readonly handOver: boolean;
  /** A leader that this chain has slashed for two blocks in one slot: its lead has ended. */
  readonly deposed: PublicKey | null;
}

/** Weight on either set; of voters, or of all. */
export interface Tally {
  readonly current: bigint;
  readonly previous: bigint;
}

export const NO_TALLY: Tally = { current: 0n, previous: 0n };

/** Everything derived from the members, worked out once for each array of members. */
export interface ElectorateIndex {
  readonly rankByKey: ReadonlyMap<string, number>;
  /** All members of each set, and those that are not excluded. */
  readonly full: Tally;
  readonly active: Tally;
}

const indexes = new WeakMap<readonly Member[], ElectorateIndex>();

/** The index over an electorate's members. */
export function indexOf({ members }: Pick<Electorate, 'members'>): ElectorateIndex {
  const known = indexes.get(members);
  if (known !== undefined) return known;
  const rankByKey = new Map(members.map(({ publicKey }, rank) => [byteKey(publicKey), rank]));
  const full = members.reduce(addWeight, NO_TALLY);
  const active = members.filter(({ excluded }) => !excluded).reduce(addWeight, NO_TALLY);
  const index: ElectorateIndex = { rankByKey, full, active };
  indexes.set(members, index);
  return index;
}

/** A member's rank, or undefined for a key that is none. */
export function rankOf(electorate: Electorate, key: PublicKey): number | undefined {
  return indexOf(electorate).rankByKey.get(byteKey(key));
}

/** Adds a member's weight to the sets it is in, excluded or not. */
export function addWeight(tally: Tally, member: Member): Tally {
  return {
    current: tally.current + (member.inCurrent ? member.weight : 0n),
    previous: tally.previous + (member.inPrevious ? member.weight : 0n),
  };
}

/** Adds a voter's weight: an excluded member's is nothing. */
export function addVoter(tally: Tally, member: Member): Tally {
  return member.excluded ? tally : addWeight(tally, member);
}

/** Whether these voters are a quorum: strictly more than 2/3 of both active sets, and of both full sets more than half when the floor holds. */
export function isQuorumOf(electorate: Electorate, { current, previous }: Tally): boolean {
  const { full, active } = indexOf(electorate);
  if (current * 3n <= active.current * 2n || previous * 3n <= active.previous * 2n) return false;
  return !electorate.majorityFloor || (current * 2n > full.current && previous * 2n > full.previous);
}

/** More than 1/3 of the era's full set: at least one honest voter, as long as less than 1/3 is not. */
export function holdsHonestOf(electorate: Electorate, { current }: Tally): boolean {
  return current * 3n > indexOf(electorate).full.current;
}
