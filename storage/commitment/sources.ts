/**
 * What the commitment needs of the durable state under it: where a key's latest op stands, and the ops of the log. Ports: `StateStore`
 * implements them; before genesis there is nothing (`NO_POSITIONS`, `NO_TWIGS`).
 */
import { CommitmentError } from './commitment-error.ts';

/** Ops of a twig: one chunk of the activity bitmap, one node of level 8 of the ops tree. */
export const TWIG_OPS = 256;

/** Where the latest op of each key stands in the durable log, counted over all of it; -1 for a key without one, or deleted. */
export interface PositionSource {
  /** @param addresses n * 20 bytes @param positions n, written */
  accountPositions(addresses: Uint8Array, positions: Float64Array): void;
  /** @param addresses n * 20 bytes @param positions n, written */
  bondPositions(addresses: Uint8Array, positions: Float64Array): void;
  recordPosition(key: Uint8Array): number;
}

/** The kept ops of one twig, packed. */
export interface TwigOps {
  /** Number of the first: the twig's own first, unless that is no longer kept. */
  readonly firstOp: number;
  readonly bytes: Uint8Array;
  /** n + 1: op i is bytes[offsets[i] .. offsets[i + 1]]. */
  readonly offsets: Uint32Array;
}

/** The durable log, read op by op; synchronous. */
export interface TwigSource {
  /** First op kept. */
  readonly firstOp: number;
  /** Ops of twig `index` (ops 256 * index ..) as far as they are durable and kept. Borrowed until the next call. */
  readTwig(index: number): TwigOps;
  /** Height of the batch that holds an op. */
  heightOf(op: number): number;
}

/** No keys: the state before genesis. */
export const NO_POSITIONS: PositionSource = {
  accountPositions: (_addresses, positions) => void positions.fill(-1),
  bondPositions: (_addresses, positions) => void positions.fill(-1),
  recordPosition: () => -1,
};

/** No ops: the log before genesis. */
export const NO_TWIGS: TwigSource = {
  firstOp: 0,
  readTwig: (index) => {
    throw new CommitmentError('op-range', `there is no log, and so no twig ${index}`);
  },
  heightOf: (op) => {
    throw new CommitmentError('op-range', `there is no log, and so no op ${op}`);
  },
};
