/**
 * A table's shards in memory, and how they grow: never more than half full, and never stopping for it.
 *
 * A shard past `GROW_AT_64THS` gets a second table, and its slots move there line by line: a few for every slot newly used, more between
 * batches. The kernels find a key in either. A shard full of deleted slots moves into a table of its own size, which leaves them behind.
 *
 * Invariants
 * - Slots in use, deleted ones included, are at most half of a shard's table, and of its old table while it moves. Moving begins early
 *   enough, and `MOVE_SLOTS_PER_ENTRY` is large enough, that it ends before that; whoever needs room sooner waits for its end.
 * - A table is at most 1 GiB.
 */
import {
  type GivenTable,
  type Kernels,
  type TableArena,
  TableMemoryError,
  type TableShards,
} from '../../native/index.ts';
import { assertInvariant, StorageError } from '../errors.ts';

export type SlotKernels = Pick<
  Kernels,
  'tableRead' | 'tablePut' | 'tableDelete' | 'tableMissing' | 'tableMove' | 'tableArena'
>;

/** A shard's size and content, for `SlotMemory.take`. */
export interface ShardShape {
  readonly slotCountLog2: number;
  /** Slots with an entry. */
  readonly live: number;
  /** Slots of deleted entries. */
  readonly tombstones: number;
}

/** A shard on its way to the thread that has the table. */
export interface BuiltShard {
  readonly index: number;
  readonly shape: ShardShape;
  readonly memory: GivenTable['memory'];
}

const TABLE_SIZE_LOG2_MIN = 12;
const TABLE_SIZE_LOG2_MAX = 30;
const LINE_SIZE_BYTES = 64;
const STATE_WORDS = 4;
const [LIVE, TOMBSTONES, START, MOVED] = [0, 1, 2, 3];
/** A table begins to move when more than so many 64ths of its slots are used. */
const GROW_AT_64THS = 31;
/** Slots of a table just made that are used, in 64ths, at most. */
const MADE_FOR_64THS = 20;
/** Slots moved for each newly used one. From 31/64 to half full one slot in 64 is newly used, so 64 for each would just end in time. */
const MOVE_SLOTS_PER_ENTRY = 96;
/** Bytes of an old table moved at once between batches: about half a millisecond, 3 ms with the portable twin. */
export const MOVE_SLICE_BYTES: number = 2 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

/** Smallest and largest shard of a slot size, slots as a power of two. */
export function slotCountLog2Range(slotSizeBytes: number): { readonly min: number; readonly max: number } {
  const slot = Math.log2(slotSizeBytes);
  return { min: TABLE_SIZE_LOG2_MIN - slot, max: TABLE_SIZE_LOG2_MAX - slot };
}

export class SlotMemory {
  readonly #kernels: SlotKernels;
  readonly #arena: TableArena;
  readonly #sizes: { readonly min: number; readonly max: number };
  /** Used slots of each shard when moving was last paid for. */
  readonly #paid: Uint32Array;
  #shards: TableShards;

  /**
   * Empty shards of the sizes given. Throws `StorageError` 'table-full' when there is no memory for them.
   * @param slotCountLog2s undefined for a shard that is held elsewhere: changes of its keys are passed by
   */
  constructor(
    kernels: SlotKernels,
    slotSizeBytes: 32 | 64,
    secret: Uint8Array,
    slotCountLog2s: readonly (number | undefined)[],
  ) {
    this.#kernels = kernels;
    this.#arena = kernels.tableArena();
    this.#sizes = slotCountLog2Range(slotSizeBytes);
    this.#paid = new Uint32Array(slotCountLog2s.length);
    try {
      const tables = slotCountLog2s.map((log2) =>
        log2 === undefined ? NOTHING : this.#arena.allocate(slotSizeBytes * 2 ** log2),
      );
      const state = new Uint32Array(STATE_WORDS * tables.length);
      this.#shards = { slotSizeBytes, secret, tables, olds: tables.map(() => NOTHING), state };
    } catch (error) {
      this.#arena.close();
      throw asStorageError(error);
    }
  }

  /** The memory as kernels take it. Ask again after every change. */
  get shards(): TableShards {
    return this.#shards;
  }

