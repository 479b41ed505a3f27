/**
 * The op log that a fast sync builds in quarantine, from proven pieces to the target's last op.
 *
 * Owns: `state/log/` (an op log that begins at the manifest's first op) and `pieces/` (pieces that wait) of the quarantine.
 *
 * Invariants
 * - Only proven pieces come in; only whole batches in their place reach the log. Its segment files are those of every node at the height.
 * - A log that an earlier attempt left is gone on with only after its ops were proven to be the first ones of the target's: the tree
 *   before the first piece behind them must be theirs.
 * - In memory: waiting pieces (`HELD_SIZE_BYTES_MAX`), the batch under way (`BATCH_SIZE_BYTES_MAX`), and what the log has not synced
 *   (`UNSYNCED_SIZE_BYTES_MAX` and one piece's batches).
 * - Killed at any byte, the next attempt finds the log's whole batches and the piece files. Not in either are at most
 *   `HELD_SIZE_BYTES_MAX` bytes of waiting pieces, as much of the batch under way, and what was not synced.
 */
import { type Kernels, sameBytes } from '../../native/index.ts';
import type { Frontier } from '../commitment/frontier.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX } from '../commitment/merkle.ts';
import { OpsAppender } from '../commitment/ops-append.ts';
import { assertInvariant, StorageError } from '../errors.ts';
import { type Files, makeDurableDirectory } from '../files/files.ts';
import { frameSize } from '../oplog/frame.ts';
import type { LogPosition } from '../oplog/log-position.ts';
import { OpLog } from '../oplog/op-log.ts';
import { type AssembledBatch, BatchAssembler } from './batch-assembler.ts';
import type { CheckedManifest } from './manifest.ts';
import type { OpsTree, Piece } from './piece.ts';
import { type OpSpan, PiecePlan } from './piece-plan.ts';
import { HELD_SIZE_BYTES_MAX, PieceShelf } from './piece-shelf.ts';
import { SyncFault } from './sync-fault.ts';

/** Bytes of frames given to the log and not synced yet, past which `keep` waits. */
export const UNSYNCED_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;

export type StageKernels = Pick<Kernels, 'sha256' | 'sha256Pairs' | 'sha256Ragged' | 'crc32c'>;

export interface StateStageOptions {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: StageKernels;
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  readonly checked: CheckedManifest;
  /** Most bytes of ops to take. */
  readonly sizeBytesMax: number;
  /** As in the live store. */
  readonly segmentSizeBytes?: number;
  readonly retainHeights?: number;
  readonly heldSizeBytesMax?: number;
  /** Ops of a piece: `PIECE_OPS` unless given, which is also the most. */
  readonly pieceOps?: number;
}

/** The log as it was found, with the tree of its ops. */
interface FoundLog {
  readonly log: OpLog;
  readonly frontier: Frontier;
  readonly floor: number;
  readonly sizeBytes: number;
}

export class StateStage {
  /** Ops that were there when the stage was opened, from the first on. */
  readonly resumedOps: number;
  readonly #options: StateStageOptions;
  readonly #log: OpLog;
  readonly #shelf: PieceShelf;
  readonly #plan: PiecePlan;
  readonly #assembler: BatchAssembler;
  /** The ops tree before some op that is logged or about to be. */
  #frontier: Frontier;
  /** The log's ops are not proven to be the target's first ones yet. */
  #mustLink: boolean;
  #sizeBytes: number;
  #unsyncedBytes = 0;
  #lastDurable: Promise<void> = Promise.resolve();
  #failure: unknown;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;
  #isFinished = false;

  private constructor(options: StateStageOptions, { log, frontier, floor, sizeBytes }: FoundLog, shelf: PieceShelf) {
    const { kernels, checked } = options;
    const { opCount, firstOp } = checked.manifest;
    this.#options = options;
    this.#log = log;
    this.#shelf = shelf;
    this.#frontier = frontier;
    this.#assembler = new BatchAssembler(kernels, log.tip, floor, opCount);
    this.#plan = new PiecePlan(log.opCount, opCount, shelf.spans, options.pieceOps);
    this.#mustLink = log.opCount > log.firstOp;
    this.#sizeBytes = sizeBytes;
    this.resumedOps = this.#plan.lowest - firstOp;
  }

