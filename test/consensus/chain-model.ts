/**
 * What a chain says about its electorate, for simulated networks of headers: the plain rules of tools/simulate/plain-rules, none of the ledger's code, with validators by number.
 * Each block's result is worked out once and kept under its key.
 */
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import type { Electorate, Member } from '../../src/consensus/index.ts';
import { executePlain } from '../../tools/simulate/plain-rules/block.ts';
import { mayReturn } from '../../tools/simulate/plain-rules/epoch.ts';
import {
  isPlainQuorum,
  type PlainJudge,
  type PlainOp,
  type PlainRules,
  type PlainState,
  plainGenesis,
} from '../../tools/simulate/plain-rules/model.ts';
import { GENESIS, keyAt } from './fixture.ts';

/** What a block can do to the electorate, by validator number. */
export type ChainOp =
  | { readonly kind: 'bond'; readonly index: number; readonly weight: bigint }
  | { readonly kind: 'unbond' | 'return' | 'slash' | 'secondary'; readonly index: number }
  | { readonly kind: 'handOver' };

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

/** A bond by validator number. */
export interface ModelBond {
  readonly index: number;
  readonly isExcluded: boolean;
  readonly isLeaving: boolean;
  readonly isSlashed: boolean;
  /** It left for absence and may ask to enter again. */
  readonly mayReturn: boolean;
}

/** What stands in the state after a block. */
export interface ModelState {
  readonly key: string;
  readonly slot: number;
  readonly epoch: number;
  readonly era: number;
  readonly bonds: readonly ModelBond[];
  readonly electorate: Electorate;
}

interface Executed extends ModelState {
  readonly plain: PlainState;
}

const UNBONDING_EPOCHS = 4;
const nameOf = (index: number): string => byteKey(keyAt(index));
const numberOf = (name: string): number => 255 - name.charCodeAt(0);

/** The rule of a quorum once more, over validator numbers. */
export function isQuorumFor(electorate: Electorate, voters: ReadonlySet<number>): boolean {
  return isPlainQuorum(electorate, ({ seat }: Member) => voters.has(seat));
}

export class ChainModel {
  readonly #rules: PlainRules;
  readonly #states: Map<string, Executed> = new Map();
  /** One array of members for all blocks of an epoch of one chain. */
  readonly #members = new WeakMap<PlainJudge, readonly Member[]>();

  constructor(weights: readonly bigint[], rules: ModelRules) {
    const { slotsPerEpoch, staleFast, staleSlow, staleVerySlow } = rules;
    this.#rules = {
      ...{ slotsPerEpoch, staleEpochsFast: staleFast, staleEpochsSlow: staleSlow, staleEpochsVerySlow: staleVerySlow },
      ...{ voteLateSlotsMax: Math.min(16, slotsPerEpoch - 1), unbondingEpochs: UNBONDING_EPOCHS },
    };
    const validators = weights.map((weight, index) => ({ name: nameOf(index), order: nameOf(index), weight }));
    this.#note(plainGenesis(GENESIS, validators));
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
  execute({ header, votes, ops = [] }: SimBlock): ModelState {
    const known = this.#states.get(byteKey(header.hash));
    if (known !== undefined) return known;
    const { plain } = this.#states.get(byteKey(header.parentHash))!;
    const taken = ops.filter((op) => !isRefused(plain, op)).map(plainOp);
    return this.#note(executePlain(this.#rules, plain, { header, votes, ops: taken }));
  }

  #note(plain: PlainState): Executed {
    const { header, judge } = plain;
    const key = byteKey(header.hash);
    const bonds = plain.bonds.map((bond) => ({
      ...{ index: numberOf(bond.name), isExcluded: bond.isExcluded, isLeaving: bond.isLeaving },
      ...{ isSlashed: bond.isSlashed, mayReturn: mayReturn(bond, plain) },
    }));
    const electorate = this.#electorateOf(plain);
    const state = { key, slot: header.slot, epoch: judge.epoch, era: judge.era, bonds, electorate, plain };
    this.#states.set(key, state);
    return state;
  }

  #electorateOf({ judge, bonds, header, secondary, handOver }: PlainState): Electorate {
    const { epoch, era, majorityFloor } = judge;
    const counts = judge.members.some(({ name, excluded }) => name === secondary && !excluded);
    const isDeposed = bonds.some(({ name, isSlashed }) => isSlashed && name === byteKey(header.leader));
    return {
      ...{ epoch, era, majorityFloor, handOver, members: this.#membersOf(judge) },
      secondary: secondary !== null && counts ? keyAt(numberOf(secondary)) : null,
      deposed: isDeposed ? header.leader : null,
    };
  }

  #membersOf(judge: PlainJudge): readonly Member[] {
    const known = this.#members.get(judge);
    if (known !== undefined) return known;
    const members = judge.members.map(({ name, ...member }) => ({
      ...{ ...member, publicKey: keyAt(numberOf(name)), seat: numberOf(name) },
    }));
    this.#members.set(judge, members);
    return members;
  }
}

/** What no ledger would take. */
function isRefused({ bonds }: PlainState, op: ChainOp): boolean {
  if (op.kind !== 'bond' && op.kind !== 'unbond') return false;
  const bond = bonds.find(({ name }) => name === nameOf(op.index));
  return op.kind === 'bond' ? bond !== undefined : bond === undefined || bond.isLeaving || bond.isSlashed;
}

function plainOp(op: ChainOp): PlainOp {
  if (op.kind === 'handOver') return op;
  const name = nameOf(op.index);
  return op.kind === 'bond' ? { kind: 'bond', name, order: name, weight: op.weight } : { kind: op.kind, name };
}
