/**
 * Runs the pure consensus machine: feeds it events one at a time and carries out its effects in order.
 *
 * Invariants (what the machine is owed, src/consensus/model.ts)
 * - An effect starts only when everything before it is done; what must be durable before a vote is signed therefore is.
 * - A vote is signed only from `castVote`, written to the vote file and synced, and only then fed back and sent.
 * - Verification runs beside the queue; a block is durable before `verified {valid: true}` is fed.
 * - A failed write or sync stops the node (`onFatal`), and nothing is acknowledged after it.
 */
import type { Hash, Slot } from '../../../native/index.ts';
import type { Certificate } from '../../codec/index.ts';
import { type SigningKey, signVote, type Vote } from '../../codec/index.ts';
import {
  type ConsensusEffect,
  type ConsensusEvent,
  type ConsensusState,
  type Evidence,
  step,
} from '../../consensus/index.ts';
import type { Clock } from '../clock.ts';

/** What the node does for the machine. Methods that return a promise are awaited before the next effect. */
export interface ConsensusActions {
  verifyBlock(hash: Hash): void;
  requestBlock(hash: Hash, from: string | null): void;
  requestRange(fromHeight: number, toHeight: number, from: string | null): void;
  persistVote(vote: Vote): Promise<void>;
  /** @param again peers may have had it */
  sendVote(vote: Vote, again: boolean): void;
  includeVote(vote: Vote): void;
  lead(parentHash: Hash, slot: Slot, votes: readonly Vote[]): void;
  stopLeading(): void;
  bestChanged(hash: Hash): void;
  justified(hash: Hash, votes: readonly Vote[]): Promise<void>;
  finalize(hashes: readonly Hash[], certificate: Certificate): Promise<void>;
  prune(hashes: readonly Hash[]): Promise<void>;
  evidence(evidence: Evidence): void;
  /** Finality has split: these votes make another block of this slot final. */
  conflict(slot: Slot, hash: Hash, votes: readonly Vote[]): void;
  peerFault(peer: string, code: string): void;
}

export class ConsensusDriver {
  readonly #state: ConsensusState;
  readonly #actions: ConsensusActions;
  readonly #clock: Clock;
  readonly #chainId: Hash;
  readonly #key: SigningKey | null;
  readonly #onFatal: (error: Error) => void;
  readonly #effects: ConsensusEffect[] = [];
  #draining: Promise<void> | null = null;
  #stopped = false;
  #cancelWake: (() => void) | undefined;

  constructor(
    state: ConsensusState,
    actions: ConsensusActions,
    options: {
      readonly clock: Clock;
      readonly chainId: Hash;
      readonly key: SigningKey | null;
      readonly onFatal: (error: Error) => void;
    },
  ) {
    this.#state = state;
    this.#actions = actions;
    this.#clock = options.clock;
    this.#chainId = options.chainId;
    this.#key = options.key;
    this.#onFatal = options.onFatal;
  }

  /** Feeds one event; its effects are carried out in order, after those still under way. */
  feed(event: ConsensusEvent): void {
    if (this.#stopped) return;
    try {
      this.#effects.push(...step(this.#state, event, this.#clock.nowMs()));
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#draining ??= this.#drain();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelWake?.();
  }

  /** Resolves when no effect is under way: after `stop`, when the last one has ended. */
  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    // Never inside the call that feeds: actions may feed in their turn.
    await null;
    try {
      for (let effect = this.#effects.shift(); effect !== undefined && !this.#stopped; effect = this.#effects.shift())
        await this.#perform(effect);
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#draining = null;
    }
  }

  /** Carries out one effect; only those that must be durable before the next one return a promise. */
  #perform(effect: ConsensusEffect): Promise<void> | undefined {
    const actions = this.#actions;
    switch (effect.kind) {
      case 'verifyBlock':
        actions.verifyBlock(effect.hash);
        return;
      case 'requestBlock':
        actions.requestBlock(effect.hash, effect.from);
        return;
      case 'requestRange':
        actions.requestRange(effect.fromHeight, effect.toHeight, effect.from);
        return;
      case 'castVote':
        return this.#castVote(effect);
      case 'sendVote':
        actions.sendVote(effect.vote, effect.again);
        return;
      case 'includeVote':
        actions.includeVote(effect.vote);
        return;
      case 'lead':
        actions.lead(effect.parentHash, effect.slot, effect.votes);
        return;
      case 'stopLeading':
        actions.stopLeading();
        return;
      case 'bestChanged':
        actions.bestChanged(effect.hash);
        return;
      case 'justified':
        return actions.justified(effect.hash, effect.votes);
      case 'finalize':
        return actions.finalize(effect.hashes, effect.certificate);
      case 'prune':
        return actions.prune(effect.hashes);
      case 'evidence':
        actions.evidence(effect.evidence);
        return;
      case 'conflict':
        actions.conflict(effect.slot, effect.hash, effect.votes);
        return;
      case 'wakeAt':
        this.#wakeAt(effect.ms);
        return;
      case 'peerFault':
        actions.peerFault(effect.peer, effect.code);
        return;
    }
  }

  async #castVote(effect: Extract<ConsensusEffect, { kind: 'castVote' }>): Promise<void> {
    if (this.#key === null) throw new RangeError('an observer was asked to vote');
    const vote = signVote(this.#chainId, effect.vote, this.#key);
    await this.#actions.persistVote(vote);
    this.feed({ kind: 'ownVotePersisted', vote });
  }

  #wakeAt(ms: number): void {
    this.#cancelWake?.();
    this.#cancelWake = this.#clock.at(ms, () => this.feed({ kind: 'wake' }));
  }

  #fail(error: Error): void {
    this.stop();
    this.#onFatal(error);
  }
}
