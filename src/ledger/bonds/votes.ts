/**
 * Executing the votes that stand in a block: what the chain itself shows about finality and presence. A lower bound of what nodes know, who hear votes earlier.
 *
 * A vote counts when its target is a block of this chain above the shown final one, with this state root and PoH count; its voter is a member of the electorate that judges
 * the target; its source is a block of this chain below the target: in a slot below the shown final block's, that block, or one shown justified. A vote whose source is not
 * justified yet waits for it in the target's tally. All else is passed over: never a refusal, never a write.
 *
 * A block is shown justified when the counted votes are a quorum of its judge. It is shown final when the chain's block of the next slot has a quorum of
 * votes whose source it is.
 *
 * Order: by target slot (stable), and what a target's votes come to is settled before the next target's: a source's votes come before those that name it, whatever
 * order a leader has put them in.
 */
import { type Hash, sameBytes, slot as toSlot } from '../../../native/index.ts';
import type { Vote } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import type { Overlay } from '../overlay.ts';
import { type ElectorateRules, electorateOfJudge, isQuorumOfSeats, memberOf } from './electorate-after.ts';
import { lateSlotsMax } from './epoch-opening.ts';
import { judgeNow, readEpoch } from './epoch-record.ts';
import { type BlockPoint, type ProgressRecord, putProgress, readProgress } from './progress-record.ts';
import { hasSeat, unionOf, withSeat } from './seat-set.ts';
import type { ConsensusFields } from './stake-rules.ts';
import { encodeTally, putTally, readTally, type TallyRecord, tallySlots, withWaiting } from './tally-record.ts';

/** What votes are judged by. */
export interface VoteRules extends ElectorateRules {
  readonly hashesPerSlot: number;
  readonly consensus: ConsensusFields;
}

/** Executes a block's votes on its overlay, after its transactions. */
export function executeVotes(
  rules: VoteRules,
  overlay: Overlay,
  place: { readonly slot: number; readonly parentSlot: number },
  votes: readonly Vote[],
): void {
  if (votes.length === 0) return;
  const count = new VoteCount(rules, overlay, place);
  const ordered = [...votes].sort((a, b) => a.targetSlot - b.targetSlot);
  for (let from = 0, to = 0; from < ordered.length; from = to) {
    const { targetSlot } = ordered[from]!;
    while (to < ordered.length && ordered[to]!.targetSlot === targetSlot) to++;
    count.take(targetSlot, ordered.slice(from, to));
  }
  count.end();
}

type OpenTally = { -readonly [K in keyof TallyRecord]: TallyRecord[K] };

/** The count of one block's votes. */
class VoteCount {
  readonly #rules: VoteRules;
  readonly #overlay: Overlay;
  readonly #slot: number;
  readonly #parentSlot: number;
  readonly #lateSlotsMax: number;
  readonly #progress: ProgressRecord;
  readonly #members: Electorate;
  /** Tallies looked at in this block, as they stand now. */
  readonly #tallies: Map<number, TallyRecord | undefined> = new Map();
  #present: Uint8Array;
  #justified: BlockPoint;
  #final: BlockPoint;

  constructor(
    rules: VoteRules,
    overlay: Overlay,
    { slot, parentSlot }: { readonly slot: number; readonly parentSlot: number },
  ) {
    this.#rules = rules;
    this.#overlay = overlay;
    this.#slot = slot;
    this.#parentSlot = parentSlot;
    this.#progress = readProgress(overlay);
    const epoch = readEpoch(overlay);
    this.#members = electorateOfJudge(rules, overlay, judgeNow(epoch));
    this.#lateSlotsMax = lateSlotsMax(rules.consensus, epoch);
    this.#present = this.#progress.present;
    this.#justified = this.#progress.justified;
    this.#final = this.#progress.final;
  }

