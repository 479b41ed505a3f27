/** The market's transactions (kinds 24 and up): which check and which writes belong to which. */
import type { Address, PublicKey } from '../../../native/index.ts';
import type { MarketPayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import type { Refusal } from '../refusal.ts';
import {
  applyAddDeposit,
  applyUnregister,
  applyWithdraw,
  checkAddDeposit,
  checkUnregister,
  checkWithdraw,
} from './deposits.ts';
import { applyReport, applyRetire, checkReport, checkRetire } from './lapse.ts';
import { applyProof, checkProof } from './prove.ts';
import { applyReveal, checkReveal } from './reveal.ts';
import { applyUnseal, checkUnseal } from './unseal.ts';
import { applyValidations, checkValidations } from './validations.ts';

/** The kind's own checks. @param fee the transaction's */
export function checkMarket(
  context: BlockContext,
  state: LedgerState,
  payload: MarketPayload,
  fee: bigint,
  sender: Address,
): Refusal | null {
  switch (payload.kind) {
    case 'proveOpen':
      return checkProof(context, state, payload, sender);
    case 'validations':
      return checkValidations(context, state, payload, fee);
    case 'unseal':
      return checkUnseal(context, payload, fee);
    case 'revealFake':
      return checkReveal(context, state, payload, sender);
    case 'addDeposit':
      return checkAddDeposit(state, payload, sender);
    case 'retire':
      return checkRetire(state, payload, sender);
    case 'reportLapsed':
      return checkReport(context, state, payload);
    case 'unregister':
      return checkUnregister(state, sender);
    case 'withdrawDeposit':
      return checkWithdraw(context, state, sender);
  }
}

/** The kind's own writes. @param from the sender's key */
export function applyMarket(
  context: BlockContext,
  overlay: Overlay,
  payload: MarketPayload,
  sender: Address,
  from: PublicKey,
): void {
  if (payload.kind === 'proveOpen') applyProof(context, overlay, payload, sender);
  else if (payload.kind === 'validations') applyValidations(context, overlay, payload);
  else if (payload.kind === 'unseal') applyUnseal(context, overlay, payload, from);
  else if (payload.kind === 'revealFake') applyReveal(context, overlay, payload, sender);
  else if (payload.kind === 'addDeposit') applyAddDeposit(overlay, payload, sender);
  else if (payload.kind === 'retire') applyRetire(context, overlay, payload, sender);
  else if (payload.kind === 'reportLapsed') applyReport(context, overlay, payload);
  else if (payload.kind === 'unregister') applyUnregister(context, overlay, sender);
  else applyWithdraw(overlay, sender);
}
