/**
 * `validations`: a packet of many validators' signed findings on many identities' proofs of one period. Anybody may land it; it costs a minimum fee for each
 * signature, because every node checks them, once, when the packet is executed and paid for: a voter whose signature does not hold is passed over and no reason to refuse, or checking
 * packets that are refused would be work for nothing. Findings are added to those the ledger has, so a packet need not hold a supermajority by itself.
 */
import {
  hasFinding,
  packSignedMessages,
  type ReplicaName,
  type SignedFindings,
  type ValidationsPayload,
  validationMessage,
} from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { applyFinding } from './findings.ts';
import { readReplica } from './replica.ts';
import { seatKey } from './seats.ts';

/** Checks of `validations`, in order: fee-too-low, not-a-validator. */
export function checkValidations(
  context: BlockContext,
  state: LedgerState,
  payload: ValidationsPayload,
  fee: bigint,
): Refusal | null {
  const needed = context.rules.minimumFee * BigInt(1 + payload.voters.length);
  if (fee < needed)
    return refuse('fee-too-low', `fee is ${fee}, a packet of ${payload.voters.length} voters needs ${needed}`);
  const electorate = electorateNow(context, state);
  const stranger = payload.voters.find(({ seat }) => seatKey(electorate, seat) === undefined);
  return stranger === undefined ? null : refuse('not-a-validator', `seat ${stranger.seat} is nobody's`);
}

/** The voters whose signature holds for this list and their findings. */
function signedVoters(
  { rules, kernels }: BlockContext,
  electorate: Electorate,
  payload: ValidationsPayload,
): readonly SignedFindings[] {
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

/** Applies a checked packet: entry by entry, voter by voter. The oldest replica of a segment comes first, so that of those it settles together the oldest are paid. */
export function applyValidations(context: BlockContext, overlay: Overlay, payload: ValidationsPayload): void {
  const { period, entries } = payload;
  const voters = signedVoters(context, electorateNow(context, overlay), payload);
  const indexed = entries.map((entry, index) => ({ entry, index, since: sinceOf(overlay, entry) }));
  indexed.sort((a, b) => a.entry.segment - b.entry.segment || a.since - b.since || a.index - b.index);
  for (const { entry, index } of indexed)
    for (const { seat, valid, invalid } of voters) {
      const says = hasFinding(valid, index);
      if (!says && !hasFinding(invalid, index)) continue;
      applyFinding(context, overlay, { ...entry, period }, { seat, valid: says, reason: 'unstated', isSigned: true });
    }
}

function sinceOf(overlay: Overlay, { segment, identity }: ReplicaName): number {
  return readReplica(overlay, segment, identity)?.since ?? 0;
}
