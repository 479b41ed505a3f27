/**
 * `prove` and `proveOpen`: an identity's proof, for one period, that it holds the replica it committed to. One a period, pending until validators settle it
 * (findings.ts) or the next proof or commit replaces it, which counts it as expired. One that comes after the deadline is written down as rejected, so that its
 * lateness can be seen.
 */
import { type Address, type Hash, sameBytes, ZERO_HASH } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { ProveOpenPayload, ProvePayload } from '../../codec/index.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { readDesignated } from './designated.ts';
import { rejected } from './findings.ts';
import { isLapsed } from './lapse.ts';
import type { MarketRules } from './market-rules.ts';
import { bitsSizeBytes, counted, putReplica, type ReplicaProof, type ReplicaRecord, readReplica } from './replica.ts';
import { isProofOpen, periodOfSlot, proofLastSlot, rotationOfPeriod } from './schedule.ts';
import { seatCount } from './seats.ts';

type ProofPayload = ProvePayload | ProveOpenPayload;

/** Checks of both, in order: mode-mismatch, replica-unknown, period-not-open, rotation-mismatch, already-proven, commit-too-late, replica-lapsed. */
export function checkProof(
  context: BlockContext,
  state: StateReader,
  payload: ProofPayload,
  sender: Address,
): Refusal | null {
  const { segment, period } = payload;
  const rules = context.rules.replication;
  const mismatch = modeMismatch(rules, payload);
  if (mismatch !== undefined) return refuse('mode-mismatch', mismatch);
  const record = readReplica(state, segment, sender);
  if (record === undefined) return refuse('replica-unknown', `the sender has not committed to segment ${segment}`);
  return (
    checkPeriod(context, payload, record) ??
    checkCommitted(rules, state, period, record) ??
    (isLapsed(rules, record, context.slot)
      ? refuse('replica-lapsed', `the replica of segment ${segment} has missed too many periods: commit to it anew`)
      : null)
  );
}

function modeMismatch({ mode }: MarketRules, payload: ProofPayload): string | undefined {
  const kind = mode === 'stream' ? 'prove' : 'proveOpen';
  if (payload.kind !== kind) return `proofs are of kind ${kind} in mode ${mode}, found ${payload.kind}`;
  const hasRoot = !sameBytes(payload.samplesRoot, ZERO_HASH);
  return mode === 'open' && hasRoot ? 'mode open has no samples root: it must be zero' : undefined;
}

function checkPeriod(
  { rules: { replication }, slot }: BlockContext,
  { period }: ProofPayload,
  record: ReplicaRecord,
): Refusal | null {
  if (!isProofOpen(replication, period, slot))
    return refuse(
      'period-not-open',
      `period is ${period}, slot ${slot} is in period ${periodOfSlot(replication, slot)}`,
    );
  const rotation = rotationOfPeriod(replication, period);
  if (rotation !== record.rotation)
    return refuse(
      'rotation-mismatch',
      `period ${period} is in rotation ${rotation}, the commit is for ${record.rotation}`,
    );
  if (period < record.nextPeriod)
    return refuse('already-proven', `period ${period} lies before the first that may be proven, ${record.nextPeriod}`);
  return null;
}

/** Openings prove something only of a root that stood in the ledger before the period's hash was known. */
function checkCommitted(
  { mode }: MarketRules,
  state: StateReader,
  period: number,
  { commitSlot }: ReplicaRecord,
): Refusal | null {
  if (mode === 'stream') return null;
  const designated = readDesignated(state, period);
  if (designated !== undefined && commitSlot <= designated.slot) return null;
  const than = designated === undefined ? 'is not settled yet' : `is that of slot ${designated.slot}`;
  return refuse('commit-too-late', `the replica was committed in slot ${commitSlot}, the period's hash ${than}`);
}

/** Applies a checked proof. */
export function applyProof(context: BlockContext, overlay: Overlay, payload: ProofPayload, sender: Address): void {
  const { segment, period } = payload;
  const record = readReplica(overlay, segment, sender)!;
  // As many bits as there are seats now: validators come and go.
  const validatorCount = seatCount(electorateNow(context, overlay));
  const bitsSize = bitsSizeBytes(validatorCount);
  const isLate = context.slot > proofLastSlot(context.rules.replication, period);
  const proof: ReplicaProof = {
    state: isLate ? 'rejected' : 'pending',
    slot: context.slot,
    sampleProof: payload.sampleProof,
    samplesRoot: payload.samplesRoot,
    openingDigest: digestOf(payload),
    spoken: new Uint8Array(bitsSize),
    sealed: new Uint8Array(bitsSize),
  };
  const expired = record.proof?.state === 'pending' ? counted(record.expired) : record.expired;
  const next = { ...record, validatorCount, expired, nextPeriod: period + 1, proof };
  putReplica(overlay, segment, sender, isLate ? rejected(next, 'late') : next);
}

function digestOf(payload: ProofPayload): Hash {
  return payload.kind === 'prove' ? ZERO_HASH : payload.openingDigest;
}
