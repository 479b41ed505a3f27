/** What `transfer`, `revive` and `timestamp` share: a fresh counter, and submitting a transaction and waiting until it is final. */
import { randomBytes } from 'node:crypto';
import type { Transaction } from '../../codec/index.ts';
import { encodeBase58 } from '../../codec/index.ts';
import { type CairnClient, ClientError } from '../../rpc/client.ts';
import { CommandFailure, failed } from '../failure.ts';
import { withProgress } from '../progress.ts';

const PROGRESS_INTERVAL_MS = 200;

/** Where a transaction became final. */
export interface FinalTransaction {
  readonly id: string;
  readonly height: number;
  readonly slot: number;
  /** Count of the PoH entry that holds it: it existed before. */
  readonly pohCount: number;
  readonly blockHash: string;
}

/** A uniqueness value no other transaction of the sender has, but for one chance in 2^64. */
export function freshCounter(): bigint {
  return randomBytes(8).readBigUInt64LE();
}

/** Submits and waits. @throws CommandFailure when it is refused, dropped, or not final in time */
export async function submitAndWait(
  client: CairnClient,
  transaction: Transaction,
  timeoutMs: number,
): Promise<FinalTransaction> {
  const id = encodeBase58(transaction.id);
  try {
    await client.submit(transaction.bytes);
    await waitWithProgress(client, id, timeoutMs);
  } catch (error) {
    if (!(error instanceof ClientError) || error.code === 'network') throw error;
    if (error.code === 'timeout') throw failed(`${error.message}; it may still become final: look again with its id`);
    const reason = error.reason === undefined ? '' : ` (${error.reason})`;
    throw new CommandFailure(1, `the transaction was refused${reason}: ${error.message}`, { cause: error });
  }
  const found = await client.transaction(id);
  if (found === null) throw failed(`transaction ${id} is final but the node does not know its place`);
  const { height, slot, pohCount, blockHash } = found;
  return { id, height, slot, pohCount, blockHash };
}

async function waitWithProgress(client: CairnClient, id: string, timeoutMs: number): Promise<void> {
  await withProgress('waiting for finality, ms', async (progress) => {
    const startedMs = performance.now();
    const timer = setInterval(
      () => progress.update(Math.round(performance.now() - startedMs), timeoutMs),
      PROGRESS_INTERVAL_MS,
    );
    try {
      await client.waitForFinality(id, { timeoutMs });
    } finally {
      clearInterval(timer);
    }
  });
}