  /** Takes all votes for one slot. */
  take(targetSlot: number, votes: readonly Vote[]): void {
    const tally = this.#tallyOf(targetSlot);
    if (tally === undefined) return;
    const fitting = votes.filter((vote) => this.#fits(tally, vote));
    if (targetSlot === this.#parentSlot || this.#slot - targetSlot <= this.#lateSlotsMax)
      for (const { voter } of fitting) {
        const member = memberOf(this.#members, voter);
        if (member !== undefined && !hasSeat(this.#present, member.seat))
          this.#present = withSeat(this.#present, member.seat);
      }
    if (targetSlot > this.#final.slot) this.#count(targetSlot, tally, fitting);
  }

  /** Writes down how far the chain is now. */
  end(): void {
    const [present, justified, final] = [this.#present, this.#justified, this.#final];
    putProgress(this.#overlay, { ...this.#progress, present, justified, final });
  }

  #fits({ hash, stateRoot }: TallyRecord, vote: Vote): boolean {
    return (
      sameBytes(vote.targetHash, hash) &&
      sameBytes(vote.stateRoot, stateRoot) &&
      vote.pohCount === vote.targetSlot * this.#rules.hashesPerSlot
    );
  }

  #count(targetSlot: number, before: TallyRecord, votes: readonly Vote[]): void {
    const judge = electorateOfJudge(this.#rules, this.#overlay, before.judge);
    const tally: OpenTally = { ...before };
    for (const vote of votes) {
      const member = memberOf(judge, vote.voter);
      if (member !== undefined && vote.sourceSlot < targetSlot) this.#countOne(tally, targetSlot, vote, member.seat);
    }
    if (this.#settle(targetSlot, before, tally, judge)) this.#wake();
  }

  #countOne(tally: OpenTally, targetSlot: number, { sourceSlot, sourceHash }: Vote, seat: number): void {
    const known = this.#pointAt(sourceSlot);
    if (known !== null && !sameBytes(known, sourceHash)) return;
    if (this.#isGood(sourceSlot)) {
      tally.counted = withSeat(tally.counted, seat);
      if (sourceSlot === targetSlot - 1) tally.linked = withSeat(tally.linked, seat);
    } else if (known !== null) tally.waiting = withWaiting(tally.waiting, sourceSlot, seat);
  }

  #tallyOf(slot: number): TallyRecord | undefined {
    if (!this.#tallies.has(slot)) this.#tallies.set(slot, readTally(this.#overlay, slot));
    return this.#tallies.get(slot);
  }

  #put(slot: number, tally: TallyRecord): void {
    putTally(this.#overlay, slot, tally);
    this.#tallies.set(slot, tally);
  }

  /** The hash of the chain's block of a slot; null below the shown final one, and where there is none. */
  #pointAt(slot: number): Hash | null {
    if (slot <= this.#final.slot) return slot === this.#final.slot ? this.#final.hash : null;
    return this.#tallyOf(slot)?.hash ?? null;
  }

  /** Whether votes from this source count: below the shown final block it is not looked into, as nodes do not look below their root. */
  #isGood(slot: number): boolean {
    return slot <= this.#final.slot || this.#tallyOf(slot)?.justified === true;
  }

  /**
   * Works out what a tally's new votes come to, and writes it if anything has changed.
   * @returns whether more sources may be good now
   */
  #settle(slot: number, before: TallyRecord, tally: OpenTally, judge: Electorate): boolean {
    const becameJustified = !tally.justified && isQuorumOfSeats(judge, tally.counted);
    tally.justified ||= becameJustified;
    if (hasChanged(before, tally)) this.#put(slot, tally);
    if (tally.justified && slot > this.#justified.slot) this.#justified = { slot: toSlot(slot), hash: tally.hash };
    return this.#finalize(slot - 1, tally, judge) || becameJustified;
  }

  /** Counts the votes whose source has become good. Upwards: what one block comes to matters only to those above it. */
  #wake(): void {
    for (const slot of [...tallySlots(this.#overlay)]) {
      if (slot <= this.#final.slot) continue;
      const before = this.#tallyOf(slot)!;
      const woken = before.waiting.filter(({ source }) => this.#isGood(source));
      if (woken.length === 0) continue;
      const tally: OpenTally = { ...before, waiting: before.waiting.filter((one) => !woken.includes(one)) };
      for (const { source, seats } of woken) {
        tally.counted = unionOf(tally.counted, seats);
        if (source === slot - 1) tally.linked = unionOf(tally.linked, seats);
      }
      this.#settle(slot, before, tally, electorateOfJudge(this.#rules, this.#overlay, before.judge));
    }
  }

  /** Shows the block of `slot` final if the votes from it to its child in the next slot are a quorum. */
  #finalize(slot: number, child: TallyRecord, judge: Electorate): boolean {
    if (slot <= this.#final.slot || !isQuorumOfSeats(judge, child.linked)) return false;
    this.#final = { slot: toSlot(slot), hash: this.#tallyOf(slot)!.hash };
    return true;
  }
}

/** Whether a tally must be written. */
function hasChanged(before: TallyRecord, after: TallyRecord): boolean {
  return !sameBytes(encodeTally(before), encodeTally(after));
}
