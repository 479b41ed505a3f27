/**
 * The index over history: where each block lies, and which block a hash or a transaction is in.
 *
 * Owns: one key-value store. Tables:
 *   about         'history' -> { format, segmentSizeBytes, leafSizeBytes, startHeight, startOffset, startCrc, prunedBytes? }
 *   blocks        height -> [slot, hash, offset, sizeBytes, crc]   (offset and size of the framed block in the stream)
 *   hashes        block hash -> height
 *   transactions  transaction id -> [height, entry, index]
 *   segments      segment -> root
 *
 * Invariants: a block and all its keys are one transaction, durable before `add` resolves; so are the blocks that `drop` takes out and the start
 * behind them. Blocks are those from `startHeight` on, without a gap.
 */
import type { Hash } from '../../native/index.ts';
import { hash as hashOf } from '../../native/index.ts';
import { type Disk, openKeyValues, realDisk } from '../disk.ts';
import type { KeyValueStore, Table } from '../key-value/key-value.ts';

/** What the history is; its start moves when it is pruned. */
export interface HistoryFacts {
  readonly format: 1;
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
  /** Height of the first block held. */
  readonly startHeight: number;
  /** Byte of the stream at which that block begins. */
  readonly startOffset: number;
  /** CRC-32C of the stream's bytes from the segment border before `startOffset` up to it; means nothing once that segment is complete. */
  readonly startCrc: number;
  /** Bytes of the stream taken away by pruning since the history was made. */
  readonly prunedBytes?: number;
}

/** A block to be taken out, with the ids (32 bytes) of its transactions. */
export interface DroppedBlock {
  readonly height: number;
  readonly hash: Hash;
  readonly transactionIds: readonly Uint8Array[];
}

/** Where a block is. */
export interface BlockPlace {
  readonly height: number;
  readonly slot: number;
  readonly hash: Hash;
  /** Offset and size in the stream, length prefix included. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** CRC-32C of those bytes. */
  readonly crc: number;
}

/** Where a transaction is: block, entry of the block, and place within the entry. */
export interface TransactionPlace {
  readonly height: number;
  readonly entry: number;
  readonly index: number;
}

/** A transaction's id with its place in the block being added. */
export interface TransactionKey {
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly entry: number;
  readonly index: number;
}

type BlockRow = [slot: number, hash: Uint8Array, offset: number, sizeBytes: number, crc: number];
type TransactionRow = [height: number, entry: number, index: number];

export class HistoryIndex {
  readonly #store: KeyValueStore;
  readonly #about: Table<string, HistoryFacts>;
  readonly #blocks: Table<number, BlockRow>;
  readonly #hashes: Table<Uint8Array, number>;
  readonly #transactions: Table<Uint8Array, TransactionRow>;
  readonly #segments: Table<number, Uint8Array>;

  private constructor(store: KeyValueStore) {
    this.#store = store;
    this.#about = this.#store.table({ name: 'about', keys: 'ordered', values: 'packed' });
    this.#blocks = this.#store.table({ name: 'blocks', keys: 'ordered', values: 'packed' });
    this.#hashes = this.#store.table({ name: 'hashes', keys: 'bytes', values: 'packed' });
    this.#transactions = this.#store.table({ name: 'transactions', keys: 'bytes', values: 'packed' });
    this.#segments = this.#store.table({ name: 'segments', keys: 'ordered', values: 'packed' });
  }

  /** @param directory created when missing @param disk the real one unless given. Throws `FilesError` */
  static async open(directory: string, disk: Pick<Disk, 'files' | 'keyValues'> = realDisk()): Promise<HistoryIndex> {
    return new HistoryIndex(await openKeyValues(disk, directory));
  }

  get facts(): HistoryFacts | undefined {
    return this.#about.get('history');
  }

  /** How many blocks and transactions the index holds. */
  get counts(): { readonly blocks: number; readonly transactions: number } {
    return { blocks: this.#blocks.count, transactions: this.#transactions.count };
  }

  /** Stores the facts and the roots of the segments before the start (packed, 32 bytes each, from segment 0). */
  async create(facts: HistoryFacts, segmentRoots: Uint8Array): Promise<void> {
    await this.#store.write(() => {
      this.#about.put('history', facts);
      for (let at = 0; at < segmentRoots.length; at += 32) this.#segments.put(at / 32, segmentRoots.slice(at, at + 32));
    });
  }

  /** Adds a block with its transactions and the segments it completed, durable when resolved. */
  async add(
    block: BlockPlace,
    transactions: readonly TransactionKey[],
    firstSegment: number,
    segmentRoots: readonly Hash[],
  ): Promise<void> {
    await this.#store.write(() => {
      this.#blocks.put(block.height, [block.slot, block.hash, block.offset, block.sizeBytes, block.crc]);
      this.#hashes.put(block.hash, block.height);
      for (const { id, entry, index } of transactions) this.#transactions.put(id, [block.height, entry, index]);
      for (const [index, root] of segmentRoots.entries()) this.#segments.put(firstSegment + index, root);
    });
  }

  /** Replaces the facts and takes out blocks, those before the new start; durable when resolved. A later block's transaction of equal id stays. */
  async drop(facts: HistoryFacts, blocks: readonly DroppedBlock[]): Promise<void> {
    const ids: Uint8Array[] = [];
    for (const { transactionIds } of blocks)
      for (const id of transactionIds) if ((this.transaction(id)?.height ?? 0) < facts.startHeight) ids.push(id);
    // In the order of the tree: neighbours share its pages.
    ids.sort(Buffer.compare);
    await this.#store.write(() => {
      this.#about.put('history', facts);
      for (const { height, hash } of blocks) {
        this.#blocks.remove(height);
        this.#hashes.remove(hash);
      }
      for (const id of ids) this.#transactions.remove(id);
    });
  }

  /** The last block, or undefined when there is none. */
  get last(): BlockPlace | undefined {
    for (const height of this.#blocks.keys({ reverse: true, limit: 1 })) return this.block(height);
    return undefined;
  }

  block(height: number): BlockPlace | undefined {
    const row = this.#blocks.get(height);
    if (row === undefined) return undefined;
    const [slot, hash, offset, sizeBytes, crc] = row;
    return { height, slot, hash: hashOf(new Uint8Array(hash)), offset, sizeBytes, crc };
  }

  heightOf(blockHash: Uint8Array): number | undefined {
    return this.#hashes.get(blockHash);
  }

  transaction(id: Uint8Array): TransactionPlace | undefined {
    const row = this.#transactions.get(id);
    return row === undefined ? undefined : { height: row[0], entry: row[1], index: row[2] };
  }

  segmentRoot(segment: number): Hash | undefined {
    const root = this.#segments.get(segment);
    return root === undefined ? undefined : hashOf(new Uint8Array(root));
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
