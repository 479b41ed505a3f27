/**
 * The account table's kernels in TypeScript: batched lookup, insert, delete and moving, over 32-bit words of the tables.
 *
 * A chunk of keys is hashed, then every home line is read, so that the memory's latency is paid side by side, then every key is looked for in its home line, and those
 * that are not there last: their next lines are read side by side too. The order of inserts, and so every byte, is that of the native twin. Owns: nothing; the tables
 * are the caller's.
 */
import type { TableShards } from '../kernels.ts';
import { type RawKernels, tableCorrupt, tableFull } from '../raw-kernels.ts';
import { chunkOf, type SipHasher } from './siphash.ts';
import { tableArena } from './table-arena.ts';
import { find, inHomeLine, LINE_WORDS, probe, secondOf, TOMBSTONE } from './table-probe.ts';

const ADDRESS_WORDS = 5;
const STATE_WORDS = 4;
const [LIVE, TOMBSTONES, START, MOVED] = [0, 1, 2, 3];
const POSITION_MAX = 2 ** 32 - 2;

/** A shard's tables as words; shifts turn a hash's high word into a line. */
interface Shard {
  readonly table: Int32Array;
  readonly shift: number;
  readonly old: Int32Array | undefined;
  readonly oldShift: number;
  readonly oldMask: number;
  /** Slots that may be used. */
  readonly limit: number;
}

const wordsOf = (bytes: Uint8Array): Int32Array => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
const shiftOf = (words: Int32Array): number => 32 - Math.log2(words.length / LINE_WORDS);

/** Stands for a shard that is held elsewhere: always empty, never written. */
const ELSEWHERE: Shard = {
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

/** A table's shards as words, kept while its TableShards lives. */
const known = new WeakMap<TableShards, Shard[]>();

function shardsOf(shards: TableShards): Shard[] {
  const found = known.get(shards);
  if (found !== undefined) return found;
  const made = shards.tables.map((_, index) => shardOf(shards, index));
  known.set(shards, made);
  return made;
}

type TableKernels = Pick<
  RawKernels,
  'tableRead' | 'tablePut' | 'tableDelete' | 'tableMissing' | 'tableMove' | 'tableArena'
>;

/** A chunk of keys on its way: what the hasher has of them, then where they belong and where they are. */
interface Stage extends SipHasher {
  readonly homes: Int32Array;
  /** The table each key belongs to. */
  readonly sides: Int32Array[];
  /** Room for those that are not in their home lines. */
  readonly missed: Int32Array;
  /** Takes what only had to be read. */
  readonly sink: Int32Array;
}

/** Hashes a chunk, and reads a word of every home. */
function enter(
  stage: Stage,
  shards: TableShards,
  all: readonly Shard[],
  bytes: Uint8Array,
  stride: number,
  from: number,
  count: number,
): void {
  stage.hash(shards.secret, bytes, stride, from, count);
  const { hashes, homes, sides, sink } = stage;
  const { state } = shards;
  const mask = all.length - 1;
  for (let i = 0; i < count; i++) {
    const index = hashes[2 * i]! & mask;
    const high = hashes[2 * i + 1]!;
    const shard = all[index]!;
    let words = shard.table;
    let line = high >>> shard.shift;
    if (shard.old !== undefined) {
      const oldLine = high >>> shard.oldShift;
      if (((oldLine - state[STATE_WORDS * index + START]!) & shard.oldMask) >= state[STATE_WORDS * index + MOVED]!) {
        words = shard.old;
        line = oldLine;
      }
    }
    sides[i] = words;
    homes[i] = line * LINE_WORDS;
  }
  // A loop of its own: the shorter, the more reads are under way at once. Both ends, because an array need not begin with a line of the processor's cache.
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const words = sides[i]!;
    const home = homes[i]!;
    sum ^= words[home]! ^ words[home + LINE_WORDS - 1]!;
  }
  sink[0] = sum;
}

/** Reads the lines behind the home lines of the first `count` missed keys. */
function touchNext({ homes, sides, missed, sink }: Stage, count: number): void {
  let sum = 0;
  for (let j = 0; j < count; j++) {
    const words = sides[missed[j]!]!;
    const next = homes[missed[j]!]! + LINE_WORDS;
    const mask = words.length - 1;
    sum ^= words[next & mask]! ^ words[(next + LINE_WORDS - 1) & mask]!;
  }
  sink[0] = sum;
}

