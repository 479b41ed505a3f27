/**
 * The two thresholds, in one place. All safety rests on the first: two sets of more than 2/3 share more than 1/3.
 * Exact integer arithmetic: bonds are u64 amounts, sums are bigints.
 */

/** More than 2/3 of the total. Exactly 2/3 is not enough. */
export function isQuorum(stake: bigint, total: bigint): boolean {
  return stake * 3n > total * 2n;
}

/** More than 1/3 of the total: at least one honest voter, as long as less than 1/3 is not. */
export function holdsHonest(stake: bigint, total: bigint): boolean {
  return stake * 3n > total;
}
