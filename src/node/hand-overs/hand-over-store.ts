/**
 * Hand-overs as they are kept on disk: one for each change of who judges, in order, for ever; and the draft of one that is about to be made.
 *
 * | table | key | value |
 * |---|---|---|
 * | `hand-overs` | epoch in which the electorate began | the hand-over's bytes, CRC-32C of them u32 |
 * | (unnamed) | `draft` | msgpack map {header, certificate}: encoded, of the block about to be final |
 *
 * Invariants
 * - Append-only: epochs ascend, nothing is replaced or removed, but `clear` (a sync that turned out to be of another chain).
 * - What comes out is what went in, by its checksum; else `CorruptionError`.
 * - A hand-over and the end of its draft are one transaction. Memory: the last one only.
 */
import type { Kernels } from '../../../native/index.ts';
import {
  CorruptionError,
  type Disk,
  type KeyValueStore,
  openKeyValues,
  realDisk,
  type Table,
} from '../../../storage/index.ts';

const CHECKSUM_SIZE_BYTES = 4;
const DRAFT = 'draft';

/** The block whose finality is about to become durable, and what shows it: docs/format/packets.md. */
export interface HandOverDraft {
  readonly header: Uint8Array;
  readonly certificate: Uint8Array;
}

export class HandOverStore {
  readonly #kernels: Pick<Kernels, 'crc32c'>;
  readonly #store: KeyValueStore;
  readonly #drafts: Table<string, HandOverDraft>;
  readonly #rows: Table<number, Uint8Array>;

  private constructor(store: KeyValueStore, kernels: Pick<Kernels, 'crc32c'>) {
    this.#kernels = kernels;
    this.#store = store;
    this.#drafts = this.#store.table({ name: null, keys: 'ordered', values: 'packed' });
    this.#rows = this.#store.table({ name: 'hand-overs', keys: 'ordered', values: 'bytes' });
  }

  /** @param directory created when missing @param disk the real one unless given. Throws `FilesError` */
  static async open(
    directory: string,
    kernels: Pick<Kernels, 'crc32c'>,
    disk: Pick<Disk, 'files' | 'keyValues'> = realDisk(),
  ): Promise<HandOverStore> {
    return new HandOverStore(await openKeyValues(disk, directory), kernels);
  }

  get count(): number {
    return this.#rows.count;
  }

  /** The newest; undefined when there is none. */
  get last(): Uint8Array | undefined {
    for (const epoch of this.#rows.keys({ reverse: true, limit: 1 })) return this.#read(epoch);
    return undefined;
  }

  /** Those of an epoch on, ascending, read one by one; copies. @throws CorruptionError */
  *from(epoch: number, countMax: number): Generator<Uint8Array> {
    // Keys first: what is appended meanwhile does not disturb the walk.
    const epochs = [...this.#rows.keys({ start: epoch, limit: countMax })];
    for (const one of epochs) yield this.#read(one);
  }

  /** Appends one, and drops the draft; durable when resolved. */
  async append(epoch: number, bytes: Uint8Array): Promise<void> {
    for (const last of this.#rows.keys({ reverse: true, limit: 1 }))
      if (last >= epoch) throw new RangeError(`a hand-over of epoch ${epoch} behind that of epoch ${last}`);
    const row = Buffer.alloc(bytes.length + CHECKSUM_SIZE_BYTES);
    row.set(bytes);
    row.writeUInt32LE(this.#kernels.crc32c(bytes), bytes.length);
    await this.#store.write(() => {
      this.#rows.put(epoch, row);
      this.#drafts.remove(DRAFT);
    });
  }

  get draft(): HandOverDraft | undefined {
    return this.#drafts.get(DRAFT);
  }

  /** Durable when resolved. */
  async putDraft(draft: HandOverDraft): Promise<void> {
    const { header, certificate } = draft;
    await this.#store.write(() => this.#drafts.put(DRAFT, { header, certificate }));
  }

  async dropDraft(): Promise<void> {
    if (this.draft !== undefined) await this.#store.write(() => this.#drafts.remove(DRAFT));
  }

  /** Forgets everything. */
  async clear(): Promise<void> {
    const epochs = [...this.#rows.keys()];
    await this.#store.write(() => {
      for (const epoch of epochs) this.#rows.remove(epoch);
      this.#drafts.remove(DRAFT);
    });
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  #read(epoch: number): Uint8Array {
    // Copied: the store may reuse what it gives out.
    const row = Buffer.from(this.#rows.get(epoch)!);
    const end = row.length - CHECKSUM_SIZE_BYTES;
    const bytes = new Uint8Array(row.subarray(0, Math.max(0, end)));
    const found = this.#kernels.crc32c(bytes);
    const expected = end < 0 ? undefined : row.readUInt32LE(end);
    if (expected !== found)
      throw new CorruptionError('hand-over', epoch, `checksum ${expected ?? 'and bytes'}`, String(found));
    return bytes;
  }
}
