/** A leader that is about to stop hands its lead over: one transaction in its last block, so that the next validator leads in the very next slot. */
import type { Hash } from '../../../native/index.ts';
import type { Transaction } from '../../codec/index.ts';
import { after, type Clock } from '../clock.ts';
import type { Mempool } from '../mempool.ts';

/** Longest wait: the slot being filled and the next, and what a busy machine takes besides. Whoever stops must stop. */
const WAIT_SLOTS = 2;
const SLACK_MS = 2_000;
const LOOK_MS = 10;

export interface HandOverDeps {
  readonly transaction: Transaction;
  readonly mempool: Mempool;
  /** Whether a block made or seen here holds it. */
  readonly isIncluded: (id: Hash) => boolean;
  readonly clock: Clock;
  readonly slotDurationMs: number;
}

/** Resolves once the lead is handed over and peers have had a moment to take the block, or the wait is over. */
export async function handOverLead(deps: HandOverDeps): Promise<void> {
  const { transaction, mempool, isIncluded, clock, slotDurationMs } = deps;
  mempool.addFirst(transaction);
  const untilMs = clock.nowMs() + WAIT_SLOTS * slotDurationMs + SLACK_MS;
  // The producer has ended with the block that holds it before that block is on disk and counts as made.
  while (!isIncluded(transaction.id) && clock.nowMs() < untilMs) await sleep(clock, LOOK_MS);
  if (isIncluded(transaction.id)) await sleep(clock, slotDurationMs / 2);
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    after(clock, ms, resolve);
  });
}
