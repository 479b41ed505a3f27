/**
 * Every eviction of the chain, kept for the evicted: the state has only the peaks, so whoever wants a balance back must learn from somebody which leaf is
 * theirs and the path to its peak. Validators and archives keep all from genesis, at under 500 bytes an eviction (measured: 457); a fast-synced node keeps those after its start.
 *
 * In a key-value store: leaves by number, hashes of all complete subtrees by (level, place), and addresses with their evictions' numbers.
 *
 * Invariants
 * - An eviction is on disk here before its block's batch is in the op log. So at open this store holds the state's evictions and at most a few more, from blocks whose
 *   batch was not written: those are dropped, and come again when the blocks are executed again.
 * - At open the peaks made from what is kept equal the state's record, or the store says that it is damaged.
 * - Reads name the count of evictions they are for: what lies past it is not looked at.
 */
import { type Address, address, amount, height } from '../../../native/index.ts';
import {
  CorruptionError,
  type Disk,
  Frontier,
  HASH_SIZE_BYTES,
  type KeyValueStore,
  type MerkleKernels,
  nodeHash,
  openKeyValues,
  packHashes,
  realDisk,
  type Table,
} from '../../../storage/index.ts';
import {
  EVICTION_LEAF_SIZE_BYTES,
  type Eviction,
  evictionLeaf,
  evictionLeafHashes,
  mountainOf,
  sameRange,
} from '../../ledger/index.ts';

const ADDRESS_SIZE_BYTES = 20;
/** Of a node, [level, place]: its leaves are place * 2^level .. (place + 1) * 2^level - 1. */
type NodeKey = readonly [level: number, place: number];
interface Mountain {
  readonly level: number;
  readonly place: number;
  readonly hash: Uint8Array;
}
/** A kept eviction and its number. */
export interface KeptEviction extends Eviction {
  readonly index: number;
}
/** What a search by address found. */
export interface EvictionsFound {
  readonly rows: readonly KeptEviction[];
  /** Where to go on from; null when there are no more. */
  readonly next: number | null;
}

export class EvictionStore {
  readonly #kernels: MerkleKernels;
  readonly #path: string;
  readonly #store: KeyValueStore;
  readonly #about: Table<string, number>;
  readonly #leaves: Table<number, Uint8Array>;
  readonly #nodes: Table<NodeKey, Uint8Array>;
  readonly #owners: Table<Uint8Array, Uint8Array>;
  #start = 0;
  #count = 0;
  /** Peaks over all `#count` evictions, largest first. */
  #mountains: Mountain[] = [];

  private constructor(path: string, kernels: MerkleKernels, store: KeyValueStore) {
    this.#path = path;
    this.#kernels = kernels;
    this.#store = store;
    this.#about = store.table({ name: null, keys: 'ordered', values: 'packed' });
    this.#leaves = store.table({ name: 'leaves', keys: 'ordered', values: 'bytes' });
    this.#nodes = store.table({ name: 'nodes', keys: 'ordered', values: 'bytes' });
    this.#owners = store.table({ name: 'owners', keys: 'bytes', values: 'bytes' });
  }

