/**
 * `verdicts`: a validator's findings on proofs, sent by itself: what a replicator would not put into its packet, rejections above all.
 */
import type { PublicKey } from '../../../native/index.ts';
import { VERDICTS_MAX, type VerdictsPayload } from '../../codec/index.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { applyFinding } from './findings.ts';
import { seatOf } from './seats.ts';

/** Checks of `verdicts`, in order: not-a-validator, verdict-count. */
export function checkVerdicts(
  context: BlockContext,
  state: LedgerState,
  payload: VerdictsPayload,
  from: PublicKey,
): Refusal | null {
  if (seatOf(electorateNow(context, state), from) < 0)
    return refuse('not-a-validator', 'verdicts count only from validators of the current set');
  const count = payload.verdicts.length;
  if (count < 1 || count > VERDICTS_MAX)
    return refuse('verdict-count', `must hold 1 to ${VERDICTS_MAX} verdicts, found ${count}`);
  return null;
}

/** Applies checked `verdicts`, one after another. */
export function applyVerdicts(
  context: BlockContext,
  overlay: Overlay,
  payload: VerdictsPayload,
  from: PublicKey,
): void {
  const seat = seatOf(electorateNow(context, overlay), from);
  for (const verdict of payload.verdicts)
    applyFinding(context, overlay, verdict, {
      seat,
      valid: verdict.valid,
      reason: verdict.reason ?? 'unstated',
      isSigned: false,
    });
}
