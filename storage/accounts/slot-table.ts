/**
 * A table of accounts or bonds by address: in memory while it is open, as image files while it is closed.
 *
 * Owns: its folder: `secret` (table-secret.ts), `clean` (clean-mark.ts) and the shards' images (table-image.ts).
 *
 * Invariants
 * - Derived: equal to replaying the op log, or rebuilt from it. Nothing here decides what is true.
 * - Every change of a batch has room before the batch is logged (`reserve`), so applying it cannot fail half-way.
 * - What a process leaves without closing cleanly has no clean mark, and nothing without one is ever taken over.
 */
import { randomBytes } from 'node:crypto';
import type { Kernels } from '../../native/index.ts';
import { assertInvariant } from '../errors.ts';
import { type Files, FilesError, makeDurableDirectory } from '../files/files.ts';
import { type CleanMark, readMark, removeMark, SHARDS_MAX, writeMark } from './clean-mark.ts';
import { resolvePositions, storedPosition, TOMBSTONE } from './log-position.ts';
import { type BuiltShard, type SlotKernels, SlotMemory, slotCountLog2Range } from './slot-memory.ts';
import { TableChanges, type TableRun } from './table-changes.ts';
import { imageName, readImage, removeImages, writeImage } from './table-image.ts';
import { makeSecret, readSecret, SECRET_SIZE_BYTES, secretPath } from './table-secret.ts';

export const ADDRESS_SIZE_BYTES = 20;
const POSITION_SIZE_BYTES = 4;
/** 16 shards hold up to 268 million accounts. */
const SHARD_COUNT_LOG2_DEFAULT = 4;
const SLOT_COUNT_LOG2_DEFAULT = 10;
/** Positions handed out at a time. */
const POSITIONS_SLICE = 65_536;

export interface TableOptions {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: SlotKernels & Pick<Kernels, 'crc32c'>;
  /** Shards in a new table, as a power of two, 0 .. 8; 4 unless given. */
  readonly shardCountLog2?: number;
  /** Slots in each shard of a new table, as a power of two, 7 .. 25 (6 .. 24 for bonds); 10 unless given. */
  readonly shardSlotCountLog2?: number;
  /** Source of the secret; replaced in simulations. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

/** What an opened table starts from. */
export interface TableParts {
  readonly kernels: SlotKernels;
  /** Where it is kept; undefined for one that lives in memory only. */
  readonly home: TableOptions | undefined;
  readonly memory: SlotMemory;
  /** CRC of each shard's image on disk; undefined when there are none that count. */
  readonly crcs: readonly number[] | undefined;
}

const markPath = ({ directory }: TableOptions): string => `${directory}/clean`;

/** What the folder says about the table in it: the mark it was closed with, or undefined when it must be rebuilt. */
export async function readTableMark(options: TableOptions, slotSizeBytes: 32 | 64): Promise<CleanMark | undefined> {
  await makeDurableDirectory(options.files, options.directory);
  return readMark(options.files, options.kernels, markPath(options), slotSizeBytes);
}

/**
 * Loads the table that `mark` describes, and takes the mark away. Throws `FilesError` when an image is missing, short or damaged, or the
 * secret is gone: then make an empty one and rebuild.
 */
export async function loadTable(options: TableOptions, slotSizeBytes: 32 | 64, mark: CleanMark): Promise<TableParts> {
  const { files, kernels, directory } = options;
  const secret = await readSecret(options);
  if (secret === undefined) throw new FilesError('not-found', secretPath(options), 'no secret');
  const names = mark.shards.map(({ slotCountLog2 }, index) => imageName(index, slotCountLog2));
  const sizes = mark.shards.map(({ slotCountLog2 }) => slotCountLog2);
  const memory = new SlotMemory(kernels, slotSizeBytes, secret, sizes);
  try {
    for (const [index, shard] of mark.shards.entries()) {
      await readImage(files, kernels, `${directory}/${names[index]!}`, memory.shards.tables[index]!, shard.crc);
      memory.take(index, shard);
    }
    await removeMark(files, markPath(options));
    await removeImages(files, directory, new Set(names));
    return { kernels, home: options, memory, crcs: mark.shards.map(({ crc }) => crc) };
  } catch (error) {
    memory.close();
    throw error;
  }
}

/** Makes an empty table, removing whatever was there. */
export async function makeTable(options: TableOptions, slotSizeBytes: 32 | 64): Promise<TableParts> {
  const { files, kernels, directory } = options;
  const shardCountLog2 = options.shardCountLog2 ?? SHARD_COUNT_LOG2_DEFAULT;
  const slotCountLog2 = options.shardSlotCountLog2 ?? SLOT_COUNT_LOG2_DEFAULT;
  const { min, max } = slotCountLog2Range(slotSizeBytes);
  assertInvariant(shardCountLog2 >= 0 && 2 ** shardCountLog2 <= SHARDS_MAX, 'shardCountLog2 within 0 .. 8');
  assertInvariant(slotCountLog2 >= min && slotCountLog2 <= max, `shardSlotCountLog2 within ${min} .. ${max}`);
  await makeDurableDirectory(files, directory);
  await removeMark(files, markPath(options));
  await removeImages(files, directory, new Set());
  const secret = (await readSecret(options)) ?? (await makeSecret(options));
  const sizes = Array.from({ length: 2 ** shardCountLog2 }, () => slotCountLog2);
  return { kernels, home: options, memory: new SlotMemory(kernels, slotSizeBytes, secret, sizes), crcs: undefined };
}

/** An empty table that no folder belongs to, for working out what a log adds up to. It cannot be closed clean. */
export function scratchTable(kernels: SlotKernels, slotSizeBytes: 32 | 64): TableParts {
  const sizes = Array.from({ length: 2 ** SHARD_COUNT_LOG2_DEFAULT }, () => SLOT_COUNT_LOG2_DEFAULT);
  const secret = new Uint8Array(randomBytes(SECRET_SIZE_BYTES));
  return { kernels, home: undefined, memory: new SlotMemory(kernels, slotSizeBytes, secret, sizes), crcs: undefined };
}

/** Empty shards in memory only, for a thread that builds some of a table's; the others are undefined. */
export function partialTable(
  kernels: SlotKernels,
  slotSizeBytes: 32 | 64,
  secret: Uint8Array,
  slotCountLog2s: readonly (number | undefined)[],
): TableParts {
  const memory = new SlotMemory(kernels, slotSizeBytes, secret, slotCountLog2s);
  return { kernels, home: undefined, memory, crcs: undefined };
}

/** What tables of both slot sizes can do. */
export class SlotTable {
  /** For the faces over this one. */
  protected readonly memory: SlotMemory;
  protected readonly kernels: SlotKernels;
  readonly #home: TableOptions | undefined;
  /** Slots that changes reserved and not yet applied may newly use, at most, in each shard. */
  readonly #reserved: Uint32Array;
  /** Deletes among them. */
  #reservedDeletes = 0;
  /** CRC of each image on disk while the table equals them. */
  #crcs: readonly number[] | undefined;
  #closed = false;

