/**
 * Methods about transactions: what a wallet needs to make one, sending, and following it to finality.
 */
import { z } from 'zod';
import { ApiError } from '../api-error.ts';
import { type MethodTable, method } from '../method.ts';
import type { NodeApi } from '../node-api.ts';
import { commitmentConfig, hashParameter, transactionParameter } from '../parameters.ts';
import { transactionJson } from '../transaction-json.ts';
import { QUERY_ITEMS_MAX } from '../views/accounts.ts';
import { SUBMIT_ITEMS_MAX, type SubmitOutcome, type TransactionStatus } from '../views/transactions.ts';
import { base64Text, hashText, withContext } from '../wire.ts';

const sendConfig = z.object({ encoding: z.literal('base64').default('base64') }).optional();
const readConfig = z.object({ encoding: z.enum(['json', 'base64']).default('json') }).default({ encoding: 'json' });

export function transactionMethods(api: NodeApi): MethodTable {
  return {
    getLatestBlockhash: method({ config: commitmentConfig }, ({ config }) => latestBlockhash(api, config.commitment)),
    sendTransaction: method({ transaction: transactionParameter, config: sendConfig }, async ({ transaction }) => {
      const [outcome] = await api.submit([transaction]);
      if (outcome === undefined) throw new RangeError('submit answered with no outcome');
      if (!outcome.ok) throw new ApiError('transaction-refused', outcome.message, outcome.code);
      return hashText(outcome.id);
    }),
    cairn_sendTransactions: method(
      { transactions: z.array(transactionParameter).min(1).max(SUBMIT_ITEMS_MAX) },
      async ({ transactions }) => (await api.submit(transactions)).map(outcomeJson),
    ),
    getSignatureStatuses: method(
      { ids: z.array(hashParameter).max(QUERY_ITEMS_MAX), config: z.object({}).optional() },
      async ({ ids }) => {
        const { slot, statuses } = await api.transactionStatuses(ids);
        return withContext(slot, statuses.map(statusJson));
      },
    ),
    getTransaction: method({ id: hashParameter, config: readConfig }, ({ id, config }) =>
      transaction(api, id, config.encoding),
    ),
    cairn_getTimestampProof: method({ id: hashParameter }, async ({ id }) => base64Text(await api.timestampProof(id))),
  };
}

async function latestBlockhash(api: NodeApi, commitment: Parameters<NodeApi['latestBlockhash']>[0]): Promise<object> {
  const latest = await api.latestBlockhash(commitment);
  return withContext(latest.slot, {
    blockhash: hashText(latest.pohHash),
    pohCount: latest.pohCount,
    lastValidSlot: latest.lastValidSlot,
    // A slot holds at most one block, so this height is not reached before that slot has passed.
    lastValidBlockHeight: latest.height + (latest.lastValidSlot - latest.slot),
  });
}

function outcomeJson(outcome: SubmitOutcome): object {
  if (outcome.ok) return { id: hashText(outcome.id) };
  const error = { code: outcome.code, message: outcome.message };
  return outcome.id === null ? { error } : { id: hashText(outcome.id), error };
}

function statusJson(status: TransactionStatus | null): object | null {
  if (status === null) return null;
  const none = { slot: null, height: null, confirmations: null, err: null, confirmationStatus: null };
  if (status.state === 'pending') return { ...none, state: 'pending' };
  if (status.state === 'dropped')
    return { ...none, err: { code: status.code, message: status.message }, state: 'dropped' };
  return {
    slot: status.slot,
    height: status.height,
    // Solana: null once rooted.
    confirmations: status.state === 'finalized' ? null : status.state === 'confirmed' ? 1 : 0,
    err: null,
    confirmationStatus: status.state,
    state: status.state,
  };
}

async function transaction(
  api: NodeApi,
  id: Parameters<NodeApi['transaction']>[0],
  encoding: 'json' | 'base64',
): Promise<object | null> {
  const found = await api.transaction(id);
  if (found === null) return null;
  return {
    slot: found.block.slot,
    height: found.block.height,
    blockHash: hashText(found.block.hash),
    blockTime: null,
    entry: found.entry,
    index: found.index,
    pohCount: found.pohCount,
    transaction:
      encoding === 'base64' ? [base64Text(found.transaction.bytes), 'base64'] : transactionJson(found.transaction),
    meta: { err: null, fee: found.transaction.fee.toString() },
  };
}
