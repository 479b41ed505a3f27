/**
 * The transactions of proof of stake, in one place for execute.ts: which they are, who sends them free of charge, and their checks and writes.
 */
import type { Address, PublicKey } from '../../../native/index.ts';
import type { Payload, StakePayload, Transaction } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import type { Refusal } from '../refusal.ts';
import { applyBond, applyUnbond, applyWithdraw, checkBond, checkUnbond, checkWithdraw } from './bond-transactions.ts';
import { applyReveal, checkReveal } from './decoy.ts';
import { memberOf } from './electorate-after.ts';
import { applyEvidence, checkEvidence } from './evidence.ts';
import {
  applyApprove,
  applyHandOver,
  applyNominate,
  checkApprove,
  checkHandOver,
  checkNominate,
  electorateNow,
} from './succession.ts';

const KINDS: ReadonlySet<Payload['kind']> = new Set<StakePayload['kind']>([
  'bond',
  'unbond',
  'withdraw',
  'evidence',
  'nominate',
  'approve',
  'handOver',
  'revealDecoy',
]);

export function isStake(payload: Payload): payload is StakePayload {
  return KINDS.has(payload.kind);
}

/** Validators keep the chain going: what they send for it may be free. Each is refused a second time, so nobody can flood by it. */
export function isFree(context: BlockContext, state: LedgerState, payload: Payload, from: PublicKey): boolean {
  return isStake(payload) && memberOf(electorateNow(context, state), from) !== undefined;
}

/** The kind's own checks. */
export function checkStake(
  context: BlockContext,
  state: LedgerState,
  payload: StakePayload,
  from: PublicKey,
  sender: Address,
): Refusal | null {
  switch (payload.kind) {
    case 'bond':
      return checkBond(context, state, payload, sender);
    case 'unbond':
      return checkUnbond(state, sender);
    case 'withdraw':
      return checkWithdraw(context, state, sender);
    case 'evidence':
      return checkEvidence(context, state, payload);
    case 'nominate':
      return checkNominate(context, state, payload, from);
    case 'approve':
      return checkApprove(context, state, payload, from);
    case 'handOver':
      return checkHandOver(context, state, from);
    case 'revealDecoy':
      return checkReveal(context, payload, from);
  }
}

/** The kind's own writes, after its checks. */
export function applyStake(
  context: BlockContext,
  overlay: Overlay,
  transaction: Transaction,
  payload: StakePayload,
  sender: Address,
): void {
  switch (payload.kind) {
    case 'bond':
      applyBond(context, overlay, transaction, payload, sender);
      return;
    case 'unbond':
      applyUnbond(context, overlay, sender);
      return;
    case 'withdraw':
      applyWithdraw(overlay, sender);
      return;
    case 'evidence':
      applyEvidence(context, overlay, payload);
      return;
    case 'nominate':
      applyNominate(context, overlay, payload, transaction.from);
      return;
    case 'approve':
      applyApprove(context, overlay, transaction.from);
      return;
    case 'handOver':
      applyHandOver(overlay);
      return;
    case 'revealDecoy':
      applyReveal(context, payload);
      return;
  }
}