  /**
   * Opens or makes the stage. Throws `StorageError` 'wrong-root' when what is there does not lead to the target (remove the folder then),
   * 'wrong-chain', `CorruptionError`, `FilesError`.
   */
  static async open(options: StateStageOptions): Promise<StateStage> {
    const { directory, files, kernels, checked } = options;
    await makeDurableDirectory(files, `${directory}/state`);
    const found = await openLog(options);
    try {
      requireFitting(found, checked);
      const shelf = await PieceShelf.open({
        directory: `${directory}/pieces`,
        files,
        kernels,
        tree: checked.manifest,
        ...(options.heldSizeBytesMax === undefined ? {} : { heldSizeBytesMax: options.heldSizeBytesMax }),
      });
      await shelf.release(found.log.opCount);
      const stage = new StateStage(options, found, shelf);
      await stage.#inTurn(() => stage.#takeShelved());
      return stage;
    } catch (error) {
      await found.log.close();
      throw error;
    }
  }

  /** The tree that pieces are proven against. */
  get tree(): OpsTree {
    return this.#options.checked.manifest;
  }

  /** The lowest op that is not kept; the number of all when none is missing. */
  get lowestMissing(): number {
    return this.#plan.lowest;
  }

  /** True when every op is kept (not yet durable: see `finish`). */
  get isWhole(): boolean {
    return this.#plan.isDone;
  }

  /** True once every op is durable in the log, and the log closed. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Bytes of pieces that wait in memory, and of the batch under way. */
  get waitingBytes(): number {
    return this.#shelf.heldBytes + this.#assembler.pendingBytes;
  }

  /** The next ops to ask for, or undefined while none may be. */
  take(): OpSpan | undefined {
    return this.#plan.take();
  }

  /** Nothing came of ops that were taken. */
  giveBack(span: OpSpan): void {
    this.#plan.giveBack(span);
  }

  /**
   * Keeps the proven answer for ops that were taken. Calls may overlap.
   * Rejects with `SyncFault` 'wrong-start' when the ops show that no batch begins at the manifest's first op; `StorageError` 'wrong-root'
   * when the log that was there is not the target's, 'wrong-place' when the target's ops are no log, 'too-large'; what the log throws.
   */
  keep(span: OpSpan, piece: Piece): Promise<void> {
    return this.#inTurn(async () => {
      this.#sizeBytes += piece.bytes.length;
      if (this.#sizeBytes > this.#options.sizeBytesMax)
        throw new StorageError('too-large', `the state has more than the ${this.#options.sizeBytesMax} bytes allowed`);
      if (piece.from === this.#assembler.nextOp) await this.#append(piece);
      else await this.#shelf.put(piece);
      this.#plan.kept(span, piece.to);
      await this.#takeShelved();
    });
  }

  /** Waits until all is durable, and closes the log. Throws `StorageError` 'incomplete' while ops are missing. */
  async finish(): Promise<void> {
    await this.#inTurn(async () => {
      const { opCount, opsRoot } = this.#options.checked.manifest;
      if (!this.#plan.isDone)
        throw new StorageError('incomplete', `ops from ${this.#plan.lowest} on are missing, of ${opCount}`);
      await this.#lastDurable;
      if (this.#log.opCount !== opCount)
        throw new StorageError('wrong-place', `the last batch ends behind op ${opCount}`);
      // A log that was whole already was never compared with a piece.
      if (this.#mustLink && !sameBytes(this.#frontier.root(this.#options.kernels), opsRoot))
        throw new StorageError('wrong-root', 'the log does not lead to the ops root of the target');
      await this.#shelf.release(opCount);
    });
    await this.#close();
    this.#isFinished = true;
  }

  /** Lets go of the folder; what waits in memory is written to it first. Idempotent. */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#closed) return;
      await this.#shelf.fileAll();
      for (const piece of this.#assembler.pendingPieces) await this.#shelf.file(piece);
    }).catch(() => {});
    await this.#close();
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#lastDurable.catch(() => {});
    await this.#log.close();
  }

  /** One after the other; after the first failure nothing more. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        await work();
      } catch (error) {
        if (!(error instanceof StorageError && error.code === 'incomplete')) this.#failure = error;
        throw error;
      }
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  async #takeShelved(): Promise<void> {
    while (this.#assembler.nextOp < this.tree.opCount) {
      const piece = await this.#shelf.take(this.#assembler.nextOp);
      if (piece === undefined) return;
      if ('lost' in piece) this.#plan.lost(piece.lost);
      else await this.#append(piece);
    }
  }

  async #append(piece: Piece): Promise<void> {
    if (this.#mustLink) this.#link(piece);
    try {
      for (const batch of this.#assembler.take(piece)) await this.#logBatch(batch);
    } catch (error) {
      throw this.#explained(error);
    }
    if (this.#assembler.pendingBytes > (this.#options.heldSizeBytesMax ?? HELD_SIZE_BYTES_MAX))
      await this.#shelf.file(piece);
    await this.#shelf.release(this.#log.opCount);
  }

  async #logBatch({ batch, digest, offsets, firstOp, piece }: AssembledBatch): Promise<void> {
    const size = frameSize(batch.length);
    if (this.#unsyncedBytes > 0 && this.#unsyncedBytes + size > UNSYNCED_SIZE_BYTES_MAX) await this.#lastDurable;
    this.#frontier = frontierAt(this.#options.kernels, this.#frontier, piece, firstOp);
    const { durable } = this.#log.append(batch, this.#frontier, { digest, offsets });
    this.#unsyncedBytes += size;
    this.#lastDurable = durable.then(() => {
      this.#unsyncedBytes -= size;
    });
    this.#lastDurable.catch(() => {});
  }

  /** The first piece behind what was there: the tree before it must be the log's. */
  #link(piece: Piece): void {
    const before = frontierAt(this.#options.kernels, piece.before, piece, this.#assembler.nextOp);
    if (Buffer.compare(before.encode(), this.#frontier.encode()) !== 0)
      throw new StorageError('wrong-root', 'the ops that an earlier attempt left are not those of the target');
    this.#mustLink = false;
  }

  /** Ops that are no log, although proven: when nothing stands before them it is the manifest's first op that is none of a batch. */
  #explained(error: unknown): unknown {
    if (!(error instanceof StorageError) || error.code !== 'wrong-place') return error;
    const { head } = this.#options.checked;
    return this.#assembler.position.height <= head.height + 1 ? new SyncFault('wrong-start', error.message) : error;
  }
}