  protected constructor({ kernels, home, memory, crcs }: TableParts) {
    this.#home = home;
    this.kernels = kernels;
    this.memory = memory;
    this.#crcs = crcs;
    this.#reserved = new Uint32Array(memory.shardCount);
  }

  /** Entries in the table, deleted ones not counted. */
  get count(): number {
    return this.memory.liveCount;
  }

  /** Bytes of memory that its slots take. */
  get sizeBytes(): number {
    return this.memory.sizeBytes;
  }

  /** True while a shard is on its way into a larger table. */
  get isMoving(): boolean {
    return this.memory.isMoving;
  }

  /** What chooses slots; 16 bytes, borrowed. */
  get secret(): Uint8Array {
    return this.memory.shards.secret;
  }

  /** Sizes of its shards, slots as powers of two. */
  get slotCountLog2s(): number[] {
    return this.memory.shards.tables.map((_, index) => this.memory.shape(index).slotCountLog2);
  }

  /** Hands its shards over to another thread: only `close` may follow. See `SlotMemory.giveShards`. */
  giveShards(): ReturnType<SlotMemory['giveShards']> {
    return this.memory.giveShards();
  }

  /** Takes a shard over that another thread built, under this table's secret, in place of an empty one. */
  adopt(shard: BuiltShard): void {
    this.#crcs = undefined;
    this.memory.adopt(shard);
  }

  /** Takes note of where a batch's ops of this table stand, in the batch's order; `batch` is borrowed until they are applied. */
  prepare(batch: Uint8Array, runs: readonly TableRun[]): TableChanges {
    return new TableChanges(batch, runs, this.memory.shards.slotSizeBytes);
  }

