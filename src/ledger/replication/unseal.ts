/**
 * `unseal`: shows the secrets of seats that have sealed findings on a period's proofs, and has proofs settled by the findings that are open. Anybody may send it: replicators
 * do for what is valid, validators for what they found invalid. It costs a minimum fee for each secret and each proof, since every node has to look at them.
 * A secret that does not give its seal, and a proof that nothing settles, are passed over.
 */
import type { PublicKey } from '../../../native/index.ts';
import type { UnsealPayload } from '../../codec/index.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { settleProof } from './findings.ts';
import { sealLastSlot, verdictLastSlot } from './schedule.ts';
import { openSeal, WordReader } from './seals.ts';
import { seatOf } from './seats.ts';
import { oldestFirst } from './validations.ts';

/** Checks of `unseal`, in order: fee-too-low, findings-sealed, period-decided. */
export function checkUnseal({ rules, slot }: BlockContext, payload: UnsealPayload, fee: bigint): Refusal | null {
  const { period, secrets, entries } = payload;
  const parts = secrets.length + entries.length;
  const needed = rules.minimumFee * BigInt(1 + parts);
  if (fee < needed) return refuse('fee-too-low', `fee is ${fee}, ${parts} secrets and proofs need ${needed}`);
  const last = sealLastSlot(rules.replication, period);
  if (slot <= last)
    return refuse('findings-sealed', `findings of period ${period} are sealed up to slot ${last}, this is ${slot}`);
  const decided = verdictLastSlot(rules.replication, period);
  return slot > decided
    ? refuse('period-decided', `verdicts on period ${period} closed in slot ${decided}, this is ${slot}`)
    : null;
}

/** Applies a checked `unseal`: all secrets, then the proofs, of a segment the oldest replica first. @param from who sends it */
export function applyUnseal(context: BlockContext, overlay: Overlay, payload: UnsealPayload, from: PublicKey): void {
  const { period, secrets, entries } = payload;
  for (const { seat, secret } of secrets) openSeal(context, overlay, period, seat, secret);
  const words = new WordReader(context.kernels, overlay, period);
  const seat = seatOf(electorateNow(context, overlay), from);
  for (const { entry } of oldestFirst(overlay, entries)) {
    const { segment, identity, reason } = entry;
    settleProof(context, overlay, { segment, identity, period }, words, { seat, reason });
  }
}
