/**
 * One machine under test: feeds events at a local time the test sets, verifies blocks at once unless told otherwise, and
 * keeps the effects of the last event and of the whole run.
 */

import type { Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import type { ConsensusEffect, ConsensusEvent, ConsensusStart, ConsensusState } from '../../src/consensus/index.ts';
import { createConsensus, step } from '../../src/consensus/index.ts';
import type { ConfigOptions } from './fixture.ts';
import { configOf, GENESIS, signed, voteFor } from './fixture.ts';

type EffectOf<K extends ConsensusEffect['kind']> = Extract<ConsensusEffect, { kind: K }>;

export class Machine {
  readonly state: ConsensusState;
  nowMs = 1000;
  verifiesAtOnce = true;
  /** Effects since the last `take`. */
  effects: ConsensusEffect[] = [];

  constructor(options: ConfigOptions = {}, start: Partial<ConsensusStart> = {}) {
    const whole = { root: GENESIS, ownVotes: [], highestProducedSlot: null as Slot | null, ...start };
    this.state = createConsensus(configOf(options), whole, this.nowMs);
  }

  feed(event: ConsensusEvent): void {
    const effects = step(this.state, event, this.nowMs);
    this.effects.push(...effects);
    if (!this.verifiesAtOnce) return;
    for (const effect of effects)
      if (effect.kind === 'verifyBlock') this.feed({ kind: 'verified', hash: effect.hash, valid: true });
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
