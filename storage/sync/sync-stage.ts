/**
 * The quarantine of a fast sync: what strangers send is kept here, proven, until it may become the live directory in one rename.
 *
 * Owns: a folder that will become the live one, with `state/` and `history/`, and while the sync lasts `pieces/`, `blocks/` and `liars`.
 *
 * Invariants
 * - Nothing unproven is kept, here either: pieces are proven against the target's state root before they come (state-stage.ts).
 * - The live directory changes by one rename, only when the state was opened, its table built, and its root is the target's.
 * - Resumable: opening again finds what was kept. One process at a time (lock file).
 */
import { dirname } from 'node:path';
import { type Hash, type Kernels, sameBytes } from '../../native/index.ts';
import { type Disk, realDisk } from '../disk.ts';
import { hexOf, StorageError } from '../errors.ts';
import { type FileLock, type Files, makeDurableDirectory } from '../files/files.ts';
import type { HistoryShape } from '../history/cursor.ts';
import type { HistoryStart } from '../history/history-model.ts';
import { HistoryStore } from '../history/history-store.ts';
import { PendingBlocks } from '../history/pending-blocks.ts';
import type { KeyValues } from '../key-value/key-value.ts';
import { StateStore } from '../state.ts';
import { LiarList } from './liar-list.ts';
import type { CheckedManifest, SyncTarget } from './manifest.ts';
import { StateStage } from './state-stage.ts';

export interface SyncStageOptions {
  /** The quarantine; on the same file system as the live directory. */
  readonly directory: string;
  readonly kernels: Kernels;
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  /** Most bytes of ops to keep. */
  readonly sizeBytesMax: number;
  /** Where op log segments are cut, and when they go: as in the live store. */
  readonly segmentSizeBytes?: number;
  readonly retainHeights?: number;
  /** Most bytes of waiting pieces in memory. */
  readonly heldSizeBytesMax?: number;
  /** Ops of a piece: `PIECE_OPS` unless given, which is also the most. */
  readonly pieceOps?: number;
  /** Source of the tables' secrets; the machine's unless given. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
  /** The real one unless given. */
  readonly disk?: Pick<Disk, 'files' | 'keyValues'>;
}

/** Opens the state in a folder, its table built, and closes it; resolves to its root. */
type SettleState = (directory: string) => Promise<Hash>;

export class SyncStage {
  /** Who lied, in this and earlier attempts. */
  readonly liars: LiarList;
  readonly #options: SyncStageOptions;
  readonly #files: Files;
  readonly #keyValues: KeyValues;
  readonly #lock: FileLock;
  #state: StateStage | undefined;
  #history: HistoryStore | undefined;
  #blocks: PendingBlocks | undefined;
  #isSettled = false;
  #closed = false;

  private constructor(
    options: SyncStageOptions,
    disk: Pick<Disk, 'files' | 'keyValues'>,
    lock: FileLock,
    liars: LiarList,
  ) {
    this.#options = options;
    this.#files = disk.files;
    this.#keyValues = disk.keyValues;
    this.#lock = lock;
    this.liars = liars;
  }

