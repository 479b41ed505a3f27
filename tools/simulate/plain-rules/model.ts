/**
 * What a chain says about its validators, once more, from the text of docs/protocol.md and with none of the ledger's code: for oracles. Plain and slow; a
 * state is never changed, so that branches can share what lies below them.
 *
 * Where the ledger keeps bit sets and epochs of change, here are names and counts: two ways to the same rules, which must never differ.
 */
import type { BlockHeader, Vote } from '../../../src/codec/index.ts';

export interface PlainRules {
  readonly slotsPerEpoch: number;
  readonly staleEpochsFast: number;
  readonly staleEpochsSlow: number;
  /** 0: never. */
  readonly staleEpochsVerySlow: number;
  readonly voteLateSlotsMax: number;
  readonly unbondingEpochs: number;
}

export interface PlainBond {
  /** The key, as `byteKey` names it. */
  readonly name: string;
  /** Decides between equals: the address, as `byteKey` names it. */
  readonly order: string;
  readonly weight: bigint;
  readonly units: bigint;
  readonly askedSlot: number;
  /** null: waits. */
  readonly fromEra: number | null;
  /** null: open. */
  readonly untilEra: number | null;
  /** Epoch in which it had left both sets. */
  readonly leftEpoch: number | null;
  readonly isLeaving: boolean;
  readonly isSlashed: boolean;
  /** Full epochs missed in a row. */
  readonly missed: number;
  readonly isExcluded: boolean;
}

export interface PlainMember {
  readonly name: string;
  readonly weight: bigint;
  readonly inCurrent: boolean;
  readonly inPrevious: boolean;
  readonly excluded: boolean;
}

/** Who judges, from one epoch's change to the next: members by rank. */
export interface PlainJudge {
  readonly epoch: number;
  readonly era: number;
  readonly members: readonly PlainMember[];
  readonly majorityFloor: boolean;
}

/** A block of the chain, and what the votes in later blocks say of it. */
export interface PlainCount {
  readonly header: BlockHeader;
  readonly judge: PlainJudge;
  readonly voters: ReadonlySet<string>;
  /** Those of them whose source is the block of the slot before. */
  readonly linkers: ReadonlySet<string>;
  /** Votes whose source is not justified yet, by its slot. */
  readonly waiting: ReadonlyMap<number, ReadonlySet<string>>;
  readonly isJustified: boolean;
}

export interface PlainNomination {
  readonly name: string;
  readonly deadlineSlot: number;
  readonly approvals: ReadonlySet<string>;
}

/** What stands in the state after a block. */
export interface PlainState {
  readonly header: BlockHeader;
  /** Who judges this block, and who judges its children. */
  readonly judgedBy: PlainJudge;
  readonly judge: PlainJudge;
  readonly eraFirstSlot: number;
  /** Shown final, now and when the epoch began. */
  readonly final: BlockHeader;
  readonly finalSlotBefore: number;
  readonly stalledEpochs: number;
  /** Blocks of this epoch so far, and who has voted in time in it. */
  readonly blocks: number;
  readonly present: ReadonlySet<string>;
  readonly bonds: readonly PlainBond[];
  /** By slot, ascending. */
  readonly counts: ReadonlyMap<number, PlainCount>;
  readonly secondary: string | null;
  readonly nomination: PlainNomination | null;
  readonly handOver: boolean;
}

/** What a block's transactions do to bonds and to the lead. */
export type PlainOp =
  | { readonly kind: 'bond'; readonly name: string; readonly order: string; readonly weight: bigint }
  | { readonly kind: 'return' | 'unbond' | 'withdraw' | 'slash'; readonly name: string }
  | { readonly kind: 'nominate'; readonly by: string; readonly name: string; readonly deadlineSlot: number }
  | { readonly kind: 'approve'; readonly by: string }
  /** Settled without asking anybody: for models of chains without approvals. */
  | { readonly kind: 'secondary'; readonly name: string }
  | { readonly kind: 'handOver' };

export interface PlainBlock {
  readonly header: BlockHeader;
  readonly votes: readonly Vote[];
  readonly ops: readonly PlainOp[];
}

/** A block that the chain holds does what the rules forbid. */
export class PlainRuleBroken extends Error {
  override readonly name = 'PlainRuleBroken';
}

export function isIn({ fromEra, untilEra }: PlainBond, era: number): boolean {
  return fromEra !== null && fromEra <= era && (untilEra === null || era < untilEra);
}

/** In the current set or in the one before; set(-1) is set(0). */
export function isMember(bond: PlainBond, era: number): boolean {
  return isIn(bond, era) || isIn(bond, Math.max(0, era - 1));
}

export function sumOf(list: readonly { readonly weight: bigint }[]): bigint {
  return list.reduce((sum, { weight }) => sum + weight, 0n);
}

export function epochOfSlot({ slotsPerEpoch }: PlainRules, slot: number): number {
  return Math.floor(slot / slotsPerEpoch);
}

/** Strictly more than 2/3 of the active weight of both sets; under the floor also more than half of both full sets. */
export function isPlainQuorum(
  {
    members,
    majorityFloor,
  }: Pick<PlainJudge, 'majorityFloor'> & {
    readonly members: readonly Omit<PlainMember, 'name'>[];
  },
  hasVoted: (member: never) => boolean,
): boolean {
  return (['inCurrent', 'inPrevious'] as const).every((side) => {
    const all = members.filter((member) => member[side]);
    const active = all.filter(({ excluded }) => !excluded);
    const voted = sumOf(active.filter((member) => hasVoted(member as never)));
    return voted * 3n > sumOf(active) * 2n && (!majorityFloor || voted * 2n > sumOf(all));
  });
}

/** The same for names. */
export function areQuorum(judge: PlainJudge, names: ReadonlySet<string>): boolean {
  return isPlainQuorum(judge, ({ name }: PlainMember) => names.has(name));
}

/** Members of both sets by rank: weight, then key, both descending. */
export function judgeFrom(bonds: readonly PlainBond[], epoch: number, era: number, majorityFloor: boolean): PlainJudge {
  const members = bonds
    .filter((bond) => isMember(bond, era))
    .sort((a, b) => (a.weight === b.weight ? (a.name > b.name ? -1 : 1) : a.weight > b.weight ? -1 : 1))
    .map((bond) => ({
      name: bond.name,
      weight: bond.weight,
      inCurrent: isIn(bond, era),
      inPrevious: isIn(bond, Math.max(0, era - 1)),
      excluded: bond.isExcluded,
    }));
  return { epoch, era, members, majorityFloor };
}

/** The state at genesis: everybody is in set(0). */
export function plainGenesis(
  header: BlockHeader,
  validators: readonly { readonly name: string; readonly order: string; readonly weight: bigint }[],
): PlainState {
  const bonds = validators.map(({ name, order, weight }) => ({ ...newPlainBond(name, order, weight, 0), fromEra: 0 }));
  const judge = judgeFrom(bonds, 0, 0, false);
  return {
    ...{ header, bonds, judge, judgedBy: judge, final: header },
    ...{ eraFirstSlot: 0, finalSlotBefore: 0, stalledEpochs: 0, blocks: 0 },
    ...{ present: new Set(), counts: new Map(), secondary: null, nomination: null, handOver: false },
  };
}

export function newPlainBond(name: string, order: string, weight: bigint, askedSlot: number): PlainBond {
  return {
    ...{ name, order, weight, units: weight, askedSlot, missed: 0 },
    ...{ fromEra: null, untilEra: null, leftEpoch: null },
    ...{ isLeaving: false, isSlashed: false, isExcluded: false },
  };
}
