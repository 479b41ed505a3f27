/**
 * `validations`: a packet of many validators' sealed findings on many identities' proofs of one period. Anybody may land it; it costs a minimum fee for each
 * signature, because every node checks them, once, when the packet is executed and paid for: a voter whose signature does not hold is passed over and no reason to refuse, or checking
 * packets that are refused would be work for nothing. Findings are added to those the ledger has, so a packet need not hold a supermajority by itself.
 * Nobody can read them before their secrets are shown (unseal.ts), which no transaction may do before the last slot for sealed ones.
 */
import {
  hasFinding,
  packSignedMessages,
  type ReplicaName,
  type SealedFindings,
  type ValidationsPayload,
  validationMessage,
} from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { isHeard, noteSealed } from './findings.ts';
import { readReplica } from './replica.ts';
import { sealLastSlot } from './schedule.ts';
import { bindSeal } from './seals.ts';
import { seatKey } from './seats.ts';

/** Checks of `validations`, in order: fee-too-low, sealing-closed, not-a-validator. */
export function checkValidations(
  context: BlockContext,
  state: LedgerState,
  payload: ValidationsPayload,
  fee: bigint,
): Refusal | null {
  const needed = context.rules.minimumFee * BigInt(1 + payload.voters.length);
  if (fee < needed)
    return refuse('fee-too-low', `fee is ${fee}, a packet of ${payload.voters.length} voters needs ${needed}`);
  const last = sealLastSlot(context.rules.replication, payload.period);
  if (context.slot > last)
    return refuse(
      'sealing-closed',
      `sealed findings of period ${payload.period} were taken up to slot ${last}, this is ${context.slot}`,
    );
  const electorate = electorateNow(context, state);
  const stranger = payload.voters.find(({ seat }) => seatKey(electorate, seat) === undefined);
  return stranger === undefined ? null : refuse('not-a-validator', `seat ${stranger.seat} is nobody's`);
}

/** The voters whose signature holds for this list and their findings. */
function signedVoters(
  { rules, kernels }: BlockContext,
  electorate: Electorate,
  payload: ValidationsPayload,
): readonly SealedFindings[] {
  const batch = packSignedMessages(
    payload.voters.map((voter) => ({
      publicKey: seatKey(electorate, voter.seat)!,
      signature: voter.signature,
      message: validationMessage(rules.chainId, payload, voter),
    })),
  );
  const verdicts = new Uint8Array(payload.voters.length);
  kernels.ed25519Verify(batch.publicKeys, batch.signatures, batch.messages, batch.offsets, verdicts);
  return payload.voters.filter((_, index) => verdicts[index] === 1);
}

/** Applies a checked packet: voter by voter is heard where it may be, then what is new is noted proof by proof. */
export function applyValidations(context: BlockContext, overlay: Overlay, payload: ValidationsPayload): void {
  const { period, entries } = payload;
  const heard = entries.map((): { seat: number; bit: boolean }[] => []);
  for (const voter of signedVoters(context, electorateNow(context, overlay), payload)) {
    const { seat, seal, spoken, sealed } = voter;
    const on = entries.flatMap((entry, index) =>
      hasFinding(spoken, index) && isHeard(context, overlay, { ...entry, period }, seat) ? [index] : [],
    );
    if (on.length === 0 || !bindSeal(overlay, period, seat, seal)) continue;
    for (const index of on) heard[index]!.push({ seat, bit: hasFinding(sealed, index) });
  }
  for (const [index, entry] of entries.entries())
    if (heard[index]!.length > 0) noteSealed(overlay, { ...entry, period }, heard[index]!);
}

/** Entries in the order in which they are settled: the oldest replica of a segment first, so that of those settled together the oldest are paid. */
export function oldestFirst<T extends ReplicaName>(
  overlay: Overlay,
  entries: readonly T[],
): readonly { readonly entry: T; readonly since: number }[] {
  const indexed = entries.map((entry, index) => ({ entry, index, since: sinceOf(overlay, entry) }));
  return indexed.sort((a, b) => a.entry.segment - b.entry.segment || a.since - b.since || a.index - b.index);
}

function sinceOf(overlay: Overlay, { segment, identity }: ReplicaName): number {
  return readReplica(overlay, segment, identity)?.since ?? 0;
}