  /**
   * Makes room for the changes beside all others reserved and not yet applied, growing shards where needed.
   * Throws `StorageError` 'table-full'; nothing is reserved then.
   * @param newCount how many of its puts are of keys without entry, at most, where the caller knows: that spares looking for them
   */
  reserve(changes: TableChanges, newCount: number = changes.putCount): void {
    const counts = new Uint32Array(this.memory.shardCount).fill(newCount);
    const fits = (count: number, index: number): boolean =>
      count === 0 || this.memory.hasRoom(index, this.#reserved[index]! + count);
    if (!counts.every(fits)) {
      this.#countNeeded(changes, counts, newCount);
      for (const [index, count] of counts.entries())
        if (!fits(count, index)) this.memory.makeRoom(index, this.#reserved[index]! + count);
    }
    for (const [index, count] of counts.entries()) this.#reserved[index]! += count;
    this.#reservedDeletes += changes.deleteCount;
    changes.reserved = counts;
  }

  /**
   * How many slots each shard may newly need, whatever moves until the changes are applied: one for each key without entry, because a move may leave a deleted
   * entry's slot behind, and one for each entry that changes waiting before these delete. So room that a move makes is never promised twice.
   */
  #countNeeded(changes: TableChanges, counts: Uint32Array, newCount: number): void {
    counts.fill(0);
    for (const { isDelete, keys, strideBytes, count } of changes.runs)
      if (!isDelete) this.kernels.tableMissing(this.memory.shards, keys, strideBytes, count, counts);
    for (const [index, missing] of counts.entries())
      counts[index] = Math.min(newCount, missing + this.#reservedDeletes);
  }

  /** Takes a reservation back: the changes will not be applied. */
  release(changes: TableChanges): void {
    for (const [index, count] of changes.reserved.entries()) this.#reserved[index]! -= count;
    if (changes.reserved.length > 0) this.#reservedDeletes -= changes.deleteCount;
    changes.reserved = new Uint32Array(0);
  }

  /** Applies reserved changes in the batch's order. @param firstOp number over the whole log of the batch's op 0 */
  apply(changes: TableChanges, firstOp: number): void {
    if (changes.runs.length > 0) this.#crcs = undefined;
    for (const run of changes.runs) {
      const { shards } = this.memory;
      if (run.isDelete) this.kernels.tableDelete(shards, run.keys, run.strideBytes, run.count);
      else {
        const position = storedPosition(firstOp + run.firstOp);
        this.kernels.tablePut(shards, run.keys, run.strideBytes, run.count, position);
      }
    }
    this.release(changes);
    this.memory.settle();
  }

  /**
   * Which op of the log last set each of many keys. @param keys the first 20 bytes of every `strideBytes`
   * @param opCount ops in the log @param out one for each key, written: op numbers; -1 for a key without entry
   */
  positions(keys: Uint8Array, opCount: number, out: Float64Array, strideBytes: number = ADDRESS_SIZE_BYTES): void {
    const stored = this.#storedPositions(keys, strideBytes, out.length);
    resolvePositions(stored, opCount, out);
  }

  /** As they stand in the slots; 0 for a key without entry. */
  #storedPositions(keys: Uint8Array, strideBytes: number, count: number): Uint32Array {
    const stored = new Uint32Array(count);
    const { shards } = this.memory;
    const at = shards.slotSizeBytes - POSITION_SIZE_BYTES;
    this.kernels.tableRead(shards, keys, strideBytes, at, POSITION_SIZE_BYTES, new Uint8Array(stored.buffer));
    return stored;
  }

  /**
   * Every entry's op number, in no order that means anything, some tens of thousands at a time; the array handed out is used again.
   * @param opCount ops in the log. Do not write while reading.
   */
  *eachPosition(opCount: number): Generator<Float64Array> {
    const { tables, olds, slotSizeBytes } = this.memory.shards;
    const [stored, out] = [new Uint32Array(POSITIONS_SLICE), new Float64Array(POSITIONS_SLICE)];
    const slotWords = slotSizeBytes >>> 2;
    let filled = 0;
    for (const { buffer, byteOffset, length } of [...tables, ...olds]) {
      const words = new Uint32Array(buffer, byteOffset, length >>> 2);
      for (let word = slotWords - 1; word < words.length; word += slotWords) {
        const position = words[word]!;
        if (position === 0 || position === TOMBSTONE) continue;
        stored[filled++] = position;
        if (filled < POSITIONS_SLICE) continue;
        resolvePositions(stored, opCount, out);
        yield out;
        filled = 0;
      }
    }
    resolvePositions(stored.subarray(0, filled), opCount, out);
    if (filled > 0) yield out.subarray(0, filled);
  }

  /** Goes on moving shards into larger tables, a slice at a time, letting others run in between; resolves when none moves. */
  async sweep(): Promise<void> {
    while (!this.#closed && this.memory.moveSlice()) await new Promise((resolve) => setImmediate(resolve));
  }

  /**
   * Writes every shard's image, durably, and leaves the mark that says which point of the log the table equals; then closes. Throws
   * `FilesError` ('no-space', 'io'): there is no mark then, and the next open rebuilds. @param chain of the log's end
   */
  async closeClean(chain: Uint8Array): Promise<void> {
    const home = this.#home;
    assertInvariant(home !== undefined, 'a table in memory only is not closed clean');
    const { files, kernels, directory } = home;
    try {
      const crcs = this.#crcs ?? (await this.#writeImages(home));
      const shards = crcs.map((crc, index) => ({ ...this.memory.shape(index), crc }));
      const mark = { chain, slotSizeBytes: this.memory.shards.slotSizeBytes, shards };
      await writeMark(files, kernels, `${directory}/clean`, mark);
    } finally {
      this.close();
    }
  }

  async #writeImages({ files, kernels, directory }: TableOptions): Promise<number[]> {
    this.memory.moveEverything();
    const { tables } = this.memory.shards;
    const names = tables.map((_, index) => imageName(index, this.memory.shape(index).slotCountLog2));
    // First, so that their space is free.
    await removeImages(files, directory, new Set(names));
    const crcs: number[] = [];
    for (const [index, table] of tables.entries())
      crcs.push(await writeImage(files, kernels, `${directory}/${names[index]!}`, table));
    // Their names become durable with the mark's, which is in the same folder.
    return crcs;
  }

  /** Closes without a mark: the next open rebuilds. Idempotent. */
  close(): void {
    this.#closed = true;
    this.memory.close();
  }
}
