/**
 * What a node serves fast syncs from: its durable state at a recent height, piece by piece. A port: `StateStore` implements it.
 *
 * Invariant: a manifest and the pieces of it are made of durable ops only, whatever is appended meanwhile.
 */

import { CommitmentError } from '../commitment/commitment-error.ts';
import type { RangeProof } from '../commitment/range-proof.ts';
import { StorageError } from '../errors.ts';
import type { OpRange } from '../oplog/positions.ts';
import type { StateManifest } from './manifest.ts';
import { encodePiece, fittingOps } from './piece.ts';
import type { OpSpan } from './piece-plan.ts';

export interface StateSource {
  /** Lowest and highest height whose state can be served now; undefined when none can. */
  heights(): { readonly first: number; readonly last: number } | undefined;
  /** The manifest of a height; undefined outside `heights`. */
  manifest(height: number): StateManifest | undefined;
  /** First op kept, and ops durable. */
  readonly firstOp: number;
  readonly opCount: number;
  /** Height of the batch that holds a kept op. Throws `StorageError` 'not-found'. */
  heightOf(op: number): number;
  /** Kept ops, at most 64 Ki. Rejects with `StorageError` 'not-found', `CorruptionError`. */
  readOps(from: number, to: number): Promise<OpRange>;
  /** Proof of kept ops in the tree of the first `size` ops. Throws `CommitmentError` 'op-range'. */
  rangeProof(from: number, to: number, size: number): RangeProof;
  /** Keeps the segments with ops from `fromOp` on, until the result is called. Throws `StorageError` 'not-found'. */
  pin(fromOp: number): () => void;
}

/**
 * The piece for ops `span` (at most `PIECE_OPS`) in the tree of the first `size` ops; shorter when they do not fit.
 * Rejects with `StorageError` 'not-found' for ops that are not kept any more.
 */
export async function readPieceFrame(source: StateSource, { from, to }: OpSpan, size: number): Promise<Uint8Array> {
  const { bytes, offsets } = await source.readOps(from, to);
  if (source.firstOp > from) throw new StorageError('not-found', `op ${from} is not kept any more`);
  const count = fittingOps(offsets);
  return encodePiece({
    count,
    headsAfter: headsAfter(source, from, from + count) - from,
    proof: proofOf(source, { from, to: from + count }, size),
    bytes: bytes.subarray(offsets[0], offsets[count]),
  });
}

/** Ops can be deleted while they are read. */
function proofOf(source: StateSource, { from, to }: OpSpan, size: number): RangeProof {
  try {
    return source.rangeProof(from, to, size);
  } catch (error) {
    if (error instanceof CommitmentError && error.code === 'op-range')
      throw new StorageError('not-found', error.message, { cause: error });
    throw error;
  }
}

/** Number of the first head of a batch among ops `from` .. `to`; `to` when there is none. */
function headsAfter(source: StateSource, from: number, to: number): number {
  if (from === source.firstOp) return from;
  const before = source.heightOf(from - 1);
  let [low, high] = [from, to];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (source.heightOf(middle) > before) high = middle;
    else low = middle + 1;
  }
  return low;
}
