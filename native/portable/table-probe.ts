/**
 * Finding one key in one table of 32-bit words: linear probing from its home line.
 *
 * Invariant: a probe ends after at most every slot was seen once, also on damaged bytes.
 */
import { tableCorrupt } from '../raw-kernels.ts';

/** A home line: two slots of 32 bytes, or one of 64. */
export const LINE_WORDS = 16;
/** -1 as a signed word: 2^32 - 1. */
export const TOMBSTONE = -1;

/** Whether the address at a slot is that of the key, both from their second word on. */
const isRestOf = (words: Int32Array, at: number, keys: Int32Array, key: number): boolean =>
  words[at + 1] === keys[key + 1] &&
  words[at + 2] === keys[key + 2] &&
  words[at + 3] === keys[key + 3] &&
  words[at + 4] === keys[key + 4];

/** Words from a line's first slot to its second; 0 where a line is one slot. */
export const secondOf = (slotWords: number): number => slotWords & (LINE_WORDS - 1);

/**
 * The slot of the key at word `key` if it stands in its home line, deleted or not; else -1. Nine keys of ten do, so there is no branch between the line's slots.
 * @param second what `secondOf` says @param last a slot's last word
 */
export function inHomeLine(
  words: Int32Array,
  home: number,
  second: number,
  last: number,
  keys: Int32Array,
  key: number,
): number {
  const first = keys[key]!;
  const difference = words[home]! ^ first;
  // All ones when the first slot is another's.
  const at = home + (((difference | (0 - difference)) >> 31) & second);
  const wrong =
    (words[at]! ^ first) |
    (words[at + 1]! ^ keys[key + 1]!) |
    (words[at + 2]! ^ keys[key + 2]!) |
    (words[at + 3]! ^ keys[key + 3]!) |
    (words[at + 4]! ^ keys[key + 4]!);
  return wrong === 0 && words[at + last] !== 0 ? at : -1;
}

/** The slot of the key at word `key`, deleted or not, or -1 - the empty slot where it would go. Throws `RangeError` where no slot is empty. */
export function probe(words: Int32Array, home: number, slotWords: number, keys: Int32Array, key: number): number {
  const first = keys[key]!;
  let at = home;
  for (let seen = 0; seen < words.length; seen += slotWords) {
    // An empty slot has zeros for an address, which may be the key's.
    if (words[at] === first && words[at + slotWords - 1] !== 0 && isRestOf(words, at, keys, key)) return at;
    if (words[at + slotWords - 1] === 0) return -1 - at;
    at += slotWords;
    if (at === words.length) at = 0;
  }
  throw tableCorrupt();
}

/** What `probe` says, after a look into the home line. */
export function find(words: Int32Array, home: number, slotWords: number, keys: Int32Array, key: number): number {
  const at = inHomeLine(words, home, secondOf(slotWords), slotWords - 1, keys, key);
  return at < 0 ? probe(words, home, slotWords, keys, key) : at;
}
