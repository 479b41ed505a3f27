/**
 * One machine under test: feeds events at a local time the test sets, verifies blocks at once unless told otherwise, and
 * keeps the effects of the last event and of the whole run.
 */

import type { Hash, Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import type {
  ConsensusEffect,
  ConsensusEvent,
  ConsensusStart,
  ConsensusState,
  DecoyReveal,
  Electorate,
} from '../../src/consensus/index.ts';
import { createConsensus, step } from '../../src/consensus/index.ts';
import type { Voter } from '../../src/consensus/state.ts';
import type { ConfigOptions } from './fixture.ts';
import { configOf, electorateOf, GENESIS, keyAt, membersOf, signed, voteFor } from './fixture.ts';

type EffectOf<K extends ConsensusEffect['kind']> = Extract<ConsensusEffect, { kind: K }>;

export class Machine {
  readonly state: ConsensusState;
  nowMs = 1000;
  verifiesAtOnce = true;
  /** Effects since the last `take`. */
  effects: ConsensusEffect[] = [];
  /** The electorates after blocks, where they are not that of the start; and what blocks reveal. */
  readonly electorates: Map<string, Electorate> = new Map();
  readonly reveals: Map<string, readonly DecoyReveal[]> = new Map();
  readonly #electorate: Electorate;

  constructor(options: ConfigOptions = {}, start: Partial<ConsensusStart> = {}) {
    this.#electorate = start.electorate ?? electorateOf(membersOf(options.bonds ?? [1n, 1n, 1n, 1n]));
    const none = { root: GENESIS, ownVotes: [], highestProducedSlot: null as Slot | null, votesLost: false };
    this.state = createConsensus(configOf(options), { ...none, ...start, electorate: this.#electorate }, this.nowMs);
  }

  feed(event: ConsensusEvent): void {
    const effects = step(this.state, event, this.nowMs);
    this.effects.push(...effects);
    if (!this.verifiesAtOnce) return;
    for (const effect of effects) if (effect.kind === 'verifyBlock') this.verify(effect.hash);
  }

  /** Answers that this block is right. */
  verify(hash: Hash): void {
    this.feed({ kind: 'verified', hash, valid: true, ...this.#executed(hash) });
  }
  /** Answers that it is not. */
  reject(hash: Hash, decoyLike = false): void {
    this.feed({ kind: 'verified', hash, valid: false, reason: 'state root differs', decoyLike });
  }
  /** This node has finished a block. */
  produce(header: BlockHeader): void {
    this.feed({ kind: 'produced', header, ...this.#executed(header.hash) });
  }

  #executed(hash: Hash): { electorate: Electorate; reveals: readonly DecoyReveal[] } {
    const key = byteKey(hash);
    return { electorate: this.electorates.get(key) ?? this.#electorate, reveals: this.reveals.get(key) ?? [] };
  }

  /** Sets the electorate after each of these blocks. */
  under(electorate: Electorate, ...headers: readonly BlockHeader[]): void {
    for (const { hash } of headers) this.electorates.set(byteKey(hash), electorate);
  }

  /** Lets time pass, waking the machine whenever it asked for it. */
  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    for (let ms = this.#wakeMs(); ms <= untilMs; ms = this.#wakeMs()) {
      this.nowMs = Math.max(ms, this.nowMs + 1);
      this.feed({ kind: 'wake' });
    }
    this.nowMs = untilMs;
    this.feed({ kind: 'wake' });
  }

  #wakeMs(): number {
    for (let i = this.effects.length - 1; i >= 0; i--) {
      const effect = this.effects[i]!;
      if (effect.kind === 'wakeAt') return effect.ms > this.nowMs ? effect.ms : Number.POSITIVE_INFINITY;
    }
    return Number.POSITIVE_INFINITY;
  }

  blocks(headers: readonly BlockHeader[], from: string | null = 'peer'): void {
    for (const header of headers) this.feed({ kind: 'block', header, from });
  }
  vote(vote: Vote, from: string | null = 'peer'): void {
    this.feed({ kind: 'vote', vote, from });
  }
  votes(voters: readonly number[], source: BlockHeader, target: BlockHeader): void {
    for (const voter of voters) this.vote(voteFor(voter, source, target));
  }
  /** Signs and persists the vote asked for last. */
  persist(): Vote {
    const vote = signed(this.all('castVote').at(-1)!.vote);
    this.feed({ kind: 'ownVotePersisted', vote });
    return vote;
  }

  /** What the machine keeps of validator `index`. */
  voter(index: number): Voter {
    return this.state.voters.get(byteKey(keyAt(index)))!;
  }
  all<K extends ConsensusEffect['kind']>(kind: K): EffectOf<K>[] {
    return this.effects.filter((effect): effect is EffectOf<K> => effect.kind === kind);
  }
  last<K extends ConsensusEffect['kind']>(kind: K): EffectOf<K> | undefined {
    return this.all(kind).at(-1);
  }
  /** Forgets the effects so far. */
  clear(): void {
    const wake = this.last('wakeAt');
    this.effects = wake === undefined ? [] : [wake];
  }
  finalizedSlots(headers: readonly BlockHeader[]): number[] {
    const slots = new Map(headers.map((header) => [byteKey(header.hash), header.slot]));
    return this.all('finalize').flatMap(({ hashes }) => hashes.map((hash) => slots.get(byteKey(hash)) ?? -1));
  }
}
