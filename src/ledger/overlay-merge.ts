/**
 * Walking two layers of keyed values in byte order: a block's own writes over what it inherits.
 */
import { byteKey } from '../../native/index.ts';

/** A key that a layer has written; a null value is a deletion. Sort by `key`. */
export interface OwnEntry<T> {
  /** `byteKey` of `keyBytes`. */
  readonly key: string;
  readonly keyBytes: Uint8Array;
  readonly value: T | null;
}

/** Every key of both layers once, ascending; own values win, deleted keys are left out. @param own sorted by key @param inherited ascending */
export function* mergedEntries<T>(
  own: readonly OwnEntry<T>[],
  inherited: Iterable<readonly [key: Uint8Array, value: T]>,
): Generator<readonly [key: Uint8Array, value: T]> {
  let next = 0;
  for (const below of inherited) {
    const inheritedKey = byteKey(below[0]);
    let shadowed = false;
    for (; next < own.length && own[next]!.key <= inheritedKey; next++) {
      const { key, keyBytes, value } = own[next]!;
      if (key === inheritedKey) shadowed = true;
      if (value !== null) yield [keyBytes, value];
    }
    if (!shadowed) yield below;
  }
  for (; next < own.length; next++) {
    const { keyBytes, value } = own[next]!;
    if (value !== null) yield [keyBytes, value];
  }
}

/** The entries of a map that pass, sorted by key. */
export function sortedEntries<E extends { readonly key: string }>(
  entries: Iterable<E>,
  pass: (entry: E) => boolean,
): E[] {
  return [...entries].filter(pass).sort((a, b) => (a.key < b.key ? -1 : 1));
}
