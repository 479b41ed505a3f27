/**
 * `transfer`: moves units from the sender to any address. The recipient needs no account beforehand; sending to oneself costs the fee.
 */
import type { TransferPayload } from '../codec/index.ts';
import type { Overlay } from './overlay.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Check of `transfer`: amount-zero. */
export function checkTransfer(payload: TransferPayload): Refusal | null {
  return payload.amount === 0n ? refuse('amount-zero', 'a transfer moves at least 1') : null;
}

/** Applies a checked `transfer`; the amount has been taken from the sender. */
export function applyTransfer(overlay: Overlay, payload: TransferPayload): void {
  overlay.credit(payload.to, payload.amount);
}
