/**
 * What reading a log tells, and what it is told: batches and segments in order, and segments that other threads have checked already.
 *
 * Invariant: a proof says what the one who reads would have found; it never says that something is wrong.
 */
import type { Hash } from '../../native/index.ts';
import type { Frontier } from '../commitment/frontier.ts';
import type { OpsNodes } from '../commitment/ops-append.ts';
import type { Files } from '../files/files.ts';
import type { FrameKernels } from './frame.ts';
import type { LogPosition } from './log-position.ts';
import type { LogPositions, PositionsImage } from './positions.ts';
import type { KeptSegment } from './segment-list.ts';
import type { LogIdentity, Superblock } from './superblock.ts';

/** A batch met while reading the log; its bytes are borrowed for the call. */
export interface RecoveredBatch {
  readonly height: number;
  /** Ops in it, its head not counted. */
  readonly opCount: number;
  /** The inactivity floor that its head says. */
  readonly floor: number;
  readonly batch: Uint8Array;
  /** SHA-256('cairn/batch/1' || batch). */
  readonly digest: Hash;
  /** Number of its head, counted from 0 over the whole log. */
  readonly firstOp: number;
  /** Where its head, each op, and its end stand in `batch` (see `opOffsets`). */
  readonly offsets: Uint32Array;
}

/** A segment met while reading the log, before its batches. */
export interface RecoveredSegment {
  readonly index: number;
  /** The log before its first batch. */
  readonly first: LogPosition;
  /** The ops tree over all ops before `first.opCount`, as the header says. */
  readonly frontier: Frontier;
}

export interface LogVisitor {
  /** Sees every batch in order. */
  readonly visit: (batch: RecoveredBatch) => void;
  /**
   * Sees every segment before its batches. @returns the frontier as the visitor knows it: a header that says another is damaged.
   * Undefined when the visitor does not know it, as of the first segment.
   */
  readonly visitSegment: (segment: RecoveredSegment) => Frontier | undefined;
  /** Starts checking segments elsewhere; undefined where that does not pay. */
  readonly startProofs?: ((log: ProofOrder) => SegmentProofs | undefined) | undefined;
  /** A segment that was checked elsewhere, instead of `visit` for each of its batches. */
  readonly visitProven?: ((proof: SegmentProof) => void) | undefined;
  /** Sees every batch of such a segment behind `visitProven`; unless given they are not read again. @param firstOp number of its head */
  readonly visitAgain?: ((batch: Uint8Array, firstOp: number) => void) | undefined;
}

/** The log whose segments are to be checked. */
export interface ProofOrder {
  readonly directory: string;
  readonly identity: LogIdentity;
  readonly block: Superblock;
  /** Indexes of the segment files there are, ascending. */
  readonly present: readonly number[];
}

/** A whole segment without a fault, if its header says what the log before it has led to and no floor before it is higher than its first. */
export interface SegmentProof {
  readonly index: number;
  /** The bytes of its header. */
  readonly header: Uint8Array;
  /** Bytes of its file. */
  readonly end: number;
  /** The log behind it. */
  readonly tip: LogPosition;
  readonly positions: PositionsImage;
  /** `Frontier.encode` of the ops tree behind it. */
  readonly frontier: Uint8Array;
  /** What the ops tree keeps of it. */
  readonly nodes: readonly OpsNodes[];
}

/** Segments being checked elsewhere. */
export interface SegmentProofs {
  /** The proof of the next segment, asked for in order. @returns undefined when there is none, for whatever reason */
  next(index: number): Promise<SegmentProof | undefined>;
  /** Gives up; everything has ended when resolved. */
  stop(): Promise<void>;
}

export interface ScanInput extends LogVisitor {
  readonly files: Files;
  readonly kernels: FrameKernels;
  readonly directory: string;
  readonly identity: LogIdentity;
  /** The newest superblock: what is acknowledged. */
  readonly block: Superblock;
}

/** Where bytes are not as they must be. */
export interface Fault {
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/** Where the log must end: the first byte that does not belong to it, and why it does not. */
export interface Cut {
  readonly segment: number;
  /** 0: the whole segment file goes. */
  readonly offset: number;
  readonly fault: Fault;
}

/** What reading a log found. */
export interface ScannedLog {
  /** With open files: the caller closes them. */
  readonly segments: KeptSegment[];
  readonly positions: LogPositions;
  /** The end of the log. */
  readonly tip: LogPosition;
  /** Indexes of the segment files there are, ascending. */
  readonly present: readonly number[];
  /** The torn tail that recovery would cut, if there is one. */
  readonly cut: Cut | undefined;
}
