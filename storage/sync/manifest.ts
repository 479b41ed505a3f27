/**
 * The manifest of a state: what a fast sync must know before it takes the first piece, and why it may believe it.
 *
 * A manifest is believed when
 * - its counts and roots hash to the state root of a header that the caller trusts (state-root.ts); and
 * - its first op, which that root does not cover, is proven by the piece [firstOp, firstOp + 1) to be the head of the first batch of a
 *   segment: its frame offset lies in another segment than the frame before it. A log that begins there has the same files as any other.
 *
 * What remains: from height 2,626,565 on somebody could grind an address whose bond's 64 bytes read as such a head. No log begins there, which
 * shows with the first pieces (state-stage.ts): the manifest's givers are to blame then, too.
 *
 * Invariant: nothing of a manifest is used before `checkManifest` returned.
 */
import { type Hash, sameBytes } from '../../native/index.ts';
import type { Frontier } from '../commitment/frontier.ts';
import { type StateSummary, stateRoot } from '../commitment/state-root.ts';
import { type BatchHead, readBatchHead } from '../oplog/batch.ts';
import { segmentOfFrame } from '../oplog/segment.ts';
import { type OpsTree, type PieceKernels, readPiece } from './piece.ts';
import { SyncFault } from './sync-fault.ts';

/** What a peer says of the state after a height. Numbers are safe integers; hashes 32 bytes. */
export interface StateManifest extends StateSummary, OpsTree {
  /** The first op to be had: the first of the segment that holds the floor. */
  readonly firstOp: number;
}

/** The point to reach: a height, and the state root after its batch, from a header that the caller trusts. */
export interface SyncTarget {
  readonly height: number;
  readonly root: Hash;
}

/** A manifest that was checked, with the log before its first op. */
export interface CheckedManifest {
  readonly manifest: StateManifest;
  /** The head at `firstOp`. */
  readonly head: BatchHead;
  /** The ops tree before `firstOp`. */
  readonly frontier: Frontier;
}

export interface ManifestCheck {
  readonly kernels: PieceKernels;
  readonly chainId: Uint8Array;
  readonly target: SyncTarget;
  /** Where the log's segments are cut. */
  readonly segmentSizeBytes: number;
}

/**
 * Checks a peer's manifest (hostile) against the target.
 * @param start the frame of piece [firstOp, firstOp + 1); borrowed
 * Throws `SyncFault` 'wrong-manifest', 'wrong-start', or as `readPiece`.
 */
export function checkManifest(check: ManifestCheck, manifest: StateManifest, start: Uint8Array): CheckedManifest {
  const { kernels, target, chainId, segmentSizeBytes } = check;
  if (!sameBytes(stateRoot(kernels, manifest), target.root))
    throw new SyncFault('wrong-manifest', `it does not hash to the state root of height ${target.height}`);
  const { firstOp, floor, opCount } = manifest;
  if (firstOp > floor || floor > opCount || firstOp >= opCount)
    throw new SyncFault('wrong-start', `ops ${firstOp} .. ${opCount} cannot hold the floor ${floor}`);
  const piece = readPiece(kernels, start, firstOp, manifest);
  if (piece.to !== firstOp + 1 || piece.firstHead !== firstOp)
    throw new SyncFault('wrong-start', `op ${firstOp} must come alone and be the head of a batch`);
  const head = headOf(piece.bytes);
  if (head.height > target.height) throw new SyncFault('wrong-start', `op ${firstOp} is of height ${head.height}`);
  requireSegmentStart(head, firstOp, chainId, segmentSizeBytes);
  return { manifest, head, frontier: piece.before };
}

function headOf(bytes: Uint8Array): BatchHead {
  try {
    return readBatchHead(bytes);
  } catch (error) {
    throw new SyncFault('wrong-start', (error as Error).message);
  }
}

function requireSegmentStart(head: BatchHead, firstOp: number, chainId: Uint8Array, segmentSizeBytes: number): void {
  const { frameOffset, previousFrameSizeBytes, height } = head;
  if (firstOp === 0) {
    if (height !== 0 || frameOffset !== 0 || !sameBytes(head.previousDigest, chainId))
      throw new SyncFault('wrong-start', 'op 0 is not the beginning of this chain');
    return;
  }
  const before = segmentOfFrame(frameOffset - previousFrameSizeBytes, segmentSizeBytes);
  if (height === 0 || previousFrameSizeBytes === 0 || before === segmentOfFrame(frameOffset, segmentSizeBytes))
    throw new SyncFault('wrong-start', `op ${firstOp} does not begin a segment of ${segmentSizeBytes} bytes`);
}
