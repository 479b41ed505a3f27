/**
 * Many items of a column at once: copied side by side, as the kernels want them, or exchanged against others.
 *
 * Numbers of items are ascending. Where they are all in a row the memory is moved as one piece.
 */
import { type HashColumn, ITEM_WORDS } from './hash-column.ts';

/** Items of one column and their other values. */
export interface ColumnPatch {
  /** Ascending numbers. */
  readonly indexes: Float64Array;
  readonly words: Int32Array;
}

/** The memory of words as bytes. */
export const bytesOf = (words: Int32Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** True when the first `count` numbers are one after another: their items lie side by side. */
export const inARow = (indexes: Float64Array, count: number): boolean =>
  indexes[count - 1]! - indexes[0]! === count - 1;

/** Copies groups of `size` items, group i from number indexes[i] * size on, side by side into `words`. */
export function gather(
  column: HashColumn,
  indexes: Float64Array,
  count: number,
  size: number,
  words: Int32Array,
): void {
  const { words: from, first } = column;
  const groupWords = size * ITEM_WORDS;
  for (let index = 0, to = 0; index < count; index++) {
    const at = (indexes[index]! * size - first) * ITEM_WORDS;
    for (let word = 0; word < groupWords; word++) words[to++] = from[at + word]!;
  }
}

/** Exchanges items of a column with those given. */
export function exchangeItems(column: HashColumn, { indexes, words }: ColumnPatch): void {
  const { words: held, first } = column;
  if (inARow(indexes, indexes.length)) {
    const at = (indexes[0]! - first) * ITEM_WORDS;
    const before = held.slice(at, at + words.length);
    held.set(words, at);
    words.set(before);
    return;
  }
  for (let index = 0, other = 0; index < indexes.length; index++) {
    const at = (indexes[index]! - first) * ITEM_WORDS;
    for (let word = 0; word < ITEM_WORDS; word++, other++) {
      const value = held[at + word]!;
      held[at + word] = words[other]!;
      words[other] = value;
    }
  }
}
