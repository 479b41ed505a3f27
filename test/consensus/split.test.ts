/**
 * The theorem of docs/protocol.md, "Safety", tried out: two branches grow side by side, each with its own bonds entering and leaving, each voted for by whoever is assigned to it, cheats to
 * both. Whenever both finalize beyond the fork, more than 1/3 of a set that both are judged by must have been exposed.
 */
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import { finalizedHeader, justifiedHeader, leaderOf } from '../../src/consensus/index.ts';
import type { ChainOp, ModelRules } from './chain-model.ts';
import { ChainModel } from './chain-model.ts';
import { blockOn, GENESIS, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';
import { Oracles } from './oracles.ts';
import { Chance } from './virtual-time.ts';

const EPOCHS: ModelRules = { slotsPerEpoch: 8, staleFast: 1000, staleSlow: 1001, staleVerySlow: 0 };
const TURNS = { timeoutSlots: 4, termSlots: 0 };
const nameOf = ({ hash }: BlockHeader): string => byteKey(hash);
const numberOf = (key: Uint8Array): number => 255 - key[0]!;

/** One branch, and the observer that follows it. */
class Side {
  readonly machine: Machine;
  tip: BlockHeader = GENESIS;
  #votes: Vote[] = [];
  readonly #model: ChainModel;
  readonly #oracles: Oracles;
  readonly #chance: Chance;
  readonly #name: string;
  readonly #headers: Map<string, BlockHeader> = new Map();

  constructor(name: string, model: ChainModel, oracles: Oracles, chance: Chance, weights: readonly bigint[]) {
    this.machine = new Machine({ own: null, slotsPerEpoch: 8, bonds: weights });
    this.#name = name;
    this.#model = model;
    this.#oracles = oracles;
    this.#chance = chance;
  }

  /** One more block, and the votes of `voters` for it. */
  grow(voters: readonly number[], ops: readonly ChainOp[]): void {
    this.#take(this.#make(this.#name, ops), voters);
  }

  /** One more block of the common part, which `other` takes too. */
  growWith(other: Side, voters: readonly number[], ops: readonly ChainOp[]): void {
    const header = this.#make('common', ops);
    for (const side of [this, other]) side.#take(header, voters);
  }

  #make(salt: string, ops: readonly ChainOp[]): BlockHeader {
    const { electorate } = this.#model.stateOf(nameOf(this.tip));
    const slot = this.tip.slot + (this.#chance.hits(0.15) ? 1 + this.#chance.below(6) : 1);
    const leader = numberOf(leaderOf(electorate, this.tip, slot, TURNS)!);
    const header = blockOn(this.tip, slot, leader, salt);
    this.#model.execute({ header, votes: this.#votes, ops });
    this.#oracles.headerMade(header, leader, false);
    return header;
  }

  #take(header: BlockHeader, voters: readonly number[]): void {
    this.#headers.set(nameOf(header), header);
    this.machine.under(this.#model.stateOf(nameOf(header)).electorate, header);
    this.machine.pass((header.slot - this.tip.slot) * 500);
    this.machine.blocks([header]);
    this.#votes = voters.map((voter) => voteFor(voter, justifiedHeader(this.machine.state), header));
    for (const vote of this.#votes) this.#oracles.voteSigned(vote, false);
    for (const vote of this.#votes) this.machine.vote(vote);
    this.tip = header;
    for (const { hashes, certificate } of this.machine.all('finalize'))
      this.#oracles.finalized(
        hashes.map((hash) => this.#headers.get(byteKey(hash))!),
        certificate,
      );
    this.machine.clear();
  }
}

/** Grows a common chain and then two branches; returns how many blocks split, and the eras at the two ends. */
function tryToSplit(seed: number): { splits: number; eras: number[] } {
  const chance = new Chance(seed * 2654435761);
  const weights = Array.from({ length: 3 + chance.below(4) }, () => BigInt(1 + chance.below(4)));
  weights.sort((a, b) => Number(b - a));
  const model = new ChainModel(weights, EPOCHS);
  const everybody = weights.length + 6;
  const oracles = new Oracles(model, everybody, 'exposed');
  const sides = ['left', 'right'].map((name) => new Side(name, model, oracles, chance, weights));
  const all = Array.from({ length: everybody }, (_, i) => i);
  const ops = (): ChainOp[] => {
    if (!chance.hits(0.2)) return [];
    const index = chance.below(everybody);
    return [
      chance.hits(0.6) ? { kind: 'bond', index, weight: BigInt(1 + chance.below(4)) } : { kind: 'unbond', index },
    ];
  };
  const [left, right] = sides;
  for (let i = chance.below(40); i > 0; i--) left!.growWith(right!, all, ops());
  const homes = all.map(() => chance.next());
  const cheats = chance.between(0.1, 0.7);
  for (let i = 0; i < 60; i++)
    for (const [at, side] of sides.entries())
      side.grow(
        all.filter((voter) => homes[voter]! < cheats || homes[voter]! < (1 + cheats) / 2 === (at === 0)),
        ops(),
      );
  const eras = sides.map(({ tip }) => model.stateOf(nameOf(tip)).era);
  for (const side of sides) expect(finalizedHeader(side.machine.state).height).toBeLessThanOrEqual(side.tip.height);
  return { splits: oracles.splits.length, eras };
}

describe('split finality', () => {
  it('always exposes more than 1/3 of a set that both sides are judged by', { timeout: 120_000 }, () => {
    const runs = Array.from({ length: 60 }, (_, seed) => tryToSplit(seed + 1));
    const split = runs.filter(({ splits }) => splits > 0);
    expect(split.length).toBeGreaterThan(8);
    expect(runs.length - split.length).toBeGreaterThan(8);
    expect(split.some(({ eras }) => eras[0] !== eras[1] && Math.max(...eras) > 2)).toBe(true);
  });
});
