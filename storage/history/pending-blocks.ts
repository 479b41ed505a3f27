/**
 * Blocks that are accepted but not final: kept, synced, before this node votes on them, so that a restart knows them.
 *
 * Owns: one lmdb environment and a lock file. Key: block hash; value (msgpackr): [height, slot, bytes].
 * Invariant: `put` and `delete` resolve when they are on disk.
 */
import { type Database, open, type RootDatabase } from 'lmdb';
import { type Hash, type Height, hash, height as heightOf, type Slot, slot as slotOf } from '../../native/index.ts';
import { diskFiles } from '../files/disk-files.ts';
import { type FileLock, type Files, makeDurableDirectory } from '../files/files.ts';

export interface PendingBlock {
  readonly hash: Hash;
  readonly height: Height;
  readonly slot: Slot;
  readonly bytes: Uint8Array;
}

type Row = [height: number, slot: number, bytes: Uint8Array];

const asKey = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

export class PendingBlocks {
  readonly #root: RootDatabase<unknown, string>;
  readonly #blocks: Database<Row, Buffer>;
  readonly #lock: FileLock;
  #closed = false;

  private constructor(directory: string, lock: FileLock) {
    this.#lock = lock;
    this.#root = open<unknown, string>({ path: `${directory}/blocks`, overlappingSync: false, maxDbs: 2 });
    this.#blocks = this.#root.openDB<Row, Buffer>({ name: 'blocks', keyEncoding: 'binary' });
  }

  /** Opens or makes the folder. Throws `FilesError` 'locked'. */
  static async open(options: { directory: string; files?: Files }): Promise<PendingBlocks> {
    const files = options.files ?? diskFiles();
    await makeDurableDirectory(files, options.directory);
    const lock = await files.lock(`${options.directory}/lock`);
    const pending = new PendingBlocks(options.directory, lock);
    await files.syncDirectory(`${options.directory}/blocks`);
    await files.syncDirectory(options.directory);
    return pending;
  }

  /** Keeps a block; on disk when resolved. The same hash again replaces it. */
  async put(block: PendingBlock): Promise<void> {
    await this.#blocks.put(asKey(block.hash), [block.height, block.slot, block.bytes]);
  }

  /** Forgets blocks by hash; those not there are passed over. */
  async delete(...hashes: readonly Uint8Array[]): Promise<void> {
    await this.#root.batch(() => {
      for (const each of hashes) this.#blocks.remove(asKey(each));
    });
  }

  /** The bytes of one block, by hash; undefined when it is not kept. */
  bytes(hash: Uint8Array): Uint8Array | undefined {
    const row = this.#blocks.get(asKey(hash));
    return row === undefined ? undefined : new Uint8Array(row[2]);
  }

  /** All blocks, by slot ascending, then hash. */
  all(): PendingBlock[] {
    const blocks: PendingBlock[] = [];
    for (const { key, value } of this.#blocks.getRange()) {
      const [height, slot, bytes] = value;
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
    await this.#root.close();
    await this.#lock.release();
  }
}
