/**
 * Executing the votes that stand in a block: what the chain itself shows about finality and presence. A lower bound of what nodes know, who hear votes earlier.
 *
 * A vote counts when its target is a block of this chain, of this epoch or the one before, above the shown final one, with this state root and PoH count; its voter is a
 * member of the electorate that judges the target; its source is a block of this chain below the target: below the shown final block, that block, or one shown justified.
 * A vote whose source is not justified yet waits for it. All else is passed over: never a refusal, never a write.
 *
 * A block is shown justified when the counted votes are a quorum of its judge. It is shown final when the chain's block of the next slot has a quorum of
 * votes whose source it is.
 *
 * Order: by target slot (stable), so that a leader's order of entries cannot hide a source from the votes on it.
 */
import { type Hash, sameBytes, slot as toSlot } from '../../../native/index.ts';
import type { Vote } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import type { Overlay } from '../overlay.ts';
import { type ElectorateRules, electorateOfJudge, isQuorumOfSeats, memberOf } from './electorate-after.ts';
import { type EpochRecord, judgeNow, readEpoch } from './epoch-record.ts';
import { type BlockPoint, type ProgressRecord, putProgress, readProgress } from './progress-record.ts';
import { hasSeat, NO_SEATS, unionOf, withSeat } from './seat-set.ts';
import { type ConsensusFields, epochOf } from './stake-rules.ts';
import { putTally, readTally, type TallyRecord, tallySlots } from './tally-record.ts';

/** What votes are judged by. */
export interface VoteRules extends ElectorateRules {
  readonly hashesPerSlot: number;
  readonly consensus: ConsensusFields;
}

/** Executes a block's votes on its overlay, after its transactions. @param slot the block's */
export function executeVotes(rules: VoteRules, overlay: Overlay, slot: number, votes: readonly Vote[]): void {
  if (votes.length === 0) return;
  const count = new VoteCount(rules, overlay, slot);
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
  readonly #epoch: EpochRecord;
  readonly #progress: ProgressRecord;
  readonly #members: Electorate;
  #present: Uint8Array;
  #justified: BlockPoint;
  #final: BlockPoint;

  constructor(rules: VoteRules, overlay: Overlay, slot: number) {
    this.#rules = rules;
    this.#overlay = overlay;
    this.#slot = slot;
    this.#epoch = readEpoch(overlay);
    this.#progress = readProgress(overlay);
    this.#members = electorateOfJudge(rules, overlay, judgeNow(this.#epoch));
    this.#present = this.#progress.present;
    this.#justified = this.#progress.justified;
    this.#final = this.#progress.final;
  }

  /** Takes all votes for one slot. */
  take(targetSlot: number, votes: readonly Vote[]): void {
    const tally = readTally(this.#overlay, targetSlot);
    if (tally === undefined || !this.#isRecent(targetSlot)) return;
    const fitting = votes.filter((vote) => this.#fits(tally, vote));
    if (this.#slot - targetSlot <= this.#rules.consensus.voteLateSlotsMax)
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

  #isRecent(targetSlot: number): boolean {
    const { consensus } = this.#rules;
    return epochOf(consensus, targetSlot) + 1 >= epochOf(consensus, this.#slot);
  }

  #fits({ hash, stateRoot }: TallyRecord, vote: Vote): boolean {
    return (
      sameBytes(vote.targetHash, hash) &&
      sameBytes(vote.stateRoot, stateRoot) &&
      vote.pohCount === vote.targetSlot * this.#rules.hashesPerSlot
    );
  }

  #count(targetSlot: number, before: TallyRecord, votes: readonly Vote[]): void {
    const judge = this.#judgeOf(before);
    if (judge === null) return;
    const tally: OpenTally = { ...before };
    for (const vote of votes) {
      const member = memberOf(judge, vote.voter);
      if (member !== undefined) this.#countOne(tally, targetSlot, vote, member.seat);
    }
    this.#settle(targetSlot, before, tally, judge);
  }

  #countOne(tally: OpenTally, targetSlot: number, vote: Vote, seat: number): void {
    const { sourceSlot, sourceHash } = vote;
    const source = sourceSlot < targetSlot ? this.#sourceState(sourceSlot, sourceHash) : 'unknown';
    if (source === 'justified') {
      tally.counted = withSeat(tally.counted, seat);
      if (sourceSlot === targetSlot - 1) tally.linked = withSeat(tally.linked, seat);
    } else if (source === 'known' && sourceSlot >= tally.waitingSlot) {
      // One source at a time, the newest: voters of one target rarely differ.
      tally.waiting = withSeat(sourceSlot === tally.waitingSlot ? tally.waiting : NO_SEATS, seat);
      tally.waitingSlot = sourceSlot;
    }
  }

  #sourceState(slot: number, hash: Hash): 'justified' | 'known' | 'unknown' {
    if (slot < this.#final.slot) return 'justified';
    if (slot === this.#final.slot) return sameBytes(hash, this.#final.hash) ? 'justified' : 'unknown';
    const tally = readTally(this.#overlay, slot);
    if (tally === undefined || !sameBytes(tally.hash, hash)) return 'unknown';
    return tally.justified ? 'justified' : 'known';
  }

  /** Works out what a tally's new votes come to, and writes it if anything has changed. */
  #settle(slot: number, before: TallyRecord, tally: OpenTally, judge: Electorate): void {
    const becameJustified = !tally.justified && isQuorumOfSeats(judge, tally.counted);
    tally.justified ||= becameJustified;
    if (hasChanged(before, tally)) putTally(this.#overlay, slot, tally);
    if (tally.justified && slot > this.#justified.slot) this.#justified = { slot: toSlot(slot), hash: tally.hash };
    if (becameJustified) this.#wakeWaiting(slot);
    this.#finalize(slot - 1, tally, judge);
  }

  /** Counts the votes that waited for the block of `source` to be justified. */
  #wakeWaiting(source: number): void {
    for (const slot of [...tallySlots(this.#overlay)]) {
      if (slot <= source) continue;
      const before = readTally(this.#overlay, slot)!;
      const judge = before.waitingSlot === source ? this.#judgeOf(before) : null;
      if (judge === null) continue;
      const counted = unionOf(before.counted, before.waiting);
      const linked = source === slot - 1 ? unionOf(before.linked, before.waiting) : before.linked;
      this.#settle(slot, before, { ...before, counted, linked, waitingSlot: 0, waiting: NO_SEATS }, judge);
    }
  }

  /** Shows the block of `slot` final if the votes from it to its child in the next slot are a quorum. */
  #finalize(slot: number, child: TallyRecord, judge: Electorate): void {
    if (slot <= this.#final.slot || !isQuorumOfSeats(judge, child.linked)) return;
    this.#final = { slot: toSlot(slot), hash: readTally(this.#overlay, slot)!.hash };
  }

  /** Null for an electorate so old that votes for its blocks do not count any more. */
  #judgeOf({ judgeEpoch }: TallyRecord): Electorate | null {
    const judge = this.#epoch.judges.find(({ epoch }) => epoch === judgeEpoch);
    return judge === undefined ? null : electorateOfJudge(this.#rules, this.#overlay, judge);
  }
}

/** Sets only grow or are taken over whole, and flags only rise: comparing sizes of references is enough. */
function hasChanged(before: TallyRecord, after: TallyRecord): boolean {
  return (
    before.justified !== after.justified ||
    before.waitingSlot !== after.waitingSlot ||
    [
      [before.counted, after.counted],
      [before.linked, after.linked],
      [before.waiting, after.waiting],
    ].some(([a, b]) => !sameBytes(a!, b!))
  );
}
