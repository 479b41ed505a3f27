/**
 * The state's commitment: what a block header's state root says, advanced by one batch of ops at a time.
 *
 * `Commitment` is the wall that stays; behind it stands, for now, the chained digest:
 *   root' = SHA-256('cairn/state/1' || root || SHA-256('cairn/batch/1' || batch))
 * from 32 zero bytes before batch 0 (genesis). The ops tree and the activity bitmap come behind the same face.
 *
 * Invariants: immutable; equal batches in equal order give equal roots on every node.
 */
import { type Hash, hash, type Kernels, ZERO_HASH } from '../../native/index.ts';

const STATE_TAG: Uint8Array = new TextEncoder().encode('cairn/state/1');
/** ASCII tag before a batch's bytes in its digest. */
export const BATCH_TAG: Uint8Array = new TextEncoder().encode('cairn/batch/1');

export interface Commitment {
  /** State root after every batch so far. Borrowed: do not write to it. */
  readonly root: Hash;
  /**
   * The commitment after one more batch (borrowed for the call).
   * @param digest the batch's digest when the caller has it already (`batchDigest`); trusted
   */
  next(batch: Uint8Array, digest?: Hash): Commitment;
}

/** SHA-256('cairn/batch/1' || batch). */
export function batchDigest(kernels: Pick<Kernels, 'sha256'>, batch: Uint8Array): Hash {
  const tagged = new Uint8Array(BATCH_TAG.length + batch.length);
  tagged.set(BATCH_TAG, 0);
  tagged.set(batch, BATCH_TAG.length);
  return hash(kernels.sha256(tagged));
}

class ChainedCommitment implements Commitment {
  readonly root: Hash;
  readonly #kernels: Pick<Kernels, 'sha256'>;

  constructor(kernels: Pick<Kernels, 'sha256'>, root: Hash) {
    this.#kernels = kernels;
    this.root = root;
  }

  next(batch: Uint8Array, digest: Hash = batchDigest(this.#kernels, batch)): Commitment {
    const input = new Uint8Array(STATE_TAG.length + 64);
    input.set(STATE_TAG, 0);
    input.set(this.root, STATE_TAG.length);
    input.set(digest, STATE_TAG.length + 32);
    return new ChainedCommitment(this.#kernels, hash(this.#kernels.sha256(input)));
  }
}

/** The commitment before batch 0. */
export function emptyCommitment(kernels: Pick<Kernels, 'sha256'>): Commitment {
  return new ChainedCommitment(kernels, ZERO_HASH);
}
