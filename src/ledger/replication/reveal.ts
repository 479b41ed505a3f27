/**
 * `revealFake`: an identity shows that its last proof was made to be wrong (fakes.ts). Every validator that approved it, or never opened what it
 * had sealed on it, is at fault; the identity is treated as
 * if it had proven the period, so that making fakes costs nothing, within a share of its proofs, so that it does not pay to prove nothing else.
 */
import { type Address, sameBytes, ZERO_HASH } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { RevealFakePayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { acceptFake } from './accept.ts';
import { readDesignated } from './designated.ts';
import { type FakeSubject, fakeOpeningHead, fakeSamplesRoot, openingDigestOf } from './fakes.ts';
import { punishApprovals } from './findings.ts';
import { type IdentityRecord, putIdentity, readIdentity } from './identity.ts';
import { PERMILLE } from './market-rules.ts';
import { counted, putReplica, type ReplicaProof, type ReplicaRecord, readReplica } from './replica.ts';
import { proofLastSlot, revealSlots } from './schedule.ts';
import { WordReader } from './seals.ts';

/** Checks of `revealFake`, in order: replica-unknown, no-such-proof, reveal-not-open, not-a-fake, too-many-fakes. */
export function checkReveal(
  context: BlockContext,
  state: StateReader,
  payload: RevealFakePayload,
  sender: Address,
): Refusal | null {
  const { segment, period } = payload;
  const record = readReplica(state, segment, sender);
  if (record === undefined) return refuse('replica-unknown', `the sender has not committed to segment ${segment}`);
  const { proof } = record;
  if (proof === null || record.nextPeriod !== period + 1 || proof.state === 'revealed')
    return refuse(
      'no-such-proof',
      `the sender's last proof of segment ${segment} is not an unrevealed one for period ${period}`,
    );
  const { first, last } = revealSlots(context.rules.replication, period);
  const isLate = proof.slot > proofLastSlot(context.rules.replication, period);
  if (isLate || context.slot < first || context.slot > last)
    return refuse(
      'reveal-not-open',
      `a proof of period ${period} that was in time is revealed in slots ${first} .. ${last}, this is ${context.slot}`,
    );
  const periodHash = readDesignated(state, period)?.pohHash;
  if (periodHash === undefined || !isFake(context, proof, { identity: sender, segment, period, periodHash }, payload))
    return refuse('not-a-fake', 'this secret does not give the proof that stands in the ledger');
  return checkShare(context, readIdentity(state, sender)!);
}

/** Whether the secret gives every part of the proof that the mode has. */
function isFake(
  { rules, kernels }: BlockContext,
  proof: ReplicaProof,
  subject: FakeSubject,
  { secret, restHash }: RevealFakePayload,
): boolean {
  const { mode } = rules.replication;
  const rootFits = mode === 'open' || sameBytes(proof.samplesRoot, fakeSamplesRoot(kernels, subject, secret));
  if (mode === 'stream') return rootFits && sameBytes(restHash, ZERO_HASH);
  const head = fakeOpeningHead(kernels, subject, secret);
  return rootFits && sameBytes(proof.openingDigest, openingDigestOf(kernels, head, restHash));
}

function checkShare({ rules }: BlockContext, { accepted, fakes }: IdentityRecord): Refusal | null {
  const { fakeSharePermille } = rules.replication;
  if ((fakes + 1) * PERMILLE <= fakeSharePermille * (accepted + fakes + 1)) return null;
  return refuse(
    'too-many-fakes',
    `${fakes} fakes beside ${accepted} accepted proofs: one more would be above ${fakeSharePermille} thousandths`,
  );
}

/** Applies a checked reveal. */
export function applyReveal(
  context: BlockContext,
  overlay: Overlay,
  payload: RevealFakePayload,
  sender: Address,
): void {
  const { segment, period } = payload;
  const record = readReplica(overlay, segment, sender)!;
  const proof = record.proof!;
  const revealed: ReplicaRecord = { ...record, proof: { ...proof, state: 'revealed' } };
  const words = new WordReader(context.kernels, overlay, period);
  punishApprovals(context, overlay, { segment, identity: sender }, proof, words);
  if (proof.state !== 'accepted') {
    acceptFake(context, overlay, { segment, identity: sender, period }, revealed);
    return;
  }
  // Approved by a supermajority that did not check: the period was paid for then.
  const identity = readIdentity(overlay, sender)!;
  putIdentity(overlay, sender, { ...identity, fakes: counted(identity.fakes) });
  putReplica(overlay, segment, sender, revealed);
}
