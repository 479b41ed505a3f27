/**
 * Execution of one transaction: all checks, then all writes. A refused transaction has written nothing.
 *
 * Checks stand in this order, and the first that fails names the refusal, so every node gives the same code:
 *  1. bad-signature
 *  2. fee-too-low; validators send what the chain needs for free (bonds/stake.ts)
 *  3. stale-last-valid-hash, unknown-last-valid-hash
 *  4. replayed: in this block, then in those before
 *  5. insufficient-funds: balance + what a revival or withdrawal claims < what leaves the account + fee
 *  6. the kind's own, in its file's order
 * Writes stand in this order, which fixes the order of the block's ops: sender, reward pool, then the kind's own. Units are moved only: sender to pool,
 * sender to recipient, deposit or bond, pool to identity, identity to balance or pool, evicted or bond to sender, slashed bond to pool.
 */

import type { Address } from '../../native/index.ts';
import { isStakePayload, type Payload, type Transaction } from '../codec/index.ts';
import { withdrawable } from './bonds/bond-transactions.ts';
import { applyStake, checkStake, isFree } from './bonds/stake.ts';
import type { BlockContext, TransactionFacts } from './context.ts';
import { applyRevive, checkRevive } from './evictions/revive.ts';
import { checkFee, collectFee } from './fees.ts';
import type { LedgerState } from './ledger-state.ts';
import type { Overlay } from './overlay.ts';
import { type Refusal, refuse } from './refusal.ts';
import { applyCommit, checkCommit } from './replication/commit.ts';
import { applyRegister, checkRegister } from './replication/identity.ts';
import { applyMarket, checkMarket } from './replication/market.ts';
import { applyProof, checkProof } from './replication/prove.ts';
import { applyTransfer, checkTransfer } from './transfer.ts';

/**
 * Executes a transaction on a block's state. Returns null when it was applied (and noted in `context.applied`), else why it is refused,
 * with nothing changed. The transaction's bytes are borrowed.
 */
export function executeTransaction(
  context: BlockContext,
  overlay: Overlay,
  transaction: Transaction,
  facts: TransactionFacts,
): Refusal | null {
  const refusal = checkTransaction(context, overlay, transaction, facts);
  if (refusal !== null) return refusal;
  const { payload, fee } = transaction;
  const change = incoming(overlay, payload, facts.sender) - outgoing(payload) - fee;
  // Validators send for free, and need no account for it.
  if (change !== 0n || !isStakePayload(payload)) overlay.credit(facts.sender, change);
  collectFee(overlay, context.rules.rewardPool, fee);
  applyPayload(context, overlay, transaction, facts);
  context.applied.add(transaction.id, transaction.lastValidCount / context.rules.hashesPerSlot);
  return null;
}

/** All checks and no writes: what a node asks before it takes a transaction into its queue. */
export function checkTransaction(
  context: BlockContext,
  state: LedgerState,
  transaction: Transaction,
  facts: TransactionFacts,
): Refusal | null {
  if (!facts.signatureValid) return refuse('bad-signature', 'the signature is not valid for these bytes and this key');
  return (
    checkMinimumFee(context, state, transaction) ??
    checkRecency(context, transaction) ??
    checkFunds(state, transaction, facts) ??
    checkPayload(context, state, transaction, facts)
  );
}

/** A fee of 0 is enough for what validators send for the chain's sake. */
function checkMinimumFee(context: BlockContext, state: LedgerState, transaction: Transaction): Refusal | null {
  const refusal = checkFee(transaction.fee, context.rules.minimumFee);
  return refusal !== null && isFree(context, state, transaction.payload, transaction.from) ? null : refusal;
}

function checkRecency(context: BlockContext, transaction: Transaction): Refusal | null {
  const { lastValidHash, lastValidCount, id } = transaction;
  const referred = context.recent.reference(lastValidHash, lastValidCount, context.slot);
  if (referred === 'stale-last-valid-hash')
    return refuse(
      referred,
      `count ${lastValidCount} ends a slot more than ${context.rules.recencyWindowSlots} slots before slot ${context.slot}: sign again with a later hash`,
    );
  if (referred === 'unknown-last-valid-hash')
    return refuse(
      referred,
      `no block of this chain before slot ${context.slot} ends at count ${lastValidCount} with this hash`,
    );
  if (context.applied.ids.has(id) || context.recent.hasApplied(id, referred))
    return refuse('replayed', 'a transaction with this id was applied already');
  return null;
}

function checkFunds(state: LedgerState, transaction: Transaction, facts: TransactionFacts): Refusal | null {
  const needed = outgoing(transaction.payload) + transaction.fee;
  const held = state.balance(facts.sender) + incoming(state, transaction.payload, facts.sender);
  return held < needed ? refuse('insufficient-funds', `balance is ${held}, ${needed} are needed (fee included)`) : null;
}

/** What leaves the sender's balance besides the fee. */
function outgoing(payload: Payload): bigint {
  if (payload.kind === 'transfer' || payload.kind === 'bond' || payload.kind === 'addDeposit') return payload.amount;
  return payload.kind === 'register' ? payload.deposit : 0n;
}

/** What comes back to the sender's balance: claimed by a revival or withdrawal, and shown by its own check. */
function incoming(state: LedgerState, payload: Payload, sender: Address): bigint {
  if (payload.kind === 'withdraw') return withdrawable(state, sender);
  return payload.kind === 'revive' ? payload.balance : 0n;
}

function checkPayload(
  context: BlockContext,
  state: LedgerState,
  transaction: Transaction,
  facts: TransactionFacts,
): Refusal | null {
  const { payload } = transaction;
  switch (payload.kind) {
    case 'transfer':
      return checkTransfer(payload);
    case 'timestamp':
      return null; // Its digest stands in the sequence; the state keeps nothing of it.
    case 'register':
      return checkRegister(context, state, payload, facts.sender);
    case 'commit':
      return checkCommit(context, state, payload, facts.sender);
    case 'prove':
      return checkProof(context, state, payload, facts.sender);
    case 'revive':
      return checkRevive(context, state, payload, facts.sender);
    default:
      if (isStakePayload(payload)) return checkStake(context, state, payload, transaction.from, facts.sender);
      return checkMarket(context, state, payload, transaction.fee, facts.sender);
  }
}

function applyPayload(
  context: BlockContext,
  overlay: Overlay,
  transaction: Transaction,
  facts: TransactionFacts,
): void {
  const { payload } = transaction;
  if (payload.kind === 'transfer') applyTransfer(overlay, payload);
  else if (payload.kind === 'register') applyRegister(context, overlay, transaction, payload, facts.sender);
  else if (payload.kind === 'commit') applyCommit(context, overlay, payload, facts.sender);
  else if (payload.kind === 'prove') applyProof(context, overlay, payload, facts.sender);
  else if (payload.kind === 'revive') applyRevive(overlay, payload);
  else if (isStakePayload(payload)) applyStake(context, overlay, transaction, payload, facts.sender);
  else if (payload.kind !== 'timestamp') applyMarket(context, overlay, payload, facts.sender, transaction.from);
  // A timestamp writes nothing.
}
