/**
 * Blocks that are accepted but not final: kept, synced, before this node votes on them, so that a restart knows them.
 *
 * Owns: one key-value store and a lock file. Key: block hash; value: [height, slot, bytes].
 * Invariant: `put` and `delete` resolve when they are on disk.
 */
import { type Hash, type Height, hash, height as heightOf, type Slot, slot as slotOf } from '../../native/index.ts';
import { openKeyValues } from '../disk.ts';
import { diskFiles } from '../files/disk-files.ts';
import { type FileLock, type Files, makeDurableDirectory } from '../files/files.ts';
import type { KeyValueStore, KeyValues, Table } from '../key-value/key-value.ts';
import { lmdbKeyValues } from '../key-value/lmdb-key-values.ts';

export interface PendingBlock {
  readonly hash: Hash;
  readonly height: Height;
  readonly slot: Slot;
  readonly bytes: Uint8Array;
}

type Row = [height: number, slot: number, bytes: Uint8Array];

export class PendingBlocks {
  readonly #store: KeyValueStore;
  readonly #blocks: Table<Uint8Array, Row>;
  readonly #lock: FileLock;
  #closed = false;

  private constructor(store: KeyValueStore, lock: FileLock) {
    this.#lock = lock;
    this.#store = store;
    this.#blocks = store.table({ name: 'blocks', keys: 'bytes', values: 'packed' });
  }

  /** Opens or makes the folder. Throws `FilesError` 'locked'. */
  static async open(options: { directory: string; files?: Files; keyValues?: KeyValues }): Promise<PendingBlocks> {
    const files = options.files ?? diskFiles();
    await makeDurableDirectory(files, options.directory);
    const lock = await files.lock(`${options.directory}/lock`);
    try {
      const disk = { files, keyValues: options.keyValues ?? lmdbKeyValues };
      return new PendingBlocks(await openKeyValues(disk, `${options.directory}/blocks`), lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Keeps a block; on disk when resolved. The same hash again replaces it. */
  async put(block: PendingBlock): Promise<void> {
    await this.#store.write(() => this.#blocks.put(block.hash, [block.height, block.slot, block.bytes]));
  }

  /** Forgets blocks by hash; those not there are passed over. */
  async delete(...hashes: readonly Uint8Array[]): Promise<void> {
    await this.#store.write(() => {
      for (const each of hashes) this.#blocks.remove(each);
    });
  }

  /** The bytes of one block, by hash; undefined when it is not kept. */
  bytes(hash: Uint8Array): Uint8Array | undefined {
    const row = this.#blocks.get(hash);
    return row === undefined ? undefined : new Uint8Array(row[2]);
  }

  /** All blocks, by slot ascending, then hash. */
  all(): PendingBlock[] {
    const blocks: PendingBlock[] = [];
    for (const key of this.#blocks.keys()) {
      const [height, slot, bytes] = this.#blocks.get(key)!;
      blocks.push({
        hash: hash(new Uint8Array(key)),
        height: heightOf(height),
        slot: slotOf(slot),
        bytes: new Uint8Array(bytes),
      });
    }
    return blocks.sort((a, b) => a.slot - b.slot || Buffer.compare(a.hash, b.hash));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#store.close();
    await this.#lock.release();
  }
}
