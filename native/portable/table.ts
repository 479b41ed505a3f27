/**
 * The account table's kernels in TypeScript: batched lookup, insert, delete and moving, over 32-bit words of the tables.
 *
 * A chunk of keys is hashed, then the first slot of every home is read, so that the memory's latency is paid side by side, then every key
 * is looked at. The order of inserts, and so every byte, is that of the native twin. Owns: nothing; the tables are the caller's.
 * Invariant: a probe ends after at most every slot was seen once, also on damaged bytes.
 */
import type { TableArena, TableShards } from '../kernels.ts';
import { type RawKernels, TableMemoryError, tableCorrupt, tableFull } from '../raw-kernels.ts';
import { chunkOf, type SipHasher } from './siphash.ts';

const ADDRESS_WORDS = 5;
const LINE_WORDS = 16;
/** -1 as a signed word: 2^32 - 1. */
const TOMBSTONE = -1;
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
  /** Its slot, or -1 - the empty slot. */
  readonly slots: Int32Array;
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
  // A loop of its own: the shorter, the more reads are under way at once.
  let sum = 0;
  for (let i = 0; i < count; i++) sum ^= sides[i]![homes[i]!]!;
  sink[0] = sum;
}

/** Whether the address at a slot is that of the key, both from their second word on. */
const isRestOf = (words: Int32Array, at: number, keys: Int32Array, key: number): boolean =>
  words[at + 1] === keys[key + 1] &&
  words[at + 2] === keys[key + 2] &&
  words[at + 3] === keys[key + 3] &&
  words[at + 4] === keys[key + 4];

/** The slot of a key, or -1 - the empty slot where it would go. */
function probe(words: Int32Array, home: number, slotWords: number, keys: Int32Array, key: number): number {
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

/** Finds every key of a chunk. */
function locate(
  stage: Stage,
  shards: TableShards,
  all: readonly Shard[],
  bytes: Uint8Array,
  stride: number,
  from: number,
  count: number,
): void {
  enter(stage, shards, all, bytes, stride, from, count);
  const { keys, homes, sides, slots } = stage;
  const [slotWords, keyWords] = [shards.slotSizeBytes >>> 2, stride >>> 2];
  for (let i = 0; i < count; i++) slots[i] = probe(sides[i]!, homes[i]!, slotWords, keys, i * keyWords);
}

/** Writes the records of a chunk, in order, each from word `from` of `source` on. */
function write(
  stage: Stage,
  shards: TableShards,
  all: Shard[],
  source: Int32Array,
  stride: number,
  begin: number,
  count: number,
  position: number,
): void {
  const { keys, hashes, sides, slots } = stage;
  const { state } = shards;
  const [slotWords, keyWords] = [shards.slotSizeBytes >>> 2, stride >>> 2];
  const last = slotWords - 1;
  for (let i = 0, key = 0; i < count; i++, key += keyWords) {
    const words = sides[i]!;
    if (words === ELSEWHERE.table) continue;
    // A record before this one may have taken the empty slot.
    const slot = slots[i]! >= 0 ? slots[i]! : probe(words, -1 - slots[i]!, slotWords, keys, key);
    const to = slot < 0 ? -1 - slot : slot;
    if (slot < 0 || words[slot + last] === TOMBSTONE) {
      const shard = hashes[2 * i]! & (all.length - 1);
      const base = STATE_WORDS * shard;
      if (slot >= 0) state[base + TOMBSTONES]! -= 1;
      else if (state[base + LIVE]! + state[base + TOMBSTONES]! + 1 > all[shard]!.limit) throw tableFull();
      state[base + LIVE]! += 1;
      for (let word = 0; word < ADDRESS_WORDS; word++) words[to + word] = keys[key + word]!;
    }
    const from = (begin + i) * keyWords;
    for (let word = ADDRESS_WORDS; word < last; word++) words[to + word] = source[from + word]!;
    words[to + last] = ((position - 1 + begin + i) % POSITION_MAX) + 1;
  }
}

/** The kernels over a hasher. */
export function tableKernels(hasher: SipHasher): TableKernels {
  const chunkMax = hasher.hashes.length / 2;
  const stage: Stage = {
    ...hasher,
    homes: new Int32Array(chunkMax),
    sides: [],
    slots: new Int32Array(chunkMax),
    sink: new Int32Array(1),
  };
  const { keys, hashes } = stage;

  const tableRead: TableKernels['tableRead'] = (shards, bytes, stride, at, sizeBytes, out) => {
    const all = shardsOf(shards);
    const [first, width, last] = [at >>> 2, sizeBytes >>> 2, (shards.slotSizeBytes >>> 2) - 1];
    const aligned = out.byteOffset % 4 === 0;
    const field = aligned ? wordsOf(out) : new Int32Array(out.length >>> 2);
    const [count, chunk] = [out.length / sizeBytes, chunkOf(stride)];
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      locate(stage, shards, all, bytes, stride, from, here);
      for (let i = 0, to = from * width; i < here; i++) {
        const [words, slot] = [stage.sides[i]!, stage.slots[i]!];
        const there = slot >= 0 && words[slot + last] !== TOMBSTONE;
        for (let word = 0; word < width; word++) field[to++] = there ? words[slot + first + word]! : 0;
      }
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
      locate(stage, shards, all, records, stride, from, here);
      write(stage, shards, all, source, stride, from, here, position);
    }
  };

  const tableDelete: TableKernels['tableDelete'] = (shards, bytes, stride, count) => {
    const all = shardsOf(shards);
    const last = (shards.slotSizeBytes >>> 2) - 1;
    const chunk = chunkOf(stride);
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      locate(stage, shards, all, bytes, stride, from, here);
      for (let i = 0; i < here; i++) {
        const [words, slot] = [stage.sides[i]!, stage.slots[i]!];
        if (slot < 0 || words[slot + last] === TOMBSTONE) continue;
        words.fill(0, slot + ADDRESS_WORDS, slot + last);
        words[slot + last] = TOMBSTONE;
        const base = STATE_WORDS * (hashes[2 * i]! & (all.length - 1));
        shards.state[base + LIVE]! -= 1;
        shards.state[base + TOMBSTONES]! += 1;
      }
    }
  };

  const tableMissing: TableKernels['tableMissing'] = (shards, bytes, stride, count, missing) => {
    const all = shardsOf(shards);
    const last = (shards.slotSizeBytes >>> 2) - 1;
    const chunk = chunkOf(stride);
    for (let from = 0; from < count; from += chunk) {
      const here = Math.min(chunk, count - from);
      locate(stage, shards, all, bytes, stride, from, here);
      for (let i = 0; i < here; i++) {
        const [words, slot] = [stage.sides[i]!, stage.slots[i]!];
        if (slot < 0 || words[slot + last] === TOMBSTONE) missing[hashes[2 * i]! & (all.length - 1)]! += 1;
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

/** Ordinary arrays, freed when nobody holds them any more. */
function tableArena(): TableArena {
  return {
    allocate(sizeBytes) {
      try {
        return new Uint8Array(sizeBytes);
      } catch (error) {
        throw new TableMemoryError(sizeBytes, { cause: error });
      }
    },
    release() {},
    give: (bytes) => ({ memory: bytes, transfer: [bytes.buffer as ArrayBuffer] }),
    take(memory) {
      if (!(memory instanceof Uint8Array)) throw new TypeError(`memory must be bytes, got ${typeof memory}`);
      return memory;
    },
    close() {},
  };
}
