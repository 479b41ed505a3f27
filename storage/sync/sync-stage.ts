/**
 * The quarantine of a fast sync: what strangers send is kept here, checked, until it may become the live directory in one rename.
 *
 * Owns: a folder that will become the live one: `state/` (an op log; the table is built from it at the first open) and `history/`.
 *
 * Invariants
 * - A batch is kept only when its structure is sound, its height is the next, and the root after it equals `expectedRoot` where the
 *   caller gave one (from a verified header), and the target's root at the target's height.
 * - At most `sizeBytesMax` bytes of batches are kept, whatever is sent.
 * - Resumable: opening again finds every batch whose `receiveBatch` resolved.
 * - The live directory changes by one rename, only when the target is reached; it never holds an unverified byte.
 */
import { dirname } from 'node:path';
import { type Hash, type Kernels, sameBytes } from '../../native/index.ts';
import { type Commitment, emptyCommitment } from '../commitment/commitment.ts';
import { hexOf, StorageError } from '../errors.ts';
import { diskFiles } from '../files/disk-files.ts';
import { type Files, makeDurableDirectory } from '../files/files.ts';
import type { HistoryShape } from '../history/cursor.ts';
import type { HistoryStart } from '../history/history-model.ts';
import { HistoryStore } from '../history/history-store.ts';
import { BATCH_SIZE_BYTES_MAX, checkBatch } from '../oplog/batch.ts';
import { OpLog } from '../oplog/op-log.ts';

/** The point to reach: a height, and the state root after its batch, from a header that the caller trusts. */
export interface SyncTarget {
  readonly height: number;
  readonly root: Hash;
}

export interface SyncStageOptions {
  /** The quarantine; on the same file system as the live directory. */
  readonly directory: string;
  readonly kernels: Kernels;
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  readonly target: SyncTarget;
  /** Most bytes of batches to keep. */
  readonly sizeBytesMax: number;
  /** Where op log segments are cut: as in the live store. */
  readonly segmentSizeBytes?: number;
  readonly files?: Files;
}

export class SyncStage {
  readonly target: SyncTarget;
  readonly #options: SyncStageOptions;
  readonly #files: Files;
  readonly #log: OpLog;
  #commitment: Commitment;
  #nextHeight: number;
  #sizeBytes: number;
  #durableHeight: number;
  #history: HistoryStore | undefined;
  #closed = false;

  private constructor(options: SyncStageOptions, files: Files, log: OpLog, commitment: Commitment, sizeBytes: number) {
    this.target = options.target;
    this.#options = options;
    this.#files = files;
    this.#log = log;
    this.#commitment = commitment;
    this.#nextHeight = log.height;
    this.#durableHeight = log.height;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Opens or makes a quarantine. Throws `StorageError` 'wrong-root' when what is staged already contradicts the target (call
   * `SyncStage.discard` and begin anew), 'wrong-chain', `CorruptionError`, `FilesError` ('locked').
   */
  static async open(options: SyncStageOptions): Promise<SyncStage> {
    const { directory, kernels, chainId, segmentSizeBytes, target } = options;
    const files = options.files ?? diskFiles(kernels);
    await makeDurableDirectory(files, `${directory}/state`);
    let commitment = emptyCommitment(kernels);
    let sizeBytes = 0;
    let atTarget: Commitment | undefined;
    const log = await OpLog.open({
      directory: `${directory}/state/log`,
      files,
      kernels,
      chainId,
      ...(segmentSizeBytes === undefined ? {} : { segmentSizeBytes }),
      visit: ({ batch, digest, height }) => {
        commitment = commitment.next(batch, digest);
        sizeBytes += batch.length;
        if (height === target.height) atTarget = commitment;
      },
    });
    if (log.height > target.height + 1 || (atTarget !== undefined && !sameBytes(atTarget.root, target.root))) {
      await log.close();
      throw new StorageError('wrong-root', `what is staged in ${directory} does not lead to the target; discard it`);
    }
    return new SyncStage(options, files, log, commitment, sizeBytes);
  }

  /** Removes a quarantine with all in it. It must not be open. */
  static async discard(directory: string, files: Files): Promise<void> {
    await files.remove(directory);
    await files.syncDirectory(dirname(directory));
  }

  /** Height of the batch to send next. */
  get nextHeight(): number {
    return this.#nextHeight;
  }

  /** Bytes of batches kept or being kept. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** True when every batch up to the target is kept, durable, and led to its root. */
  get isComplete(): boolean {
    return this.#durableHeight === this.target.height + 1;
  }

  /**
   * Takes the next batch (hostile bytes, copied before this returns); durable when resolved. Calls may overlap.
   * Rejects, without keeping it: `BatchError`; `StorageError` 'wrong-height', 'too-large', 'wrong-root'. After 'wrong-root' at the
   * target without roots given on the way, any earlier batch may be the liar's: discard the stage.
   * @param expectedRoot state root after this batch, from a verified header
   */
  async receiveBatch(batch: Uint8Array, expectedRoot?: Hash): Promise<void> {
    if (this.#closed) throw new StorageError('closed', 'the quarantine is closed');
    if (batch.length > BATCH_SIZE_BYTES_MAX || this.#sizeBytes + batch.length > this.#options.sizeBytesMax)
      throw new StorageError('too-large', `batches past ${this.#options.sizeBytesMax} bytes are not taken`);
    const { height } = checkBatch(batch);
    if (height !== this.#nextHeight || height > this.target.height)
      throw new StorageError('wrong-height', `next batch must have height ${this.#nextHeight}, got ${height}`);
    const commitment = this.#commitment.next(batch);
    for (const wanted of [expectedRoot, height === this.target.height ? this.target.root : undefined])
      if (wanted !== undefined && !sameBytes(commitment.root, wanted))
        throw new StorageError(
          'wrong-root',
          `state root after batch ${height} is ${hexOf(commitment.root)}, its header says ${hexOf(wanted)}`,
        );
    const { durable } = this.#log.append(batch);
    this.#commitment = commitment;
    this.#nextHeight = height + 1;
    this.#sizeBytes += batch.length;
    await durable;
    this.#durableHeight = height + 1;
  }

  /** The history being staged: opened with `start` when it is new. The caller verifies what it appends. Closed with the stage. */
  async openHistory(shape: HistoryShape, start: HistoryStart): Promise<HistoryStore> {
    const { directory, kernels } = this.#options;
    this.#history ??= await HistoryStore.open({
      ...shape,
      directory: `${directory}/history`,
      kernels,
      files: this.#files,
      start,
    });
    return this.#history;
  }

  /**
   * Closes the stage and renames it to `liveDirectory`, which must be absent or empty; durable when resolved. Then open
   * `StateStore` on `liveDirectory/state` and `HistoryStore` on `liveDirectory/history`.
   * Throws `StorageError` 'incomplete' before the target is reached, `FilesError` 'not-empty'.
   */
  async adopt(liveDirectory: string): Promise<void> {
    if (!this.isComplete)
      throw new StorageError(
        'incomplete',
        `the next batch is ${this.#nextHeight}, the target is ${this.target.height}`,
      );
    await this.close();
    const { directory } = this.#options;
    await makeDurableDirectory(this.#files, dirname(liveDirectory));
    await this.#files.syncDirectory(directory);
    await this.#files.rename(directory, liveDirectory);
    await this.#files.syncDirectory(dirname(liveDirectory));
    await this.#files.syncDirectory(dirname(directory));
  }

  /** Lets go of the folder; what is staged stays for the next `open`. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#history?.close();
    await this.#log.close();
  }
}
