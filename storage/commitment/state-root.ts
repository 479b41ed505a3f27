/**
 * The state root: what a block header says of the state after it.
 *
 *   SHA-256('cairn/state/2' || ops root 32 || activity root 32 || op count u64 || floor u64)
 *
 * Op count and floor are under it, so that a syncing node knows what it must fetch before it fetches anything.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';
import { HASH_SIZE_BYTES } from './merkle.ts';

/** ASCII tag before the parts of a state root. */
export const STATE_TAG: Uint8Array = new TextEncoder().encode('cairn/state/2');

export interface StateSummary {
  /** Root of the ops tree, 32 bytes. */
  readonly opsRoot: Uint8Array;
  /** Root of the activity tree, 32 bytes. */
  readonly activityRoot: Uint8Array;
  /** Ops of the log, heads of batches included. */
  readonly opCount: number;
  /** Number of the oldest active op; `opCount` when there is none. */
  readonly floor: number;
}

/** The state root over its parts. */
export function stateRoot(kernels: Pick<Kernels, 'sha256'>, summary: StateSummary): Hash {
  const countsAt = STATE_TAG.length + 2 * HASH_SIZE_BYTES;
  const input = new Uint8Array(countsAt + 16);
  input.set(STATE_TAG, 0);
  input.set(summary.opsRoot, STATE_TAG.length);
  input.set(summary.activityRoot, STATE_TAG.length + HASH_SIZE_BYTES);
  const view = new DataView(input.buffer);
  view.setBigUint64(countsAt, BigInt(summary.opCount), true);
  view.setBigUint64(countsAt + 8, BigInt(summary.floor), true);
  return hash(kernels.sha256(input));
}