async function openLog(options: StateStageOptions): Promise<FoundLog> {
  const { directory, files, checked } = options;
  const start = positionOf(checked);
  const found = await openLogAt(options, start);
  if (found.log.opCount > found.log.firstOp || samePosition(found.log.tip, start)) return found;
  // Nothing was logged yet, and an earlier attempt began elsewhere.
  await found.log.close();
  await files.remove(`${directory}/state/log`);
  return openLogAt(options, start);
}

async function openLogAt(options: StateStageOptions, start: LogPosition): Promise<FoundLog> {
  const { directory, files, kernels, chainId, segmentSizeBytes, retainHeights } = options;
  const appender = new OpsAppender(kernels);
  let frontier: Frontier | undefined;
  let [floor, sizeBytes] = [0, 0];
  const log = await OpLog.open({
    directory: `${directory}/state/log`,
    files,
    kernels,
    chainId,
    start,
    ...(segmentSizeBytes === undefined ? {} : { segmentSizeBytes }),
    ...(retainHeights === undefined ? {} : { retainHeights }),
    visitSegment: (segment) => {
      if (frontier !== undefined) return frontier;
      frontier = segment.frontier;
      return undefined;
    },
    visit: ({ batch, offsets, floor: before }) => {
      assertInvariant(frontier !== undefined, 'a segment is visited before its batches');
      frontier = appender.append(frontier, batch, offsets).frontier;
      floor = before;
      sizeBytes += batch.length;
    },
  });
  return { log, frontier: frontier ?? options.checked.frontier, floor, sizeBytes };
}

function positionOf({ manifest, head }: CheckedManifest): LogPosition {
  const { height, frameOffset, previousFrameSizeBytes, previousDigest } = head;
  return { height, opCount: manifest.firstOp, frameOffset, previousFrameSizeBytes, digest: previousDigest };
}

function samePosition(a: LogPosition, b: LogPosition): boolean {
  const fields = ['height', 'opCount', 'frameOffset', 'previousFrameSizeBytes'] as const;
  return fields.every((field) => a[field] === b[field]) && sameBytes(a.digest, b.digest);
}

/** A log that an earlier attempt left can be gone on with when it holds the floor, reaches what peers have, and does not pass the target. */
function requireFitting({ log, frontier }: FoundLog, { manifest }: CheckedManifest): void {
  const { opCount, floor, firstOp } = manifest;
  if (log.firstOp > floor || log.opCount > opCount || log.opCount < firstOp || frontier.size !== log.opCount)
    throw new StorageError(
      'wrong-root',
      `ops ${log.firstOp} .. ${log.opCount} are there, wanted ${firstOp} .. ${opCount}`,
    );
}

/**
 * The ops tree before an op of a piece, from `known` on or from the proof's, whichever is nearer: so an op is hashed again only where a
 * batch begins behind it in its own piece.
 */
function frontierAt(kernels: StageKernels, known: Frontier, piece: Piece, op: number): Frontier {
  const from = known.size >= piece.from && known.size <= op ? known : piece.before;
  if (from.size === op) return from;
  const [first, end] = [from.size - piece.from, op - piece.from];
  const leaves = new Uint8Array((end - first) * HASH_SIZE_BYTES);
  kernels.sha256Ragged(LEAF_PREFIX, piece.bytes, piece.offsets.subarray(first, end + 1), leaves);
  return from.appendMany(kernels, leaves);
}
