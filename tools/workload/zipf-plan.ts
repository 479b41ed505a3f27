/**
 * The built-in workload: transfers between a fixed set of accounts, payer and payee both picked by Zipf, so that a few accounts are hot
 * and most are rare, as on a real ledger.
 *
 * Invariant: every account can pay whatever it is picked for (TRANSFERS_MAX transfers of the largest amount), so that no transfer fails.
 */
import { createHash } from 'node:crypto';
import type { WorkloadAccount, WorkloadPlan, WorkloadTransfer } from './plan.ts';
import { SeededRandom } from './random.ts';
import { Zipf } from './zipf.ts';

const KEY_TAG = 'cairn/workload-key/1';
/** Amounts are 1 .. AMOUNT_LARGEST. */
const AMOUNT_LARGEST = 1000;
/** Bound on what one account sends in a run: 27 hours at 1,000 a second, if it sent them all. */
const TRANSFERS_MAX = 100_000_000;

export interface ZipfPlanOptions {
  /** How many accounts, 2 .. 2^32 - 1. */
  readonly accountCount: number;
  /** Seed of keys and picks. */
  readonly seed: number;
  readonly fee: bigint;
}

/** Makes the workload. Accounts are funded for TRANSFERS_MAX transfers each. */
export function planZipf({ accountCount, seed, fee }: ZipfPlanOptions): WorkloadPlan {
  if (accountCount < 2) throw new RangeError(`a Zipf workload needs at least 2 accounts, got ${accountCount}`);
  const random = new SeededRandom(seed);
  const zipf = new Zipf(random, { count: accountCount });
  const genesis = BigInt(TRANSFERS_MAX) * (BigInt(AMOUNT_LARGEST) + fee);
  return {
    kind: 'zipf',
    accounts: Array.from({ length: accountCount }, (_, index) => zipfAccount(seed, index, genesis)),
    fee,
    transferCount: Number.POSITIVE_INFINITY,
    next: () => pick(zipf, random),
  };
}

function zipfAccount(seed: number, index: number, genesis: bigint): WorkloadAccount {
  const input = Buffer.alloc(12);
  input.writeBigUInt64LE(BigInt(seed), 0);
  input.writeUInt32LE(index, 8);
  return { name: String(index), seed: createHash('sha256').update(KEY_TAG).update(input).digest(), genesis };
}

function pick(zipf: Zipf, random: SeededRandom): WorkloadTransfer {
  const from = zipf.next();
  let to = zipf.next();
  while (to === from) to = zipf.next();
  return { from, to, amount: BigInt(1 + random.below(AMOUNT_LARGEST)) };
}