  get shardCount(): number {
    return this.#shards.tables.length;
  }

  /** Entries in all shards. */
  get liveCount(): number {
    let live = 0;
    for (let word = LIVE; word < this.#shards.state.length; word += STATE_WORDS) live += this.#shards.state[word]!;
    return live;
  }

  /** Bytes of all tables, old ones included. */
  get sizeBytes(): number {
    const { tables, olds } = this.#shards;
    return [...tables, ...olds].reduce((sum, { length }) => sum + length, 0);
  }

  /** True while any shard moves. */
  get isMoving(): boolean {
    return this.#shards.olds.some(({ length }) => length > 0);
  }

  shape(index: number): ShardShape {
    const { state, tables, slotSizeBytes } = this.#shards;
    const base = STATE_WORDS * index;
    return {
      slotCountLog2: Math.log2(tables[index]!.length / slotSizeBytes),
      live: state[base + LIVE]!,
      tombstones: state[base + TOMBSTONES]!,
    };
  }

  /** Says what a shard holds whose bytes were just loaded. */
  take(index: number, { live, tombstones }: ShardShape): void {
    const { state } = this.#shards;
    state[STATE_WORDS * index + LIVE] = live;
    state[STATE_WORDS * index + TOMBSTONES] = tombstones;
    this.#paid[index] = live + tombstones;
  }

  #used(index: number): number {
    const { live, tombstones } = this.shape(index);
    return live + tombstones;
  }

