/**
 * The client's other half: submitting, following to finality, and the cached recent block a wallet signs over.
 */
import { asArray, asObject, stringOf, textOrNull } from './check.ts';
import { ClientError } from './client-error.ts';
import { type HashLike, hashText, ReadClient } from './client-reads.ts';
import type { BlockhashView, FinalPlace, SubmitResult } from './client-types.ts';
import { WAIT_TIMEOUT_MS_MAX } from './views/blocks.ts';
import { SUBMIT_ITEMS_MAX } from './views/transactions.ts';
import { base64Text } from './wire.ts';

/** How long `latestBlockhash` may answer from memory. */
const BLOCKHASH_AGE_MS_MAX = 1_000;
/** Longest single long poll while waiting for one transaction: its status is asked again at least this often. */
const WAIT_STEP_MS = 5_000;

export class WalletClient extends ReadClient {
  #blockhash: { readonly value: Promise<BlockhashView>; readonly at: number } | undefined;

  /** A recent finalized block to sign over, at most `ageMsMax` old (default 1 s). Calls made together share one request. */
  latestBlockhash(ageMsMax: number = BLOCKHASH_AGE_MS_MAX): Promise<BlockhashView> {
    const now = performance.now();
    if (this.#blockhash !== undefined && now - this.#blockhash.at <= ageMsMax) return this.#blockhash.value;
    const entry = { value: this.fetchBlockhash(), at: now };
    this.#blockhash = entry;
    entry.value.catch(() => {
      if (this.#blockhash === entry) this.#blockhash = undefined;
    });
    return entry.value;
  }

  /** Submits one signed transaction; its id. Throws `ClientError` `rpc` with the refusal's `reason`. */
  async submit(transactionBytes: Uint8Array): Promise<string> {
    const params = [base64Text(transactionBytes), { encoding: 'base64' }];
    return stringOf({ result: await this.connection.call('sendTransaction', params, { isRead: false }) }, 'result');
  }

  /** Submits up to SUBMIT_ITEMS_MAX signed transactions; one result each, in order. */
  async submitMany(transactions: readonly Uint8Array[]): Promise<SubmitResult[]> {
    if (transactions.length > SUBMIT_ITEMS_MAX)
      throw new RangeError(`at most ${SUBMIT_ITEMS_MAX} transactions a call, got ${transactions.length}`);
    if (transactions.length === 0) return [];
    const params = [transactions.map(base64Text)];
    const rows = asArray(await this.connection.call('cairn_sendTransactions', params, { isRead: false }), 'outcomes');
    if (rows.length !== transactions.length)
      throw new ClientError('bad-response', `${rows.length} outcomes for ${transactions.length} transactions`);
    return rows.map(submitResult);
  }

  /**
   * Waits until a transaction is final; where it then is. Throws `ClientError`: `dropped` when the node threw it out, `timeout` when it
   * was not final in time.
   */
  async waitForFinality(
    id: HashLike,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<FinalPlace> {
    const end = performance.now() + options.timeoutMs;
    const text = hashText(id);
    for (;;) {
      const height = await this.blockHeight();
      const [status] = await this.statuses([text]);
      if (status?.state === 'finalized' && status.height !== null && status.slot !== null)
        return { height: status.height, slot: status.slot };
      if (status?.state === 'dropped')
        throw new ClientError('dropped', `transaction ${text} was dropped: ${status.err?.message ?? ''}`, {
          reason: status.err?.code ?? 'dropped',
        });
      const leftMs = end - performance.now();
      if (options.signal?.aborted) throw new ClientError('aborted', 'aborted by the caller');
      if (leftMs <= 0)
        throw new ClientError('timeout', `transaction ${text} is not final after ${options.timeoutMs} ms`);
      const timeoutMs = Math.ceil(Math.min(leftMs, WAIT_STEP_MS, WAIT_TIMEOUT_MS_MAX));
      // Any new block may hold it; asking its status again is cheaper than reading ids out of every block.
      await this.waitFinalized(height, { timeoutMs, signal: options.signal });
    }
  }
}

function submitResult(item: unknown): SubmitResult {
  const row = asObject(item, 'outcome');
  if (row.error === undefined) return { ok: true, id: stringOf(row, 'id') };
  const error = asObject(row.error, 'error');
  const id = row.id === undefined ? null : textOrNull(row, 'id');
  return { ok: false, id, code: stringOf(error, 'code'), message: stringOf(error, 'message') };
}
