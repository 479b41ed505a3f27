/** What goes into a history and comes out of it. */
import type { Hash, Height, Kernels, Slot } from '../../native/index.ts';
import type { Files } from '../files/files.ts';
import type { KeyValues } from '../key-value/key-value.ts';
import type { HistoryShape } from './cursor.ts';
import type { TransactionKey } from './history-index.ts';

/** Where a history begins that does not begin at block 1 (a fast-synced node). */
export interface HistoryStart {
  /** Height of the first block that will be appended. */
  readonly height: number;
  /** Roots of all complete segments before, packed, 32 bytes each. */
  readonly segmentRoots: Uint8Array;
  /** Bytes of the unfinished segment, from its border to where that block begins. */
  readonly unfinished: Uint8Array;
}

export interface HistoryOptions extends HistoryShape {
  readonly directory: string;
  readonly kernels: Kernels;
  /** The real disk unless given. */
  readonly files?: Files;
  /** For the index; the real disk's unless given. */
  readonly keyValues?: KeyValues;
  /** Used when the folder holds no history yet; block 1 unless given. */
  readonly start?: HistoryStart;
}

/** A finalized block to keep. */
export interface HistoryBlock {
  readonly height: Height;
  readonly slot: Slot;
  readonly hash: Hash;
  /** Borrowed until `append` resolves. */
  readonly bytes: Uint8Array;
  readonly transactions: readonly TransactionKey[];
}

/** One whole segment of the stream. */
export interface SegmentReader {
  readonly index: number;
  readonly sizeBytes: number;
  readonly root: Hash;
  /** Bytes from `offset` within the segment, fewer at its end (copied). At most 64 MiB a call. Throws `PrunedError` once it is pruned. */
  read(offset: number, sizeBytes: number): Promise<Uint8Array>;
}
