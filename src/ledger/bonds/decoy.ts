/**
 * `revealDecoy`: a leader owns up to a block that it made invalid on purpose, to find voters who vote without executing. The state root of a decoy is a digest of a
 * secret (`decoyRoot`), which no execution gives; so its maker can show it was meant, and whoever voted for it can be shown to have looked at nothing
 * (`evidence` of a decoyVote).
 *
 * The state keeps nothing of it: the block that holds the reveal says so to the consensus core (`BlockExecution.reveals`).
 */
import { type Hash, type PublicKey, type Slot, sameBytes } from '../../../native/index.ts';
import { decoyRoot, headerSignature, type RevealDecoyPayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { areValid } from './evidence.ts';

/** A decoy that a block has shown to be one. */
export interface Reveal {
  readonly hash: Hash;
  readonly slot: Slot;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

/** Checks of `revealDecoy`, in order: no-decoys, not-the-leader, not-a-decoy, already-revealed, bad-evidence-signature. */
export function checkReveal(
  context: BlockContext,
  { header, secret }: RevealDecoyPayload,
  from: PublicKey,
): Refusal | null {
  const { kernels, rules, slot, reveals } = context;
  if (rules.consensus.decoyIntervalSlots === 0) return refuse('no-decoys', 'this chain has no decoys');
  if (!sameBytes(header.leader, from)) return refuse('not-the-leader', 'only its leader reveals a decoy');
  const isDecoy =
    header.slot < slot &&
    sameBytes(header.chainId, rules.chainId) &&
    sameBytes(header.stateRoot, decoyRoot(kernels, rules.chainId, secret));
  if (!isDecoy)
    return refuse('not-a-decoy', 'the header is not of an earlier slot of this chain with a root from this secret');
  if (reveals.some(({ hash }) => sameBytes(hash, header.hash)))
    return refuse('already-revealed', 'this block reveals the decoy already');
  return areValid(kernels, [headerSignature(header)])
    ? null
    : refuse('bad-evidence-signature', "the decoy's signature is not valid");
}

/** Applies a checked `revealDecoy`. */
export function applyReveal({ reveals }: BlockContext, { header, secret }: RevealDecoyPayload): void {
  reveals.push({ hash: header.hash, slot: header.slot, secret });
}
