/**
 * What a chain says about its electorate, modelled for tests without any code of the ledger or the machine: sets that change at eras, members excluded for their absence,
 * votes counted as the chain shows them. Plain and slow: each block's result is worked out once and kept under its key.
 */
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import type { Electorate, Member } from '../../src/consensus/index.ts';
import { GENESIS, keyAt } from './fixture.ts';

/** What a block can do to the electorate, by validator number. */
export type ChainOp =
  | { readonly kind: 'bond'; readonly index: number; readonly weight: bigint }
  | { readonly kind: 'unbond'; readonly index: number }
  | { readonly kind: 'secondary'; readonly index: number }
  | { readonly kind: 'handOver' }
  | { readonly kind: 'slash'; readonly index: number; readonly isDouble: boolean };

export interface SimBlock {
  readonly header: BlockHeader;
  readonly votes: readonly Vote[];
  readonly ops?: readonly ChainOp[];
  /** Decoys owned up to, and whether this is one. */
  readonly reveals?: readonly BlockHeader[];
  readonly isDecoy?: boolean;
}

export interface ModelRules {
  readonly slotsPerEpoch: number;
  readonly staleFast: number;
  readonly staleSlow: number;
  /** 0: never. */
  readonly staleVerySlow: number;
}

interface Bond {
  readonly index: number;
  readonly weight: bigint;
  readonly fromEra: number;
  readonly untilEra: number;
  readonly missed: number;
  readonly isExcluded: boolean;
  readonly isLeaving: boolean;
  readonly isSlashed: boolean;
}

interface Count {
  readonly slot: number;
  readonly judge: Electorate;
  readonly voters: ReadonlySet<number>;
  readonly linkers: ReadonlySet<number>;
  readonly parentKey: string;
  readonly parentSlot: number;
  readonly isJustified: boolean;
}

/** What stands in the state after a block. */
export interface ModelState {
  readonly key: string;
  readonly slot: number;
  readonly epoch: number;
  readonly era: number;
  readonly eraFirstSlot: number;
  readonly finalSlot: number;
  readonly finalKey: string;
  readonly bonds: readonly Bond[];
  readonly present: ReadonlySet<number>;
  readonly doubleDealers: ReadonlySet<number>;
  readonly counts: ReadonlyMap<string, Count>;
  readonly electorate: Electorate;
}

const NEVER = 1 << 30;
/** A vote this late makes its voter present no more. */
const LATE_SLOTS_MAX = 16;
const numberOf = (key: Uint8Array): number => 255 - key[0]!;
const isIn = ({ fromEra, untilEra }: Bond, era: number): boolean => fromEra <= Math.max(0, era) && era < untilEra;
const sum = (bonds: readonly { readonly weight: bigint }[]): bigint =>
  bonds.reduce((total, { weight }) => total + weight, 0n);

/** The rule of a quorum once more, over validator numbers. */
export function isQuorumFor({ members, majorityFloor }: Electorate, voters: ReadonlySet<number>): boolean {
  return (['inCurrent', 'inPrevious'] as const).every((side) => {
    const all = members.filter((member) => member[side]);
    const active = all.filter(({ excluded }) => !excluded);
    const stake = sum(active.filter(({ seat }) => voters.has(seat)));
    return stake * 3n > sum(active) * 2n && (!majorityFloor || stake * 2n > sum(all));
  });
}

export class ChainModel {
  readonly #rules: ModelRules;
  readonly #states: Map<string, ModelState> = new Map();

  constructor(weights: readonly bigint[], rules: ModelRules) {
    this.#rules = rules;
    const bonds = weights.map((weight, index) => newBond(index, weight, 0));
    const key = byteKey(GENESIS.hash);
    const electorate = makeElectorate(bonds, 0, 0, false, null);
    const first = { key, slot: 0, epoch: 0, era: 0, eraFirstSlot: 0, finalSlot: 0, finalKey: key, bonds, electorate };
    const none = { present: new Set<number>(), doubleDealers: new Set<number>(), counts: new Map<string, Count>() };
    this.#states.set(key, { ...first, ...none });
  }

  /** The state after a block executed before. */
  stateOf(key: string): ModelState {
    return this.#states.get(key)!;
  }
  /** Who judges this block. */
  judgeOf(header: BlockHeader): Electorate {
    return this.stateOf(byteKey(header.parentHash)).electorate;
  }

  /** Executes a block whose parent has been executed. */
  execute(block: SimBlock): ModelState {
    const key = byteKey(block.header.hash);
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state = this.#run(this.stateOf(byteKey(block.header.parentHash)), block, key);
    this.#states.set(key, state);
    return state;
  }