  /** True when `count` new entries fit into a shard as it is, or when they do not go there because it is held elsewhere. */
  hasRoom(index: number, count: number): boolean {
    const { tables, olds, slotSizeBytes } = this.#shards;
    if (tables[index]!.length === 0) return true;
    const sizeBytes = olds[index]!.length || tables[index]!.length;
    return (this.#used(index) + count) * 2 * slotSizeBytes <= sizeBytes;
  }

  /** Makes room for `count` new entries in a shard, whatever it takes. Throws `StorageError` 'table-full'; the shard is then as it was. */
  makeRoom(index: number, count: number): void {
    if (!this.hasRoom(index, count)) this.#moveAll(index);
    if (this.hasRoom(index, count)) return;
    const { slotCountLog2, live } = this.shape(index);
    let log2 = slotCountLog2;
    while (log2 < this.#sizes.max && (live + count) * 64 > MADE_FOR_64THS * 2 ** log2) log2 += 1;
    if ((live + count) * 2 > 2 ** log2)
      throw new StorageError('table-full', `table shard ${index} cannot hold more than ${2 ** (log2 - 1)} entries`);
    this.#start(index, log2);
    this.#moveAll(index);
  }

  /** After a batch: moves what its new entries owe, and starts moving shards that have become too full. */
  settle(): void {
    const { slotSizeBytes } = this.#shards;
    for (let index = 0; index < this.shardCount; index++) {
      const used = this.#used(index);
      const added = Math.max(0, used - this.#paid[index]!);
      this.#paid[index] = used;
      if (this.#shards.olds[index]!.length > 0)
        this.#move(index, Math.ceil((added * MOVE_SLOTS_PER_ENTRY * slotSizeBytes) / LINE_SIZE_BYTES));
      else this.#startWhenFull(index);
    }
  }

  #startWhenFull(index: number): void {
    const { slotCountLog2, live, tombstones } = this.shape(index);
    const slots = 2 ** slotCountLog2;
    if ((live + tombstones) * 64 <= GROW_AT_64THS * slots) return;
    const fits = live * 64 <= MADE_FOR_64THS * slots;
    // The largest table moves only when that gives something.
    if (!fits && slotCountLog2 === this.#sizes.max && tombstones * 16 < slots) return;
    try {
      this.#start(index, fits ? slotCountLog2 : Math.min(slotCountLog2 + 1, this.#sizes.max));
    } catch (error) {
      // No memory now: whoever really needs the room is told.
      if (!(error instanceof StorageError)) throw error;
    }
  }

  /** Moves one slice of the first moving shard. @returns true while there is more to move */
  moveSlice(): boolean {
    const index = this.#shards.olds.findIndex(({ length }) => length > 0);
    if (index < 0) return false;
    this.#move(index, MOVE_SLICE_BYTES / LINE_SIZE_BYTES);
    return this.isMoving;
  }

  /** Ends every move. */
  moveEverything(): void {
    for (let index = 0; index < this.shardCount; index++) this.#moveAll(index);
  }

  #moveAll(index: number): void {
    if (this.#shards.olds[index]!.length > 0) this.#move(index, this.#shards.olds[index]!.length / LINE_SIZE_BYTES);
    assertInvariant(this.#shards.olds[index]!.length === 0, 'a move over the whole table ends it');
  }

  /** Gives a shard a second table of 2^log2 slots. */
  #start(index: number, log2: number): void {
    const { slotSizeBytes, state, tables } = this.#shards;
    const old = tables[index]!;
    let made: Uint8Array;
    try {
      made = this.#arena.allocate(slotSizeBytes * 2 ** log2);
    } catch (error) {
      throw asStorageError(error);
    }
    state[STATE_WORDS * index + START] = lineBehindRoom(old, slotSizeBytes);
    state[STATE_WORDS * index + MOVED] = 0;
    this.#replace(index, made, old);
  }

  #move(index: number, lines: number): void {
    const old = this.#shards.olds[index]!;
    if (!this.#kernels.tableMove(this.#shards, index, lines)) return;
    this.#replace(index, this.#shards.tables[index]!, NOTHING);
    this.#arena.release(old);
    this.#paid[index] = this.#used(index);
  }

  #replace(index: number, table: Uint8Array, old: Uint8Array): void {
    const { tables, olds } = this.#shards;
    this.#shards = { ...this.#shards, tables: tables.with(index, table), olds: olds.with(index, old) };
  }

  /**
   * Hands every shard held here over to another thread: nothing here may be touched then. Every `memory` must be adopted, or it stays for ever.
   * @returns shards, and what to transfer with them
   */
  giveShards(): { readonly shards: BuiltShard[]; readonly transfer: ArrayBuffer[] } {
    const { give } = this.#arena;
    assertInvariant(give !== undefined, 'tables of this twin can leave their thread');
    this.moveEverything();
    const shards: BuiltShard[] = [];
    const transfer: ArrayBuffer[] = [];
    for (const [index, table] of this.#shards.tables.entries()) {
      if (table.length === 0) continue;
      const shape = this.shape(index);
      const given = give(table);
      shards.push({ index, shape, memory: given.memory });
      transfer.push(...given.transfer);
    }
    return { shards, transfer };
  }

  /** Takes a shard that another thread built, in place of the one there is. */
  adopt({ index, shape, memory }: BuiltShard): void {
    const { take } = this.#arena;
    assertInvariant(take !== undefined, 'tables of this twin can come from other threads');
    const { tables, olds, slotSizeBytes } = this.#shards;
    const before = tables[index]!;
    const table = take(memory);
    assertInvariant(olds[index]!.length === 0, 'the shard given up does not move');
    this.#replace(index, table, NOTHING);
    this.#arena.release(before);
    assertInvariant(table.length === slotSizeBytes * 2 ** shape.slotCountLog2, 'the shard has the size that it says');
    this.take(index, shape);
  }

  /** Gives the memory back: never touch it then. Idempotent. */
  close(): void {
    this.#arena.close();
  }
}

/** The line behind the first line that has an empty slot: no probe goes past that one. */
function lineBehindRoom(table: Uint8Array, slotSizeBytes: number): number {
  const words = new Uint32Array(table.buffer, table.byteOffset, table.length >>> 2);
  const slotWords = slotSizeBytes >>> 2;
  for (let word = slotWords - 1; word < words.length; word += slotWords)
    if (words[word] === 0) return (Math.floor((word * 4) / LINE_SIZE_BYTES) + 1) % (table.length / LINE_SIZE_BYTES);
  throw new StorageError('table-full', 'a table without an empty slot: it is damaged; rebuild it from the op log');
}

function asStorageError(error: unknown): unknown {
  if (!(error instanceof TableMemoryError)) return error;
  return new StorageError('table-full', error.message, { cause: error });
}
