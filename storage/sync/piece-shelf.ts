/**
 * Proven pieces that wait: for a gap before them to be filled, or for the rest of their batch. In memory up to `HELD_SIZE_BYTES_MAX`,
 * beyond that as files in quarantine; all as files once the sync stops, so that it can go on later.
 *
 * Owns: the folder of piece files, one a piece: its frame as it came, named by its first op.
 * Invariants
 * - A file is proven again when it is read, whoever wrote it: it needs no sync, and one that was torn by a crash goes.
 * - A piece leaves when the log holds its ops durably (`release`), not before.
 */
import { type Files, FilesError, makeDurableDirectory, readWhole } from '../files/files.ts';
import { type OpsTree, PIECE_FRAME_SIZE_BYTES_MAX, type Piece, type PieceKernels, readPiece } from './piece.ts';
import type { OpSpan } from './piece-plan.ts';
import { SyncFault } from './sync-fault.ts';

/** Most bytes of waiting pieces that stand in memory alone. */
export const HELD_SIZE_BYTES_MAX: number = 32 * 1024 * 1024;

export interface ShelfOptions {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: PieceKernels;
  readonly tree: OpsTree;
  /** `HELD_SIZE_BYTES_MAX` unless given. */
  readonly heldSizeBytesMax?: number;
}

export class PieceShelf {
  readonly #options: ShelfOptions;
  readonly #heldSizeBytesMax: number;
  readonly #held = new Map<number, Piece>();
  readonly #filed = new Map<number, OpSpan>();
  #heldBytes = 0;

  private constructor(options: ShelfOptions) {
    this.#options = options;
    this.#heldSizeBytesMax = options.heldSizeBytesMax ?? HELD_SIZE_BYTES_MAX;
  }

  /** Opens or makes the folder, and proves what an earlier attempt left there; what is not proven goes. */
  static async open(options: ShelfOptions): Promise<PieceShelf> {
    await makeDurableDirectory(options.files, options.directory);
    const shelf = new PieceShelf(options);
    for (const name of await options.files.list(options.directory)) await shelf.#find(name);
    return shelf;
  }

  /** Bytes of pieces in memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** What waits as files, ascending. */
  get spans(): readonly OpSpan[] {
    return [...this.#filed.values()].sort((a, b) => a.from - b.from);
  }

  /** Keeps a piece until its turn. */
  async put(piece: Piece): Promise<void> {
    if (this.#heldBytes + piece.frame.length > this.#heldSizeBytesMax) return this.file(piece);
    this.#held.set(piece.from, piece);
    this.#heldBytes += piece.frame.length;
  }

  /** Writes a piece's file, unless it is there. */
  async file(piece: Piece): Promise<void> {
    if (this.#filed.has(piece.from)) return;
    const { files } = this.#options;
    const file = await files.open(this.#path(piece.from), 'create');
    try {
      await file.write(0, piece.frame);
    } finally {
      await file.close();
    }
    this.#filed.set(piece.from, { from: piece.from, to: piece.to });
  }

  /** The waiting piece that holds an op, if there is one. A file stays until `release`; one that cannot be read is 'lost', and gone. */
  async take(op: number): Promise<Piece | { readonly lost: OpSpan } | undefined> {
    const held = this.#held.get(op);
    if (held !== undefined) {
      this.#held.delete(op);
      this.#heldBytes -= held.frame.length;
      return held;
    }
    const span = this.#filed.get(op) ?? this.spans.find(({ from, to }) => from <= op && op < to);
    if (span === undefined) return undefined;
    const piece = await this.#read(span.from);
    if (piece !== undefined && piece.to === span.to) return piece;
    await this.#remove(span.from);
    return { lost: { from: Math.max(op, span.from), to: span.to } };
  }

  /** Removes the files of pieces wholly before an op. */
  async release(op: number): Promise<void> {
    for (const { from, to } of this.#filed.values()) if (to <= op) await this.#remove(from);
  }

  /** Writes everything that stands in memory to files. */
  async fileAll(): Promise<void> {
    for (const piece of this.#held.values()) await this.file(piece);
    this.#held.clear();
    this.#heldBytes = 0;
  }

  async #find(name: string): Promise<void> {
    const from = /^piece-\d{16}$/.test(name) ? Number(name.slice(6)) : undefined;
    const piece = from === undefined ? undefined : await this.#read(from);
    if (piece === undefined) await this.#options.files.remove(`${this.#options.directory}/${name}`);
    else this.#filed.set(piece.from, { from: piece.from, to: piece.to });
  }

  async #read(from: number): Promise<Piece | undefined> {
    const { files, kernels, tree } = this.#options;
    try {
      return readPiece(kernels, await readWhole(files, this.#path(from), PIECE_FRAME_SIZE_BYTES_MAX), from, tree);
    } catch (error) {
      if (error instanceof SyncFault) return undefined;
      if (error instanceof FilesError && (error.code === 'io' || error.code === 'not-found')) return undefined;
      throw error;
    }
  }

  async #remove(from: number): Promise<void> {
    this.#filed.delete(from);
    await this.#options.files.remove(this.#path(from));
  }

  #path(from: number): string {
    return `${this.#options.directory}/piece-${String(from).padStart(16, '0')}`;
  }
}