  #run(parent: ModelState, { header, votes, ops = [] }: SimBlock, key: string): ModelState {
    const epoch = Math.floor(header.slot / this.#rules.slotsPerEpoch);
    const begun = epoch > parent.epoch ? beginEpoch(this.#rules, parent, epoch, header.slot) : parent;
    let state: ModelState = { ...begun, key, slot: header.slot, epoch };
    for (const op of ops) state = apply(state, op);
    const parentCount = this.#countOfParent(parent, header);
    if (parentCount !== null) state = { ...state, counts: new Map(state.counts).set(parent.key, parentCount) };
    state = countVotes(state, votes);
    return { ...state, electorate: succeed(state, header, ops) };
  }

  /** A block's hash is known to its child: from then on votes for it can be counted. */
  #countOfParent(parent: ModelState, header: BlockHeader): Count | null {
    const below = this.#parents.get(parent.key);
    this.#parents.set(byteKey(header.hash), parent);
    if (below === undefined || parent.slot <= parent.finalSlot) return null;
    const none = { voters: new Set<number>(), linkers: new Set<number>(), isJustified: false };
    return { ...none, slot: parent.slot, judge: below.electorate, parentKey: below.key, parentSlot: below.slot };
  }
  readonly #parents = new Map<string, ModelState>();
}

function newBond(index: number, weight: bigint, fromEra: number): Bond {
  const flags = { missed: 0, isExcluded: false, isLeaving: false, isSlashed: false };
  return { index, weight, fromEra, untilEra: NEVER, ...flags };
}

function makeElectorate(
  bonds: readonly Bond[],
  era: number,
  epoch: number,
  majorityFloor: boolean,
  secondary: Electorate['secondary'],
): Electorate {
  const inSets = bonds.filter((bond) => isIn(bond, era) || isIn(bond, Math.max(0, era - 1)));
  const members: Member[] = inSets.map((bond) => ({
    publicKey: keyAt(bond.index),
    weight: bond.weight,
    seat: bond.index,
    inCurrent: isIn(bond, era),
    inPrevious: isIn(bond, Math.max(0, era - 1)),
    excluded: bond.isExcluded,
  }));
  members.sort((a, b) => (a.weight !== b.weight ? Number(b.weight - a.weight) : a.seat - b.seat));
  return { epoch, era, members, majorityFloor, secondary, handOver: false, deposed: null };
}

function beginEpoch(rules: ModelRules, parent: ModelState, epoch: number, slot: number): ModelState {
  const inSets = (bond: Bond): boolean => isIn(bond, parent.era) || isIn(bond, Math.max(0, parent.era - 1));
  let bonds = parent.bonds.map((bond) =>
    inSets(bond) ? { ...bond, missed: parent.present.has(bond.index) ? 0 : bond.missed + 1 } : bond,
  );
  let { era, eraFirstSlot } = parent;
  let { majorityFloor } = parent.electorate;
  if (parent.finalSlot >= eraFirstSlot && parent.finalSlot > 0) {
    era += 1;
    eraFirstSlot = slot;
    bonds = changeSet(rules, bonds, era);
    const stillExcluded = bonds.some((bond) => bond.isExcluded && (isIn(bond, era) || isIn(bond, era - 1)));
    if (!stillExcluded) majorityFloor = false;
  }
  const withoutFinality = epoch - Math.floor(parent.finalSlot / rules.slotsPerEpoch);
  const slow = withoutFinality > rules.staleSlow ? exclude(bonds, era, rules.staleSlow, 2n) : null;
  if (slow !== null) {
    bonds = slow;
    majorityFloor = true;
  } else if (rules.staleVerySlow > 0 && withoutFinality > rules.staleVerySlow) {
    const verySlow = exclude(bonds, era, rules.staleVerySlow, NO_SHARE);
    if (verySlow !== null) {
      bonds = verySlow;
      majorityFloor = false;
    }
  }
  const electorate = makeElectorate(bonds, era, epoch, majorityFloor, parent.electorate.secondary);
  return { ...parent, epoch, era, eraFirstSlot, bonds, present: new Set(), electorate };
}

const NO_SHARE = 1n << 62n;

/** Excludes who missed too much, if the rest hold more than 1/`share` of both sets; null when there is nobody new or the rest is too small. */
function exclude(bonds: readonly Bond[], era: number, missed: number, share: bigint): Bond[] | null {
  const eras = [era, Math.max(0, era - 1)];
  const isMember = (bond: Bond): boolean => eras.some((each) => isIn(bond, each));
  const out = bonds.map((bond) => (isMember(bond) && bond.missed >= missed ? { ...bond, isExcluded: true } : bond));
  if (!out.some((bond, i) => bond.isExcluded && !bonds[i]!.isExcluded)) return null;
  const isEnough = eras.every((each) => {
    const all = out.filter((bond) => isIn(bond, each));
    return sum(all.filter((bond) => !bond.isExcluded)) * share > sum(all);
  });
  return isEnough ? out : null;
}

