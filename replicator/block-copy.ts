/**
 * Moving 16-byte cipher blocks between two orders, in memory. The only place that knows blocks as four 32-bit words.
 *
 * Owns nothing; the arrays are the caller's and must start at a multiple of 4 bytes of their buffers.
 */
import { CIPHER_BLOCK_SIZE_BYTES } from './geometry.ts';

const WORDS = 4;
/** Rows taken together, so that the lines written to stay in the first cache. */
const STRIP_ROWS = 16;

/** The blocks of `bytes` as 32-bit words: a view. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORDS);
}

/** A grid of blocks inside an array: where it starts, and how far apart its rows are. In blocks. */
export interface BlockGrid {
  readonly words: Int32Array;
  readonly start: number;
  readonly stride: number;
}

/** `to`[column][row] = `from`[row][column], for `rows` rows of `columns` blocks. */
export function transposeBlocks(from: BlockGrid, to: BlockGrid, rows: number, columns: number): void {
  const [source, target] = [from.words, to.words];
  for (let first = 0; first < rows; first += STRIP_ROWS) {
    const end = Math.min(rows, first + STRIP_ROWS);
    for (let column = 0; column < columns; column += 1) {
      let at = (from.start + first * from.stride + column) * WORDS;
      let out = (to.start + column * to.stride + first) * WORDS;
      for (let row = first; row < end; row += 1) {
        target[out] = source[at]!;
        target[out + 1] = source[at + 1]!;
        target[out + 2] = source[at + 2]!;
        target[out + 3] = source[at + 3]!;
        at += from.stride * WORDS;
        out += WORDS;
      }
    }
  }
}

/** An array of `blocks` zero blocks. */
export function newBlocks(blocks: number): Uint8Array {
  return new Uint8Array(blocks * CIPHER_BLOCK_SIZE_BYTES);
}