/** Copies `width` words, from `first` on, of each slot of a chunk to word `start` of `field` and on: first from home lines, then the others. */
function read(
  stage: Stage,
  slotWords: number,
  keyWords: number,
  count: number,
  first: number,
  width: number,
  field: Int32Array,
  start: number,
): void {
  const { keys, homes, sides, missed } = stage;
  const [second, last] = [secondOf(slotWords), slotWords - 1];
  let missedCount = 0;
  for (let i = 0, to = start; i < count; i++, to += width) {
    const words = sides[i]!;
    const slot = inHomeLine(words, homes[i]!, second, last, keys, i * keyWords);
    if (slot < 0 || words[slot + last] === TOMBSTONE) missed[missedCount++] = i;
    else for (let word = 0; word < width; word++) field[to + word] = words[slot + first + word]!;
  }
  touchNext(stage, missedCount);
  for (let j = 0; j < missedCount; j++) {
    const i = missed[j]!;
    const words = sides[i]!;
    const slot = probe(words, homes[i]!, slotWords, keys, i * keyWords);
    const there = slot >= 0 && words[slot + last] !== TOMBSTONE;
    const to = start + i * width;
    for (let word = 0; word < width; word++) field[to + word] = there ? words[slot + first + word]! : 0;
  }
}

/** Counts a slot as used: an empty one, or a deleted entry's. */
function claim(state: Uint32Array, shard: number, isEmpty: boolean, limit: number): void {
  const base = STATE_WORDS * shard;
  if (!isEmpty) state[base + TOMBSTONES]! -= 1;
  else if (state[base + LIVE]! + state[base + TOMBSTONES]! + 1 > limit) throw tableFull();
  state[base + LIVE]! += 1;
}

/** Writes a record's value and position. @param record its number: positions count up from `position`, which is record 0's */
function writeValue(
  words: Int32Array,
  to: number,
  last: number,
  source: Int32Array,
  from: number,
  position: number,
  record: number,
): void {
  words[to + ADDRESS_WORDS] = source[from + ADDRESS_WORDS]!;
  words[to + ADDRESS_WORDS + 1] = source[from + ADDRESS_WORDS + 1]!;
  for (let word = ADDRESS_WORDS + 2; word < last; word++) words[to + word] = source[from + word]!;
  // As a signed word. Neither 2^32 - 1 nor 2^32 is a position, so two further from there on.
  words[to + last] = (position | 0) + record + (record > POSITION_MAX - position ? 2 : 0);
}

/**
 * Writes the records of a chunk: first those over entries in their home lines, then the others in order. What the first write moves nothing, and all
 * records of one key are on the same side, so the bytes are those of writing all in order.
 */
function write(
  stage: Stage,
  shards: TableShards,
  all: readonly Shard[],
  source: Int32Array,
  stride: number,
  begin: number,
  count: number,
  position: number,
): void {
  const { hashes, homes, sides, missed } = stage;
  const [slotWords, keyWords] = [shards.slotSizeBytes >>> 2, stride >>> 2];
  const [second, last] = [secondOf(slotWords), slotWords - 1];
  let missedCount = 0;
  for (let i = 0, from = begin * keyWords; i < count; i++, from += keyWords) {
    const words = sides[i]!;
    const to = inHomeLine(words, homes[i]!, second, last, source, from);
    if (to < 0 || words[to + last] === TOMBSTONE) missed[missedCount++] = i;
    else writeValue(words, to, last, source, from, position, begin + i);
  }
  touchNext(stage, missedCount);
  for (let j = 0; j < missedCount; j++) {
    const i = missed[j]!;
    const words = sides[i]!;
    if (words === ELSEWHERE.table) continue;
    const from = (begin + i) * keyWords;
    const slot = probe(words, homes[i]!, slotWords, source, from);
    const to = slot < 0 ? -1 - slot : slot;
    if (slot < 0 || words[to + last] === TOMBSTONE) {
      const shard = hashes[2 * i]! & (all.length - 1);
      claim(shards.state, shard, slot < 0, all[shard]!.limit);
      for (let word = 0; word < ADDRESS_WORDS; word++) words[to + word] = source[from + word]!;
    }
    writeValue(words, to, last, source, from, position, begin + i);
  }
}