/** Era `era` begins: who enters the set after it and who leaves, an eighth each at most, one at least. */
function changeSet(rules: ModelRules, bonds: readonly Bond[], era: number): Bond[] {
  const set = bonds.filter((bond) => isIn(bond, era));
  const share = sum(set) / 8n;
  const leaving = set.filter(
    (bond) =>
      bond.untilEra === NEVER &&
      (bond.isSlashed || bond.isLeaving || bond.isExcluded || bond.missed >= rules.staleFast),
  );
  leaving.sort((a, b) => Number(b.isSlashed) - Number(a.isSlashed));
  const out = firstOf(leaving, share).slice(0, set.length - 1);
  const entering = firstOf(
    bonds.filter((bond) => bond.fromEra === NEVER),
    share,
  );
  return bonds.map((bond) => {
    if (out.includes(bond)) return { ...bond, untilEra: era + 1 };
    if (entering.includes(bond)) return { ...bond, fromEra: era + 1 };
    const isBack = bond.untilEra <= era - 1 && !bond.isSlashed && !bond.isLeaving && bond.missed === 0;
    return isBack ? { ...newBond(bond.index, bond.weight, NEVER) } : bond;
  });
}

function firstOf(bonds: readonly Bond[], share: bigint): Bond[] {
  const found: Bond[] = [];
  for (const bond of bonds) if (found.length === 0 || sum([...found, bond]) <= share) found.push(bond);
  return found;
}

function apply(state: ModelState, op: ChainOp): ModelState {
  const change = (index: number, to: Partial<Bond>): ModelState => ({
    ...state,
    bonds: state.bonds.map((bond) => (bond.index === index ? { ...bond, ...to } : bond)),
  });
  switch (op.kind) {
    case 'bond':
      if (state.bonds.some(({ index }) => index === op.index)) return state;
      return { ...state, bonds: [...state.bonds, newBond(op.index, op.weight, NEVER)] };
    case 'unbond':
      return change(op.index, { isLeaving: true });
    case 'slash': {
      const doubleDealers = op.isDouble ? new Set([...state.doubleDealers, op.index]) : state.doubleDealers;
      return { ...change(op.index, { isSlashed: true }), doubleDealers };
    }
    case 'secondary':
      return { ...state, electorate: { ...state.electorate, secondary: keyAt(op.index) } };
    case 'handOver':
      return state;
  }
}

/** What a block says about the lead after it. */
function succeed(state: ModelState, { leader }: BlockHeader, ops: readonly ChainOp[]): Electorate {
  const handOver = ops.some(({ kind }) => kind === 'handOver');
  const deposed = state.doubleDealers.has(numberOf(leader)) ? leader : null;
  return { ...state.electorate, handOver, deposed };
}

function countVotes(state: ModelState, votes: readonly Vote[]): ModelState {
  const counts = new Map(state.counts);
  const present = new Set(state.present);
  let { finalKey, finalSlot } = state;
  for (const vote of votes) {
    const key = byteKey(vote.targetHash);
    const source = byteKey(vote.sourceHash);
    const count = counts.get(key);
    const voter = numberOf(vote.voter);
    if (count === undefined || !count.judge.members.some(({ seat }) => seat === voter)) continue;
    if (state.slot - count.slot <= LATE_SLOTS_MAX) present.add(voter);
    const isKnown = source === finalKey || counts.get(source)?.isJustified === true;
    if (count.slot <= finalSlot || !(isKnown || vote.sourceSlot < finalSlot)) continue;
    const isLink = source === count.parentKey && count.parentSlot + 1 === count.slot;
    const voters = new Set([...count.voters, voter]);
    const linkers = isLink ? new Set([...count.linkers, voter]) : count.linkers;
    counts.set(key, { ...count, voters, linkers, isJustified: isQuorumFor(count.judge, voters) });
    if (!isQuorumFor(count.judge, linkers) || count.parentSlot <= finalSlot) continue;
    if (counts.get(count.parentKey)?.isJustified !== true) continue;
    finalKey = count.parentKey;
    finalSlot = count.parentSlot;
  }
  for (const [key, { slot }] of counts) if (slot <= finalSlot && slot < state.slot - LATE_SLOTS_MAX) counts.delete(key);
  return { ...state, counts, present, finalKey, finalSlot };
}
