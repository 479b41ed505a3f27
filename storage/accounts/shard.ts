/**
 * One shard of the account table: an open-addressing table of 2^k slots in one mapped file.
 *
 *   slot: address 20, balance u64, log position u32 (0: empty slot)
 *   file: 2^k slots, nothing else; its name carries the shard's number and k: `shard-03-12`
 *
 * Invariants
 * - At most half of the slots are used. A shard that would pass that is rebuilt into a file twice its size.
 * - At most 2^25 slots (1 GiB).
 * - The bytes are derived from the op log; nothing here is durable before `sync`, and nothing needs to be.
 */
import type { Kernels, MappedFile } from '../../native/index.ts';
import { StorageError } from '../errors.ts';
import type { Files } from '../files/files.ts';

export const SLOT_SIZE_BYTES = 32;
/** Smallest shard: one page. */
export const SLOT_COUNT_LOG2_MIN = 7;
/** Largest shard: 1 GiB. */
export const SLOT_COUNT_LOG2_MAX = 25;
const ADDRESS_SIZE_BYTES = 20;
const LOG_POSITION_AT = 28;
const REHASH_ENTRIES = 65_536;

export interface ShardContext {
  readonly files: Files;
  readonly kernels: Pick<Kernels, 'tableFind' | 'tablePut'>;
  readonly directory: string;
  /** Node-local, 16 bytes: decides slots, so that nobody else can aim collisions. */
  readonly secret: Uint8Array;
}

/** `shard-03-12` */
export function shardName(index: number, slotCountLog2: number): string {
  return `shard-${String(index).padStart(2, '0')}-${String(slotCountLog2).padStart(2, '0')}`;
}

const tableSize = (slotCountLog2: number): number => SLOT_SIZE_BYTES * 2 ** slotCountLog2;

export class Shard {
  readonly index: number;
  readonly #context: ShardContext;
  readonly #found = new Int32Array(1);
  #slotCountLog2: number;
  #used: number;
  #mapped: MappedFile;
  #view: DataView;

  private constructor(context: ShardContext, index: number, slotCountLog2: number, used: number, mapped: MappedFile) {
    this.#context = context;
    this.index = index;
    this.#slotCountLog2 = slotCountLog2;
    this.#used = used;
    this.#mapped = mapped;
    this.#view = viewOf(mapped);
  }

  /** Makes an empty shard in a new file. */
  static create(context: ShardContext, index: number, slotCountLog2: number): Shard {
    return new Shard(context, index, slotCountLog2, 0, mapShard(context, index, slotCountLog2, true));
  }

  /** Opens a shard that was synced with `used` entries. */
  static open(context: ShardContext, index: number, slotCountLog2: number, used: number): Shard {
    return new Shard(context, index, slotCountLog2, used, mapShard(context, index, slotCountLog2, false));
  }

  get slotCountLog2(): number {
    return this.#slotCountLog2;
  }

  /** Accounts in the shard. */
  get used(): number {
    return this.#used;
  }

