/**
 * Compaction: the last part of a block. A few of the oldest live ops are written again at the tip, so that the inactivity floor rises and the log
 * behind it can be dropped. It follows from the parent's counts and the block's own ops alone: every node moves the same ops.
 *
 *   n = keys this block has touched        W = opCount - floor, L = activeCount, both after the parent
 *   moves = min(n + 1, max(0, W - ceil(3 L / 2)))
 *
 * Bounds, for any traffic (ADR 0007): at most n + 1 moves; at most n ops are passed over, one for each touched key; and two records more than those may be written
 * (the reward pool's account, the evictions). So a block with n touched keys has at most 2 n + 3 ops.
 *
 * Invariants
 * - No unit is made or lost: what is charged goes to the reward pool, what is evicted stays counted in the evictions' record.
 * - An account that this block touched pays nothing and is not moved: its op is new already.
 */
import { type Address, address, amount, type Height, height, sameBytes } from '../../native/index.ts';
import type { MerkleKernels } from '../../storage/commitment/merkle.ts';
import type { ActiveOp, ActivityReader } from '../../storage/state-reader.ts';
import type { BlockEvictions, Eviction } from './evictions/eviction.ts';
import { appendEvictions } from './evictions/evictions-record.ts';
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

/** How many ops a block moves. @param touchedCount keys the block has touched before compaction */
export function movesOf(touchedCount: number, activity: ActivityReader): number {
  const window = activity.opCount - activity.floor;
  const excess = window - Math.ceil((3 * activity.activeCount) / 2);
  return Math.min(touchedCount + 1, Math.max(0, excess));
}

/** Moves what is due, on a block's overlay after its last transaction. @param activity the parent's */
export function compact(
  kernels: MerkleKernels,
  rules: CompactionRules,
  overlay: Overlay,
  activity: ActivityReader,
): CompactionOutcome {
  const moves = movesOf(overlay.touchedCount, activity);
  const run = new Run(rules, overlay, height(activity.place.height));
  if (moves > 0)
    for (const op of activity.oldestActive()) {
      if (overlay.isTouched(op)) continue;
      run.move(op);
      if (run.moves === moves) break;
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
  #rent = 0n;

  constructor(rules: CompactionRules, overlay: Overlay, at: Height) {
    this.#rules = rules;
    this.#overlay = overlay;
    this.#height = at;
    this.#meter = new RentMeter(rules.rent, at);
  }

  move(op: ActiveOp): void {
    this.moves++;
    if (op.kind === 'account') this.#moveAccount(op);
    else if (op.kind === 'record') this.#moveRecord(op.key);
    else invariant(false, 'argument', () => 'a bond in the log, which no transaction of this ledger makes');
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
    this.#rent += due;
    if (balance === due) overlay.deleteAccount(key);
    else overlay.setBalance(key, balance - due);
  }

  /** An empty account has nothing to come back to. */
  #evict(key: Uint8Array, balance: bigint): void {
    this.#overlay.deleteAccount(key);
    if (balance > 0n)
      this.#evictions.push({ address: address(key.slice()), balance: amount(balance), height: this.#height });
  }

  /** Deposits answer for records: moving them is free. */
  #moveRecord(key: Uint8Array): void {
    const value = this.#overlay.record(key);
    invariant(value !== undefined, 'argument', () => 'the log has a live record that the state has not');
    this.#overlay.putRecord(key, value);
  }

  /** Pays out and writes down what the moves came to; last, so that each of the two keys is written once. */
  end(kernels: MerkleKernels): CompactionOutcome {
    if (this.#rent > 0n) this.#overlay.credit(this.#rules.rewardPool, this.#rent);
    const evicted = appendEvictions(kernels, this.#overlay, this.#evictions);
    return { ...evicted, moves: this.moves, rent: this.#rent };
  }
}
