/** The votes of a block, counted as the chain shows them: what is justified, what is final, who is present. By "What the chain shows" in docs/protocol.md. */
import { byteKey } from '../../../native/index.ts';
import type { Vote } from '../../../src/codec/index.ts';
import { promptSlots } from './epoch.ts';
import { areQuorum, type PlainCount, type PlainRules, type PlainState } from './model.ts';

/** Sources that the votes for one block wait for, at most. */
const WAITING_SOURCES_MAX = 8;

/** Counts a block's votes, after its transactions: by target upwards. */
export function countPlainVotes(
  rules: PlainRules,
  state: PlainState,
  parentSlot: number,
  votes: readonly Vote[],
): PlainState {
  if (votes.length === 0) return state;
  const count = new Counting(state);
  const slots = [...new Set(votes.map(({ targetSlot }) => targetSlot))].sort((a, b) => a - b);
  const present = new Set(state.present);
  const members = new Set(state.judge.members.map(({ name }) => name));
  for (const slot of slots) {
    const target = count.counts.get(slot);
    const fitting = votes.filter((vote) => vote.targetSlot === slot && target !== undefined && fits(target, vote));
    const isPrompt = slot === parentSlot || state.header.slot - slot <= promptSlots(rules, state);
    if (isPrompt) for (const { voter } of fitting) if (members.has(byteKey(voter))) present.add(byteKey(voter));
    if (target !== undefined && slot > count.finalSlot) count.take(target, fitting);
  }
  const final = count.finalSlot > state.final.slot ? count.counts.get(count.finalSlot)!.header : state.final;
  return { ...state, counts: count.counts, present, final };
}

function fits({ header }: PlainCount, vote: Vote): boolean {
  return (
    byteKey(vote.targetHash) === byteKey(header.hash) &&
    byteKey(vote.stateRoot) === byteKey(header.stateRoot) &&
    vote.pohCount === header.pohCount
  );
}

class Counting {
  readonly counts: Map<number, PlainCount>;
  finalSlot: number;
  readonly #finalHash: string;

  constructor({ counts, final }: PlainState) {
    this.counts = new Map(counts);
    this.finalSlot = final.slot;
    this.#finalHash = byteKey(final.hash);
  }

  take(target: PlainCount, votes: readonly Vote[]): void {
    const { slot } = target.header;
    const judges = new Set(target.judge.members.map(({ name }) => name));
    const voters = new Set(target.voters);
    const linkers = new Set(target.linkers);
    const waiting = new Map(target.waiting);
    for (const { voter, sourceSlot, sourceHash } of votes) {
      const name = byteKey(voter);
      const known = this.#hashOf(sourceSlot);
      if (!judges.has(name) || sourceSlot >= slot || (known !== null && known !== byteKey(sourceHash))) continue;
      if (this.#isGood(sourceSlot)) {
        voters.add(name);
        if (sourceSlot === slot - 1) linkers.add(name);
      } else if (known !== null && (waiting.has(sourceSlot) || waiting.size < WAITING_SOURCES_MAX))
        waiting.set(sourceSlot, new Set([...(waiting.get(sourceSlot) ?? []), name]));
    }
    if (this.#settle({ ...target, voters, linkers, waiting })) this.#wake();
  }

  /** null where the chain has no block that it still looks at. */
  #hashOf(slot: number): string | null {
    if (slot === this.finalSlot) {
      const header = this.counts.get(slot)?.header;
      return header === undefined ? this.#finalHash : byteKey(header.hash);
    }
    const header = slot < this.finalSlot ? undefined : this.counts.get(slot)?.header;
    return header === undefined ? null : byteKey(header.hash);
  }

  /** Below the block shown final sources are not looked into. */
  #isGood(slot: number): boolean {
    return slot <= this.finalSlot || this.counts.get(slot)?.isJustified === true;
  }

  /** @returns whether more sources may be good now */
  #settle(count: PlainCount): boolean {
    const { slot } = count.header;
    const isJustified = count.isJustified || areQuorum(count.judge, count.voters);
    this.counts.set(slot, { ...count, isJustified });
    const isFinal = slot - 1 > this.finalSlot && areQuorum(count.judge, count.linkers);
    if (isFinal) this.finalSlot = slot - 1;
    return isFinal || isJustified !== count.isJustified;
  }

  /** Upwards: votes whose source has become good count now. */
  #wake(): void {
    for (const slot of [...this.counts.keys()]) {
      const count = this.counts.get(slot)!;
      const woken = slot <= this.finalSlot ? [] : [...count.waiting].filter(([source]) => this.#isGood(source));
      if (woken.length === 0) continue;
      const voters = new Set(count.voters);
      const linkers = new Set(count.linkers);
      const waiting = new Map(count.waiting);
      for (const [source, names] of woken) {
        waiting.delete(source);
        for (const name of names) {
          voters.add(name);
          if (source === slot - 1) linkers.add(name);
        }
      }
      this.#settle({ ...count, voters, linkers, waiting });
    }
  }
}