  /** True when `count` new accounts fit without passing half full. */
  hasRoom(count: number): boolean {
    return (this.#used + count) * 2 <= 2 ** this.#slotCountLog2;
  }

  /** Balance of an address (20 bytes), or undefined when it has no account. */
  balance(address: Uint8Array): bigint | undefined {
    const { kernels, secret } = this.#context;
    kernels.tableFind(this.#mapped.bytes, this.#slotCountLog2, secret, address, this.#found);
    const slot = this.#found[0]!;
    return slot < 0 ? undefined : this.#view.getBigUint64(slot * SLOT_SIZE_BYTES + ADDRESS_SIZE_BYTES, true);
  }

  /**
   * Balances of n addresses (n * 20 bytes) at once: item i goes to `targets[i]` of `balances`, as u64 little-endian; 0 for those without account.
   */
  lookup(addresses: Uint8Array, targets: Uint32Array, balances: Uint8Array): void {
    const { kernels, secret } = this.#context;
    const { bytes } = this.#mapped;
    const slots = new Int32Array(targets.length);
    kernels.tableFind(bytes, this.#slotCountLog2, secret, addresses, slots);
    for (let index = 0; index < slots.length; index++) {
      const to = targets[index]! * 8;
      const slot = slots[index]!;
      if (slot < 0) balances.fill(0, to, to + 8);
      else {
        const from = slot * SLOT_SIZE_BYTES + ADDRESS_SIZE_BYTES;
        for (let byte = 0; byte < 8; byte++) balances[to + byte] = bytes[from + byte]!;
      }
    }
  }

  /** Every account's balance, in no order that means anything. Do not write while reading. */
  *balances(): Generator<bigint> {
    for (let at = 0; at < this.#mapped.bytes.length; at += SLOT_SIZE_BYTES)
      if (this.#view.getUint32(at + LOG_POSITION_AT, true) !== 0)
        yield this.#view.getBigUint64(at + ADDRESS_SIZE_BYTES, true);
  }

  /** How many of n entries (n * 32 bytes) are of addresses without account yet; equal ones count each time. */
  countMissing(entries: Uint8Array): number {
    const { kernels, secret } = this.#context;
    const slots = new Int32Array(entries.length / SLOT_SIZE_BYTES);
    const addresses = new Uint8Array(slots.length * ADDRESS_SIZE_BYTES);
    for (let index = 0; index < slots.length; index++) {
      const at = index * SLOT_SIZE_BYTES;
      addresses.set(entries.subarray(at, at + ADDRESS_SIZE_BYTES), index * ADDRESS_SIZE_BYTES);
    }
    kernels.tableFind(this.#mapped.bytes, this.#slotCountLog2, secret, addresses, slots);
    let missing = 0;
    for (const slot of slots) if (slot < 0) missing += 1;
    return missing;
  }

  /** Writes n entries (n * 32 bytes, in slot layout) in order. There must be room. */
  put(entries: Uint8Array): void {
    const { kernels, secret } = this.#context;
    this.#used += kernels.tablePut(this.#mapped.bytes, this.#slotCountLog2, secret, this.#used, entries);
  }

  /**
   * Doubles until `count` new accounts fit, keeping every entry.
   * Throws `StorageError` 'table-full' past 1 GiB, `FilesError` when the file cannot be had; the shard is then as it was.
   * @returns path of the file that is no longer needed
   */
  grow(count: number): string {
    let larger = this.#slotCountLog2;
    while ((this.#used + count) * 2 > 2 ** larger) larger += 1;
    if (larger > SLOT_COUNT_LOG2_MAX)
      throw new StorageError('table-full', `account shard ${this.index} cannot hold more than 2^24 accounts`);
    const mapped = mapShard(this.#context, this.index, larger, true);
    rehash(this.#context, this.#mapped.bytes, mapped.bytes, larger);
    const old = `${this.#context.directory}/${shardName(this.index, this.#slotCountLog2)}`;
    this.#mapped.close();
    this.#mapped = mapped;
    this.#view = viewOf(mapped);
    this.#slotCountLog2 = larger;
    return old;
  }

  /** Makes the shard's bytes durable. */
  sync(): void {
    this.#mapped.sync();
  }

  close(): void {
    this.#mapped.close();
  }
}

const viewOf = ({ bytes }: MappedFile): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function mapShard(context: ShardContext, index: number, slotCountLog2: number, create: boolean): MappedFile {
  const path = `${context.directory}/${shardName(index, slotCountLog2)}`;
  return context.files.map(path, tableSize(slotCountLog2), { create });
}

/** Puts every entry of one table into another, in slices. */
function rehash(context: ShardContext, from: Uint8Array, to: Uint8Array, slotCountLog2: number): void {
  const entries = new Uint8Array(REHASH_ENTRIES * SLOT_SIZE_BYTES);
  const view = new DataView(from.buffer, from.byteOffset, from.length);
  let used = 0;
  let filled = 0;
  const flush = (): void => {
    used += context.kernels.tablePut(to, slotCountLog2, context.secret, used, entries.subarray(0, filled));
    filled = 0;
  };
  for (let at = 0; at < from.length; at += SLOT_SIZE_BYTES) {
    if (view.getUint32(at + LOG_POSITION_AT, true) === 0) continue;
    entries.set(from.subarray(at, at + SLOT_SIZE_BYTES), filled);
    filled += SLOT_SIZE_BYTES;
    if (filled === entries.length) flush();
  }
  flush();
}