/** The kernels over a hasher. */
export function tableKernels(hasher: SipHasher): TableKernels {
  const chunkMax = hasher.hashes.length / 2;
  const stage: Stage = {
    ...hasher,
    homes: new Int32Array(chunkMax),
    sides: [],
    missed: new Int32Array(chunkMax),
    sink: new Int32Array(1),
  };
  const { keys, hashes, homes, sides } = stage;

  const tableRead: TableKernels['tableRead'] = (shards, bytes, stride, at, sizeBytes, out) => {
    const all = shardsOf(shards);
    const [first, width, slotWords, keyWords] = [at >>> 2, sizeBytes >>> 2, shards.slotSizeBytes >>> 2, stride >>> 2];
    const aligned = out.byteOffset % 4 === 0;
    const field = aligned ? wordsOf(out) : new Int32Array(out.length >>> 2);
    const [count, chunk] = [out.length / sizeBytes, chunkOf(stride)];
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      enter(stage, shards, all, bytes, stride, from, here);
      read(stage, slotWords, keyWords, here, first, width, field, from * width);
    }
    if (!aligned) out.set(new Uint8Array(field.buffer));
  };

  const tablePut: TableKernels['tablePut'] = (shards, records, stride, count, position) => {
    const all = shardsOf(shards);
    // Only keys are staged by the hasher: values are read where they stand.
    const source = wordsOf(records.byteOffset % 4 === 0 ? records : records.slice());
    const chunk = chunkOf(stride);
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      enter(stage, shards, all, records, stride, from, here);
      write(stage, shards, all, source, stride, from, here, position);
    }
  };

  const tableDelete: TableKernels['tableDelete'] = (shards, bytes, stride, count) => {
    const all = shardsOf(shards);
    const [slotWords, keyWords] = [shards.slotSizeBytes >>> 2, stride >>> 2];
    const chunk = chunkOf(stride);
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      enter(stage, shards, all, bytes, stride, from, here);
      for (let i = 0; i < here; i++) {
        const words = sides[i]!;
        const slot = find(words, homes[i]!, slotWords, keys, i * keyWords);
        const last = slot + slotWords - 1;
        if (slot < 0 || words[last] === TOMBSTONE) continue;
        words.fill(0, slot + ADDRESS_WORDS, last);
        words[last] = TOMBSTONE;
        const base = STATE_WORDS * (hashes[2 * i]! & (all.length - 1));
        shards.state[base + LIVE]! -= 1;
        shards.state[base + TOMBSTONES]! += 1;
      }
    }
  };

  const tableMissing: TableKernels['tableMissing'] = (shards, bytes, stride, count, missing) => {
    const all = shardsOf(shards);
    const [slotWords, keyWords] = [shards.slotSizeBytes >>> 2, stride >>> 2];
    const chunk = chunkOf(stride);
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      enter(stage, shards, all, bytes, stride, from, here);
      for (let i = 0; i < here; i++) {
        const words = sides[i]!;
        const slot = find(words, homes[i]!, slotWords, keys, i * keyWords);
        if (slot < 0 || words[slot + slotWords - 1] === TOMBSTONE) missing[hashes[2 * i]! & (all.length - 1)]! += 1;
      }
    }
  };

  /** Puts slots carried out of an old table into the new one, in order. */
  const unload = ({ table, shift }: Shard, { secret, slotSizeBytes }: TableShards, carried: Uint8Array): void => {
    const slotWords = slotSizeBytes >>> 2;
    const source = wordsOf(carried);
    const count = carried.length / slotSizeBytes;
    const chunk = chunkOf(slotSizeBytes);
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      hasher.hash(secret, carried, slotSizeBytes, from, here);
      for (let i = 0; i < here; i++) {
        const found = probe(table, (hashes[2 * i + 1]! >>> shift) * LINE_WORDS, slotWords, keys, i * slotWords);
        const [to, at] = [found < 0 ? -1 - found : found, (from + i) * slotWords];
        for (let word = 0; word < slotWords; word++) table[to + word] = source[at + word]!;
      }
    }
  };

  /** Stops behind a line that is not full: no key whose home was moved lies behind it. */
  const tableMove: TableKernels['tableMove'] = (shards, index, wanted) => {
    const shard = shardsOf(shards)[index]!;
    const old = shard.old!;
    const { state, slotSizeBytes } = shards;
    const [base, slotWords, lines] = [STATE_WORDS * index, slotSizeBytes >>> 2, shard.oldMask + 1];
    const carried: number[] = [];
    const end = Math.min(lines, state[base + MOVED]! + wanted);
    let whole = false;
    let at = state[base + MOVED]!;
    for (; at < end || whole; at++) {
      if (at > 2 * lines) throw tableCorrupt();
      const line = ((state[base + START]! + at) & shard.oldMask) * LINE_WORDS;
      whole = true;
      for (let slot = line; slot < line + LINE_WORDS; slot += slotWords) {
        const position = old[slot + slotWords - 1]!;
        if (position === 0) whole = false;
        else if (position === TOMBSTONE) state[base + TOMBSTONES]! -= 1;
        else for (let word = 0; word < slotWords; word++) carried.push(old[slot + word]!);
      }
      old.fill(0, line, line + LINE_WORDS);
    }
    state[base + MOVED] = Math.min(at, lines);
    unload(shard, shards, new Uint8Array(Int32Array.from(carried).buffer));
    return state[base + MOVED] === lines;
  };

  return { tableRead, tablePut, tableDelete, tableMissing, tableMove, tableArena };
}
