/**
 * Layers: a replica is the segment encrypted L times, with a fixed transposition of its 16-byte blocks between two passes. L = 1 is the
 * whitepaper's scheme. Decoding stays local: one original block depends on at most 2^L blocks of the replica.
 *
 * The transposition writes n blocks row by row into B columns and reads them column by column; block i goes to where column i mod B, row
 * floor(i / B) lies. B is the least number with B^L >= n, so L passes chain along L different axes: two neighbours of one pass lie a whole
 * pass apart in the others, and a checkpoint kept in one pass regenerates only its own stretch of that pass.
 *
 * Byte layouts: docs/format/proofs.md, "Layers".
 */
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { ReplicatorError } from './errors.ts';
import type { ReplicaCipher } from './key.ts';

/** How often a segment is encrypted. */
export type LayerCount = 1 | 2 | 4;

const LAYER_TAG = utf8ToBytes('cairn/replica-layer/1');

/** The layer count a number from outside names, or undefined. */
export function layerCount(value: number): LayerCount | undefined {
  return value === 1 || value === 2 || value === 4 ? value : undefined;
}

/** Throws `ReplicatorError` 'parameters' for a number that is no layer count. */
export function requireLayers(value: number): LayerCount {
  const layers = layerCount(value);
  if (layers === undefined) throw new ReplicatorError('parameters', `layers must be 1, 2 or 4, got ${value}`);
  return layers;
}

/**
 * Key and IV of each pass, the first pass's first. Pass 1 has the replica's own; pass p > 1 has bytes 0..31 and 32..47 of
 * SHA-512(tag || key || IV || p u8).
 */
export function layerCiphers(cipher: ReplicaCipher, layers: LayerCount): ReplicaCipher[] {
  return Array.from({ length: layers }, (_, index) => {
    if (index === 0) return cipher;
    const digest = sha512(concatBytes(LAYER_TAG, cipher.key, cipher.iv, Uint8Array.of(index + 1)));
    return { key: digest.slice(0, 32), iv: digest.slice(32, 48) };
  });
}

/** The matrix a transposition goes through. */
export interface BlockMatrix {
  /** Blocks in all, n. */
  readonly blockCount: number;
  /** Columns, B. */
  readonly columnCount: number;
  /** Rows, the last of which may be short: ceil(n / B). */
  readonly rowCount: number;
}

/** The matrix for `blockCount` blocks (at least 1) in `layers` passes. */
export function blockMatrix(blockCount: number, layers: LayerCount): BlockMatrix {
  let columnCount = Math.max(1, Math.floor(blockCount ** (1 / layers)) - 1);
  while (columnCount ** layers < blockCount) columnCount += 1;
  return { blockCount, columnCount, rowCount: Math.ceil(blockCount / columnCount) };
}

/** Blocks in column `column`: all rows, or one less where the last row is short. */
export function columnLength({ blockCount, columnCount, rowCount }: BlockMatrix, column: number): number {
  return column < blockCount - (rowCount - 1) * columnCount ? rowCount : rowCount - 1;
}

/** Where column `column` starts in column order. */
export function columnStart({ blockCount, columnCount, rowCount }: BlockMatrix, column: number): number {
  const long = blockCount - (rowCount - 1) * columnCount;
  return column * (rowCount - 1) + Math.min(column, long);
}

/** Where block `index` of one pass's output stands in the next pass's input. */
export function transposedIndex(matrix: BlockMatrix, index: number): number {
  const column = index % matrix.columnCount;
  return columnStart(matrix, column) + Math.floor(index / matrix.columnCount);
}
