/**
 * A table's shards as the portable kernels take them: 32-bit words, and shifts that turn a hash's high word into a line. Owns: nothing; the tables are the caller's.
 */
import type { TableShards } from '../kernels.ts';
import { isAligned } from './table-arena.ts';
import { LINE_WORDS } from './table-probe.ts';

/** A shard's tables as words; shifts turn a hash's high word into a line. */
export interface Shard {
  readonly table: Int32Array;
  readonly shift: number;
  readonly old: Int32Array | undefined;
  readonly oldShift: number;
  readonly oldMask: number;
  /** Slots that may be used. */
  readonly limit: number;
}

export const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
const shiftOf = (words: Int32Array): number => 32 - Math.log2(words.length / LINE_WORDS);

/** Stands for a shard that is held elsewhere: always empty, never written. */
export const ELSEWHERE: Shard = {
  table: new Int32Array(2 * LINE_WORDS),
  shift: 31,
  old: undefined,
  oldShift: 31,
  oldMask: -1,
  limit: 0,
};

function shardOf({ slotSizeBytes, tables, olds }: TableShards, index: number): Shard {
  if (tables[index]!.length === 0) return ELSEWHERE;
  const table = wordsOf(tables[index]!);
  const old = olds[index]!.length === 0 ? undefined : wordsOf(olds[index]!);
  const limit = ((old ?? table).length * 4) / slotSizeBytes / 2;
  const oldShift = old === undefined ? 31 : shiftOf(old);
  return { table, shift: shiftOf(table), old, oldShift, oldMask: (old?.length ?? 0) / LINE_WORDS - 1, limit };
}

/** A table's shards as words, and how far behind a line's first word the second is that must be read to have all of it in the cache. */
export interface Known {
  readonly all: readonly Shard[];
  readonly lineEnd: number;
}

/** Kept while its TableShards lives. */
const known = new WeakMap<TableShards, Known>();

export function shardsOf(shards: TableShards): Known {
  const found = known.get(shards);
  if (found !== undefined) return found;
  const all = shards.tables.map((_, index) => shardOf(shards, index));
  const held = [...shards.tables, ...shards.olds].filter(({ length }) => length > 0);
  // An array need not begin with a line of the processor's cache; then its lines lie in two of those each.
  const made = { all, lineEnd: held.every(isAligned) ? 0 : LINE_WORDS - 1 };
  known.set(shards, made);
  return made;
}
