/**
 * Account proofs: an account has a balance in the state after a block that the reader trusts by its hash. Checked offline.
 *
 * The file is a state proof (storage's) whose opaque header is a block header: its hash is what is trusted, its state root what the proof
 * must lead to. docs/format/proofs.md has the bytes.
 */
import { type Address, address, type Kernels, sameBytes } from '../../native/index.ts';
import {
  decodeStateProof,
  STATE_PROOF_SIZE_BYTES_MAX,
  StateProofError,
  type StateProofRefusal,
  verifyStateProof,
} from '../../storage/commitment/state-proof.ts';
import { CodecError } from './codec-error.ts';
import { decodeHeader } from './header.ts';
import type { BlockHeader } from './model.ts';

/** Most bytes of an account proof's file. */
export const ACCOUNT_PROOF_SIZE_BYTES_MAX: number = STATE_PROOF_SIZE_BYTES_MAX;

export type AccountProofFault =
  /** The bytes are no account proof. */
  | 'malformed'
  /** The proof is of another block than the trusted one. */
  | 'block'
  /** The proof is of a record or a bond. */
  | 'not-an-account'
  | StateProofRefusal;

export type AccountProofVerdict =
  | { readonly holds: true; readonly header: BlockHeader; readonly address: Address; readonly balance: bigint }
  | { readonly holds: false; readonly fault: AccountProofFault; readonly message: string };

/**
 * Checks an account proof (hostile bytes) against a trusted block.
 * @param trusted its height and its hash, 32 bytes
 */
export function verifyAccountProof(
  kernels: Pick<Kernels, 'sha256' | 'sha256Pairs'>,
  bytes: Uint8Array,
  trusted: { readonly height: number; readonly hash: Uint8Array },
): AccountProofVerdict {
  const refuse = (fault: AccountProofFault, message: string): AccountProofVerdict => ({ holds: false, fault, message });
  try {
    const proof = decodeStateProof(bytes);
    const header = decodeHeader(kernels, proof.header);
    if (header.height !== trusted.height || !sameBytes(header.hash, trusted.hash))
      return refuse('block', `it is of the state after block ${header.height}, not of the trusted one`);
    const verdict = verifyStateProof(kernels, proof, header.stateRoot);
    if (!verdict.holds) return refuse(verdict.reason, REASONS[verdict.reason]);
    const { entry } = verdict;
    if (entry.kind !== 'putAccount') return refuse('not-an-account', 'it is of a record or a bond');
    return { holds: true, header, address: address(entry.address), balance: entry.balance };
  } catch (error) {
    if (error instanceof StateProofError || error instanceof CodecError) return refuse('malformed', error.message);
    throw error;
  }
}

const REASONS: Readonly<Record<StateProofRefusal, string>> = {
  op: 'its op is none',
  'op-kind': 'its op sets nothing',
  path: 'a path does not fit its tree',
  inactive: 'a later op has replaced the proven one',
  counts: 'its counts contradict each other',
  root: "it does not lead to the block's state root",
};
