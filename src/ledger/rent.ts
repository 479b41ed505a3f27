/**
 * Rent: what an account owes for the 32 bytes it takes in every node's table, charged when compaction moves it.
 *
 *   R(x) = floor(rate * 32 * x / 1,000,000)      due = R(height) - R(height of the op that last wrote the account)
 *
 * Invariants
 * - The sum of what is due over any split of a stretch of heights is what is due over the whole: R telescopes, so rounding never drifts.
 * - Exact: the rate is at most 10^12 and a height below 2^53, so the product stays below 2^98 (128-bit integers elsewhere).
 */

/** Bytes of an account's entry in the table. */
export const RENTED_SIZE_BYTES = 32n;
/** Highest rate: a million units a byte and block. */
export const RENT_RATE_MAX = 1_000_000_000_000n;
const MICROUNITS = 1_000_000n;

export interface RentRules {
  /** Millionths of a unit for each byte and block, 0 .. RENT_RATE_MAX. */
  readonly microunitsPerByteBlock: bigint;
}

/** R(height): rent of one account from genesis up to `height`, in units. */
export function rentUpTo(rules: RentRules, height: number): bigint {
  return (rules.microunitsPerByteBlock * RENTED_SIZE_BYTES * BigInt(height)) / MICROUNITS;
}

/** What accounts owe in the block of one height. */
export class RentMeter {
  readonly #rules: RentRules;
  readonly #now: bigint;
  #lastHeight = -1;
  #lastDue = 0n;

  constructor(rules: RentRules, height: number) {
    this.#rules = rules;
    this.#now = rentUpTo(rules, height);
  }

  /** Rent due on an account whose latest op stands in the block of `writtenAt`, at most this block's height. */
  due(writtenAt: number): bigint {
    // Moved ops come in the order of the log, so heights come in runs.
    if (writtenAt !== this.#lastHeight) {
      this.#lastHeight = writtenAt;
      this.#lastDue = this.#now - rentUpTo(this.#rules, writtenAt);
    }
    return this.#lastDue;
  }
}
