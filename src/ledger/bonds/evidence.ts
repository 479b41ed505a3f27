/**
 * `evidence`: slashing. Whoever shows what a validator has signed against the rules has its whole bond moved into the reward pool.
 *
 * An offence is one of (docs/protocol.md, "Evidence"): two votes for different targets in one slot; a vote that surrounds another; two headers for one slot; a vote for a
 * decoy. It never grows too old while the bond stands: who leaves is answerable until its bond is withdrawn. What was signed for slots before the bond
 * was made belongs to an earlier bond of the key, which is gone.
 *
 * The weight stays in the sets until the eras have let it go: a quorum must not mean different things on two forks.
 */
import { type PublicKey, type Slot, sameBytes, slot as toSlot } from '../../../native/index.ts';
import {
  addressOf,
  decoyRoot,
  type EvidencePayload,
  headerSignature,
  type Offence,
  packSignedMessages,
  type SignedMessage,
  type Vote,
  voteSignature,
} from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerKernels, LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { readBond } from './bond.ts';
import { slashWhole } from './slashing.ts';

/** Who has signed what, and for which slot at the earliest. */
interface Charge {
  readonly offender: PublicKey;
  readonly earliestSlot: Slot;
  readonly signed: readonly SignedMessage[];
}

/** Checks of `evidence`, in order: not-an-offence, not-bonded, already-slashed, evidence-too-old, bad-evidence-signature. */
export function checkEvidence(context: BlockContext, state: LedgerState, { offence }: EvidencePayload): Refusal | null {
  const charge = chargeOf(context, offence);
  if (charge === null)
    return refuse('not-an-offence', `this is no ${offence.kind}: one signer, this chain, and a conflict are needed`);
  const bond = readBond(state, addressOf(charge.offender));
  if (bond === undefined || !sameBytes(bond.publicKey, charge.offender))
    return refuse('not-bonded', 'whoever signed this has no bond');
  if (bond.slashed) return refuse('already-slashed', 'the bond of whoever signed this was slashed before');
  if (charge.earliestSlot < bond.bondedSlot)
    return refuse(
      'evidence-too-old',
      `the bond was made in slot ${bond.bondedSlot}, this was signed for an earlier one`,
    );
  return areValid(context.kernels, charge.signed)
    ? null
    : refuse('bad-evidence-signature', 'a signature in the evidence is not valid');
}

/** Applies checked `evidence`: the units go to the pool at once, the weight goes with the eras. */
export function applyEvidence(context: BlockContext, overlay: Overlay, { offence }: EvidencePayload): void {
  const { offender } = chargeOf(context, offence)!;
  slashWhole(context, overlay, readBond(overlay, addressOf(offender))!);
}

/** Whether all these signatures are valid by the project's one rule. */
export function areValid(kernels: LedgerKernels, signed: readonly SignedMessage[]): boolean {
  const { publicKeys, signatures, messages, offsets } = packSignedMessages(signed);
  const verdicts = new Uint8Array(signed.length);
  kernels.ed25519Verify(publicKeys, signatures, messages, offsets, verdicts);
  return verdicts.every((verdict) => verdict === 1);
}

/** What an offence comes to; null when it is none. Signatures are not looked at. */
function chargeOf(context: BlockContext, offence: Offence): Charge | null {
  switch (offence.kind) {
    case 'doubleVote':
      return isDoubleVote(offence.first, offence.second) ? chargeOfVotes(context, offence.first, offence.second) : null;
    case 'surroundVote':
      return surrounds(offence.first, offence.second) ? chargeOfVotes(context, offence.first, offence.second) : null;
    case 'doubleProposal':
      return chargeOfHeaders(context, offence);
    case 'decoyVote': {
      const root = decoyRoot(context.kernels, context.rules.chainId, offence.secret);
      return sameBytes(offence.vote.stateRoot, root) ? chargeOfVotes(context, offence.vote) : null;
    }
  }
}

function isDoubleVote(first: Vote, second: Vote): boolean {
  return first.targetSlot === second.targetSlot && !sameBytes(first.targetHash, second.targetHash);
}

function surrounds(outer: Vote, inner: Vote): boolean {
  return outer.sourceSlot < inner.sourceSlot && inner.targetSlot < outer.targetSlot;
}

function chargeOfVotes({ rules }: BlockContext, ...votes: readonly [Vote, ...Vote[]]): Charge | null {
  const [{ voter }] = votes;
  if (!votes.every((vote) => sameBytes(vote.voter, voter))) return null;
  const earliestSlot = toSlot(Math.min(...votes.map(({ targetSlot }) => targetSlot)));
  return { offender: voter, earliestSlot, signed: votes.map((vote) => voteSignature(rules.chainId, vote)) };
}

function chargeOfHeaders(
  { rules }: BlockContext,
  { first, second }: Extract<Offence, { readonly kind: 'doubleProposal' }>,
): Charge | null {
  const isOffence =
    first.slot === second.slot &&
    !sameBytes(first.hash, second.hash) &&
    sameBytes(first.leader, second.leader) &&
    [first, second].every(({ chainId }) => sameBytes(chainId, rules.chainId));
  if (!isOffence) return null;
  return {
    offender: first.leader,
    earliestSlot: first.slot,
    signed: [headerSignature(first), headerSignature(second)],
  };
}