  /**
   * Opens the store of a state, or makes one. Throws `CorruptionError` when it has lost evictions or holds others.
   * @param path a folder, created when missing @param range the state's mountain range: a new store starts after it
   * @param disk the real one unless given
   */
  static async open(
    path: string,
    kernels: MerkleKernels,
    range: Frontier,
    disk: Pick<Disk, 'files' | 'keyValues'> = realDisk(),
  ): Promise<EvictionStore> {
    const store = new EvictionStore(path, kernels, await openKeyValues(disk, path));
    try {
      await store.#open(range);
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Number of the first eviction kept here: 0, or how many there were when this node fast-synced. */
  get start(): number {
    return this.#start;
  }

  /** Evictions up to now, kept here or not. */
  get count(): number {
    return this.#count;
  }

  /** Adds a block's evictions; on disk when it resolves. @param first number of the first: the count so far */
  async append(first: number, evictions: readonly Eviction[]): Promise<void> {
    if (first !== this.#count) throw new RangeError(`evictions go on with ${this.#count}, got ${first}`);
    const hashes = evictionLeafHashes(this.#kernels, evictions);
    await this.#store.write(() => {
      for (const [at, eviction] of evictions.entries()) {
        this.#leaves.put(first + at, evictionLeaf(eviction));
        this.#owners.put(ownerKey(eviction.address, first + at), new Uint8Array(0));
        this.#addLeaf(hashes.slice(at * HASH_SIZE_BYTES, (at + 1) * HASH_SIZE_BYTES));
      }
    });
  }

  /**
   * The siblings from an eviction's leaf to the peak of its mountain among `count` evictions, lowest first, packed; undefined when this node has not kept
   * that eviction. @param count at most this store's
   */
  path(index: number, count: number): Uint8Array | undefined {
    if (index < this.#start || index >= count || count > this.#count) return undefined;
    const { level } = mountainOf(index, count);
    const siblings: Uint8Array[] = [];
    for (let at = 0, place = index; at < level; at++, place = Math.floor(place / 2))
      siblings.push(this.#node([at, place % 2 === 0 ? place + 1 : place - 1]));
    return packHashes(siblings);
  }

  /** Evictions of one address below number `count`, ascending from number `from`, at most `countMax`. */
  byAddress(owner: Address, from: number, count: number, countMax: number): EvictionsFound {
    const rows: KeptEviction[] = [];
    const range = { start: ownerKey(owner, from), end: ownerKey(owner, count), limit: countMax + 1 };
    for (const key of this.#owners.keys(range)) {
      const view = new DataView(key.buffer, key.byteOffset, key.length);
      const index = Number(view.getBigUint64(ADDRESS_SIZE_BYTES));
      if (rows.length === countMax) return { rows, next: index };
      rows.push({ index, ...this.#leaf(index) });
    }
    return { rows, next: null };
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #open(range: Frontier): Promise<void> {
    const start = this.#about.get('start');
    if (start === undefined) {
      await this.#begin(range);
      return;
    }
    this.#start = start;
    this.#count = range.size;
    await this.#dropFrom(range.size);
    const [last] = this.#leaves.keys({ reverse: true, limit: 1 });
    const kept = last === undefined ? start : last + 1;
    if (kept !== range.size) throw this.#damaged(kept, `${range.size} evictions`, `${kept}`);
    this.#mountains = mountainKeys(range.size).map(([level, place]) => ({
      level,
      place,
      hash: this.#node([level, place]),
    }));
    const peaks = this.#mountains.map(({ hash }) => hash);
    const bytes = new Uint8Array(8 + peaks.length * HASH_SIZE_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(range.size), true);
    bytes.set(packHashes(peaks), 8);
    if (!sameRange(Frontier.decode(bytes), range)) throw this.#damaged(kept, "the state's peaks", 'others');
  }

  /** A store that knows nothing but the peaks: enough to go on, and for the paths of all that comes. */
  async #begin(range: Frontier): Promise<void> {
    this.#start = range.size;
    this.#count = range.size;
    this.#mountains = mountainKeys(range.size).map(([level, place], at) => ({ level, place, hash: range.peaks[at]! }));
    await this.#store.write(() => {
      for (const { level, place, hash } of this.#mountains) this.#nodes.put([level, place], hash);
      this.#about.put('start', range.size);
    });
  }

  /** Hashes of subtrees that are not complete without what is dropped stay: they are not read, and written again. */
  async #dropFrom(count: number): Promise<void> {
    const late = [...this.#leaves.keys({ start: count })];
    if (late.length === 0) return;
    await this.#store.write(() => {
      for (const index of late) {
        this.#owners.remove(ownerKey(this.#leaf(index).address, index));
        this.#leaves.remove(index);
      }
    });
  }

  #addLeaf(hash: Uint8Array): void {
    let node: Mountain = { level: 0, place: this.#count, hash };
    this.#put(node);
    while (this.#mountains.at(-1)?.level === node.level) {
      const left = this.#mountains.pop()!;
      const parent = nodeHash(this.#kernels, left.hash, node.hash);
      node = { level: node.level + 1, place: Math.floor(node.place / 2), hash: parent };
      this.#put(node);
    }
    this.#mountains.push(node);
    this.#count++;
  }

  #put({ level, place, hash }: Mountain): void {
    this.#nodes.put([level, place], hash);
  }

  #node(key: NodeKey): Uint8Array {
    const node = this.#nodes.get(key);
    if (node === undefined || node.length !== HASH_SIZE_BYTES)
      throw this.#damaged(
        key[1],
        `the hash of subtree ${key.join('/')}`,
        node === undefined ? 'none' : `${node.length} bytes`,
      );
    return new Uint8Array(node);
  }

  #leaf(index: number): Eviction {
    const leaf = this.#leaves.get(index);
    if (leaf === undefined || leaf.length !== EVICTION_LEAF_SIZE_BYTES)
      throw this.#damaged(index, `eviction ${index}`, leaf === undefined ? 'none' : `${leaf.length} bytes`);
    const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.length);
    return {
      address: address(new Uint8Array(leaf.subarray(0, ADDRESS_SIZE_BYTES))),
      balance: amount(view.getBigUint64(ADDRESS_SIZE_BYTES, true)),
      height: height(Number(view.getBigUint64(ADDRESS_SIZE_BYTES + 8, true))),
    };
  }

  #damaged(index: number, expected: string, found: string): CorruptionError {
    return new CorruptionError(this.#path, index, expected, found);
  }
}

/** Where the peaks of `count` leaves stand, largest first. */
function mountainKeys(count: number): NodeKey[] {
  const keys: NodeKey[] = [];
  for (let first = 0; first < count; ) {
    const { level } = mountainOf(first, count);
    keys.push([level, first / 2 ** level]);
    first += 2 ** level;
  }
  return keys;
}

/** address || number u64 big-endian: one owner's evictions stand together, ascending. */
function ownerKey(owner: Uint8Array, index: number): Buffer {
  const key = Buffer.alloc(ADDRESS_SIZE_BYTES + 8);
  key.set(owner);
  key.writeBigUInt64BE(BigInt(index), ADDRESS_SIZE_BYTES);
  return key;
}