  /** Opens or makes a quarantine. Throws `FilesError` ('locked' when another process has it). */
  static async open(options: SyncStageOptions): Promise<SyncStage> {
    const { directory, disk = realDisk() } = options;
    const { files } = disk;
    await makeDurableDirectory(files, directory);
    const lock = await files.lock(`${directory}/lock`);
    try {
      return new SyncStage(options, disk, lock, await LiarList.open(files, `${directory}/liars`));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Opens the staged blocks, those of an earlier attempt among them: the caller verifies what it puts there. Closed with the stage. */
  async openBlocks(): Promise<PendingBlocks> {
    const disk = { files: this.#files, keyValues: this.#keyValues };
    this.#blocks ??= await PendingBlocks.open({ directory: `${this.#options.directory}/blocks`, ...disk });
    return this.#blocks;
  }

  /** Throws away the staged blocks. */
  async discardBlocks(): Promise<void> {
    await this.#blocks?.close();
    this.#blocks = undefined;
    await this.#files.remove(`${this.#options.directory}/blocks`);
  }

  /**
   * Opens the state under way, or begins it. An earlier attempt's that does not lead to the target is thrown away first.
   * @param checked the target's manifest. Throws `CorruptionError`, `FilesError`, `StorageError`.
   */
  async openState(checked: CheckedManifest): Promise<StateStage> {
    const options = { ...this.#options, files: this.#files, checked };
    try {
      this.#state = await StateStage.open(options);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'wrong-root') throw error;
      await this.discardState();
      this.#state = await StateStage.open(options);
    }
    return this.#state;
  }

  /** Throws away the state under way. */
  async discardState(): Promise<void> {
    await this.#state?.close();
    this.#state = undefined;
    this.#isSettled = false;
    for (const name of ['state', 'pieces']) await this.#files.remove(`${this.#options.directory}/${name}`);
    await this.#files.syncDirectory(this.#options.directory);
  }

  /**
   * Opens the whole state here once, which builds its table, and compares its root. The state stage must be finished.
   * Throws `StorageError` 'wrong-root', 'incomplete'; what `StateStore.open` throws.
   */
  async settleState(
    target: SyncTarget,
    settle: SettleState = (directory) => this.#rootAfterOpening(directory),
  ): Promise<void> {
    if (this.#state?.isFinished !== true) throw new StorageError('incomplete', 'the state is not finished');
    const root = await settle(`${this.#options.directory}/state`);
    if (!sameBytes(root, target.root))
      throw new StorageError('wrong-root', `the state's root is ${hexOf(root)}, the target's ${hexOf(target.root)}`);
    this.#isSettled = true;
  }

  async #rootAfterOpening(directory: string): Promise<Hash> {
    const { kernels, chainId, segmentSizeBytes, retainHeights, randomBytes } = this.#options;
    const store = await StateStore.open({
      directory,
      kernels,
      chainId,
      files: this.#files,
      ...(randomBytes === undefined ? {} : { randomBytes }),
      ...(segmentSizeBytes === undefined ? {} : { segmentSizeBytes }),
      ...(retainHeights === undefined ? {} : { retainHeights }),
    });
    try {
      return store.tip.commitment.root;
    } finally {
      await store.close();
    }
  }

  /**
   * The history being staged, from `start` on: one that an earlier attempt left goes, since all of it is at hand again. The caller
   * verifies what it appends. Closed with the stage.
   */
  async openHistory(shape: HistoryShape, start: HistoryStart): Promise<HistoryStore> {
    const { directory, kernels } = this.#options;
    await this.#history?.close();
    await this.#files.remove(`${directory}/history`);
    this.#history = await HistoryStore.open({
      ...shape,
      directory: `${directory}/history`,
      kernels,
      files: this.#files,
      keyValues: this.#keyValues,
      start,
    });
    return this.#history;
  }

  /**
   * Closes the stage and renames it to `liveDirectory`, which must be absent or empty; durable when resolved.
   * Throws `StorageError` 'incomplete' before the state is settled, `FilesError` 'not-empty'.
   */
  async adopt(liveDirectory: string): Promise<void> {
    if (!this.#isSettled) throw new StorageError('incomplete', 'the state is not settled');
    await this.close();
    const { directory } = this.#options;
    for (const name of ['pieces', 'blocks', 'liars']) await this.#files.remove(`${directory}/${name}`);
    await makeDurableDirectory(this.#files, dirname(liveDirectory));
    await this.#files.syncDirectory(directory);
    await this.#files.rename(directory, liveDirectory);
    await this.#files.syncDirectory(dirname(liveDirectory));
    await this.#files.syncDirectory(dirname(directory));
  }

  /** Lets go of the folder; what is kept stays for the next `open`, and a folder in which nothing is kept goes. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const parts = [this.#history, this.#state, this.#blocks];
    const ends = await Promise.allSettled(parts.map((part) => part?.close()));
    await this.#lock.release();
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const { directory } = this.#options;
    if ((await this.#files.list(directory)).length === 0) await this.#files.remove(directory);
  }
}
