/**
 * Compaction: the last part of a block. A few of the oldest live ops are written again at the tip, so that the inactivity floor rises and the log
 * behind it can be dropped. It follows from the parent's counts and the block's own ops alone: every node moves the same ops.
 *
 *   W = opCount - floor, L = activeCount, both after the parent
 *   n = keys this block writes without moving them: those it has touched, and the reward pool and the evictions' record once rent or an eviction writes them
 *   moves = min(n + 1, max(0, W - ceil(3 L / 2)))
 *
 * The + 1 answers for the batch's head: for every op that is no move there may be one that is, so that W stays below 2 L in the long run, for any traffic (ADR 0007).
 * Bounds: n is at most 2 more than the keys touched before compaction; at most n ops are passed over; so a block has at most 2 n + 1 ops.
 *
 * Invariants
 * - No unit is made or lost: what is charged goes to the reward pool, what is evicted stays counted in the evictions' record.
 * - An account that this block touched pays nothing and is not moved: its op is new already.
 */
import { type Address, address, amount, type Height, height, sameBytes } from '../../native/index.ts';
import type { MerkleKernels } from '../../storage/commitment/merkle.ts';
import type { ActiveOp, ActivityReader } from '../../storage/state-reader.ts';
import type { BlockEvictions, Eviction } from './evictions/eviction.ts';
import { type EvictionsRecord, openEvictions, readEvictions, writeEvictions } from './evictions/evictions-record.ts';
import { invariant } from './invariant.ts';
import type { Overlay } from './overlay.ts';
import { RentMeter, type RentRules } from './rent.ts';

/** What compaction is done by. */
export interface CompactionRules {
  readonly rent: RentRules;
  readonly rewardPool: Address;
}

/** What compaction did in a block. */
export interface CompactionOutcome extends BlockEvictions {
  /** Ops moved: put again, deleted or evicted. */
  readonly moves: number;
  /** Units charged. */
  readonly rent: bigint;
}

/** By how many ops the log is longer than 3/2 of what lives in it: no block moves more. */
export function excessOf({ opCount, floor, activeCount }: ActivityReader): number {
  return Math.max(0, opCount - floor - Math.ceil((3 * activeCount) / 2));
}

/** Moves what is due, on a block's overlay after its last transaction. @param activity the parent's */
export function compact(
  kernels: MerkleKernels,
  rules: CompactionRules,
  overlay: Overlay,
  activity: ActivityReader,
): CompactionOutcome {
  const excess = excessOf(activity);
  const run = new Run(rules, overlay, height(activity.place.height));
  if (excess > 0)
    for (const op of activity.oldestActive()) {
      if (overlay.isTouched(op)) continue;
      run.move(op);
      if (run.moves === excess || run.moves > run.written) break;
    }
  return run.end(kernels);
}

/** One block's moves under way. */
class Run {
  moves = 0;
  readonly #rules: CompactionRules;
  readonly #overlay: Overlay;
  readonly #height: Height;
  readonly #meter: RentMeter;
  readonly #evictions: Eviction[] = [];
  /** The evictions' record before this block; null until somebody is evicted. */
  #before: EvictionsRecord | null = null;
  #rent = 0n;

  constructor(rules: CompactionRules, overlay: Overlay, at: Height) {
    this.#rules = rules;
    this.#overlay = overlay;
    this.#height = at;
    this.#meter = new RentMeter(rules.rent, at);
  }

  /** n: keys written and not moved. */
  get written(): number {
    return this.#overlay.touchedCount - this.moves;
  }

  move(op: ActiveOp): void {
    this.moves++;
    if (op.kind === 'account') this.#moveAccount(op);
    else if (op.kind === 'record') this.#moveRecord(op.key);
    else this.#moveBond(op.key);
  }

  #moveAccount({ key, height: writtenAt }: ActiveOp): void {
    const overlay = this.#overlay;
    const balance = overlay.balance(key);
    if (sameBytes(key, this.#rules.rewardPool)) {
      overlay.setBalance(key, balance);
      return;
    }
    const due = this.#meter.due(writtenAt);
    if (balance < due) {
      this.#evict(key, balance);
      return;
    }
    if (balance === due) overlay.deleteAccount(key);
    else overlay.setBalance(key, balance - due);
    // Touched at the first due, so that it counts among the keys written; credited with all of them at the end.
    if (due > 0n && this.#rent === 0n) overlay.credit(this.#rules.rewardPool, 0n);
    this.#rent += due;
  }

  /** An empty account has nothing to come back to. */
  #evict(key: Uint8Array, balance: bigint): void {
    this.#overlay.deleteAccount(key);
    if (balance === 0n) return;
    this.#before ??= openEvictions(this.#overlay);
    this.#evictions.push({ address: address(key.slice()), balance: amount(balance), height: this.#height });
  }

  /** Deposits answer for records: moving them is free. */
  #moveRecord(key: Uint8Array): void {
    const value = this.#overlay.record(key);
    invariant(value !== undefined, 'argument', () => 'the log has a live record that the state has not');
    this.#overlay.putRecord(key, value);
  }

  /** Bonds pay no rent and are never evicted: what they hold is at stake. */
  #moveBond(key: Uint8Array): void {
    const bond = this.#overlay.bond(key);
    invariant(bond !== undefined, 'argument', () => 'the log has a live bond that the state has not');
    this.#overlay.putBond(key, bond);
  }

  /** Writes down what the moves came to: each of the two keys once, however many moves there were. */
  end(kernels: MerkleKernels): CompactionOutcome {
    const { moves } = this;
    const [rent, evictions] = [this.#rent, this.#evictions];
    if (rent > 0n) this.#overlay.credit(this.#rules.rewardPool, rent);
    if (this.#before === null) return { moves, rent, first: readEvictions(this.#overlay).range.size, evictions };
    writeEvictions(kernels, this.#overlay, this.#before, evictions);
    return { moves, rent, first: this.#before.range.size, evictions };
  }
}
