/**
 * The transposition between two passes, out of core: blocks come in row order and leave in column order (encoding), or the other way round
 * (decoding), through a scratch space and a bounded share of memory.
 *
 * The matrix is cut into pieces of `groupRows` x `groupColumns` blocks, each stored column by column. A group of rows fits in memory, and so
 * does a group of columns (or a single column's part of one piece, where columns are longer than that). So either order costs large reads and
 * writes: with M bytes of memory for N bytes of blocks, about (N / M)^2 reads of M^2 / N bytes.
 *
 * Memory: twice `memorySizeBytes`, and a copy of what is under way. Scratch: N bytes, and less than 2 M of padding.
 */
import { newBlocks, transposeBlocks, wordsOf } from './block-copy.ts';
import { type ByteSource, PieceReader } from './chunks.ts';
import { CIPHER_BLOCK_SIZE_BYTES } from './geometry.ts';
import { type BlockMatrix, columnLength, columnStart } from './layers.ts';
import type { Scratch } from './scratch.ts';

const BLOCK = CIPHER_BLOCK_SIZE_BYTES;

/** Which order blocks arrive in; they leave in the other. */
export type ArrivalOrder = 'rows' | 'columns';

/** How a matrix is cut for a share of memory. */
interface Grid {
  readonly groupRows: number;
  readonly groupColumns: number;
  /** Groups of rows. */
  readonly bandCount: number;
  /** Groups of columns. */
  readonly stackCount: number;
  readonly pieceSizeBytes: number;
}

function gridOf({ rowCount, columnCount }: BlockMatrix, memorySizeBytes: number): Grid {
  const blocks = Math.max(1, Math.floor(memorySizeBytes / BLOCK));
  const groupRows = Math.min(rowCount, Math.max(1, Math.floor(blocks / columnCount)));
  const groupColumns = Math.min(columnCount, Math.max(1, Math.floor(blocks / rowCount)));
  return {
    groupRows,
    groupColumns,
    bandCount: Math.ceil(rowCount / groupRows),
    stackCount: Math.ceil(columnCount / groupColumns),
    pieceSizeBytes: groupRows * groupColumns * BLOCK,
  };
}

/** Bytes of scratch a transposition needs. */
export function scratchSizeBytes(matrix: BlockMatrix, memorySizeBytes: number): number {
  const { bandCount, stackCount, pieceSizeBytes } = gridOf(matrix, memorySizeBytes);
  return bandCount * stackCount * pieceSizeBytes;
}

/** One transposition: `fill` it whole, then `drain` it, as often as wanted. */
export class Transposition {
  readonly #matrix: BlockMatrix;
  readonly #grid: Grid;
  readonly #scratch: Scratch;
  readonly #arrival: ArrivalOrder;

  constructor(matrix: BlockMatrix, scratch: Scratch, memorySizeBytes: number, arrival: ArrivalOrder) {
    this.#matrix = matrix;
    this.#grid = gridOf(matrix, memorySizeBytes);
    this.#scratch = scratch;
    this.#arrival = arrival;
  }

  /** Takes all blocks, in arrival order. Throws `ReplicatorError` 'source-short' / 'source-long'. */
  async fill(source: ByteSource): Promise<void> {
    const reader = new PieceReader(source, this.#matrix.blockCount * BLOCK);
    if (this.#arrival === 'rows') await this.#fillRows(reader);
    else await this.#fillColumns(reader);
    await reader.end();
  }

  /** Gives all blocks in the other order, from byte `offset` of it on; pieces are borrowed until the next is asked for. */
  async *drain(offset = 0): AsyncGenerator<Uint8Array> {
    let skip = offset;
    for await (const piece of this.#arrival === 'rows' ? this.#columns(offset) : this.#rows()) {
      const taken = Math.min(skip, piece.length);
      skip -= taken;
      if (taken < piece.length) yield piece.subarray(taken);
    }
  }

  #offsetOf(band: number, stack: number): number {
    const { bandCount, stackCount, pieceSizeBytes } = this.#grid;
    const place = this.#arrival === 'rows' ? band * stackCount + stack : stack * bandCount + band;
    return place * pieceSizeBytes;
  }

  #rowsIn(band: number): number {
    const { groupRows } = this.#grid;
    return Math.min(groupRows, this.#matrix.rowCount - band * groupRows);
  }

  #columnsIn(stack: number): number {
    const { groupColumns } = this.#grid;
    return Math.min(groupColumns, this.#matrix.columnCount - stack * groupColumns);
  }

  /** Calls `move` for the rectangles a piece is made of: its whole rows, then the short last row's part. */
  #eachRectangle(band: number, stack: number, move: (firstRow: number, rows: number, columns: number) => void): void {
    const { blockCount, columnCount, rowCount } = this.#matrix;
    const rows = this.#rowsIn(band);
    const columns = this.#columnsIn(stack);
    const inLastRow = blockCount - (rowCount - 1) * columnCount;
    const isWhole = band < this.#grid.bandCount - 1 || inLastRow === columnCount;
    move(0, isWhole ? rows : rows - 1, columns);
    if (!isWhole) move(rows - 1, 1, Math.max(0, Math.min(columns, inLastRow - stack * this.#grid.groupColumns)));
  }

  async #fillRows(reader: PieceReader): Promise<void> {
    const { columnCount, blockCount } = this.#matrix;
    const { groupRows, groupColumns, bandCount, stackCount, pieceSizeBytes } = this.#grid;
    const rows = newBlocks(groupRows * columnCount);
    const pieces = new Uint8Array(stackCount * pieceSizeBytes);
    const [from, to] = [wordsOf(rows), wordsOf(pieces)];
    for (let band = 0; band < bandCount; band += 1) {
      const firstBlock = band * groupRows * columnCount;
      await reader.fill(rows.subarray(0, Math.min(rows.length, (blockCount - firstBlock) * BLOCK)));
      for (let stack = 0; stack < stackCount; stack += 1)
        this.#eachRectangle(band, stack, (firstRow, count, columns) => {
          const source = { words: from, start: firstRow * columnCount + stack * groupColumns, stride: columnCount };
          const target = { words: to, start: stack * groupRows * groupColumns + firstRow, stride: groupRows };
          transposeBlocks(source, target, count, columns);
        });
      await this.#scratch.write(this.#offsetOf(band, 0), pieces);
    }
  }

  async *#rows(): AsyncGenerator<Uint8Array> {
    const { columnCount, blockCount } = this.#matrix;
    const { groupRows, groupColumns, bandCount, stackCount, pieceSizeBytes } = this.#grid;
    const rows = newBlocks(groupRows * columnCount);
    const piece = new Uint8Array(pieceSizeBytes);
    const [from, to] = [wordsOf(piece), wordsOf(rows)];
    for (let band = 0; band < bandCount; band += 1) {
      for (let stack = 0; stack < stackCount; stack += 1) {
        await this.#scratch.read(this.#offsetOf(band, stack), piece);
        this.#eachRectangle(band, stack, (firstRow, count, columns) => {
          const source = { words: from, start: firstRow, stride: groupRows };
          const target = { words: to, start: firstRow * columnCount + stack * groupColumns, stride: columnCount };
          transposeBlocks(source, target, columns, count);
        });
      }
      const firstBlock = band * groupRows * columnCount;
      yield rows.subarray(0, Math.min(rows.length, (blockCount - firstBlock) * BLOCK));
    }
  }

  /** How many rows of `band` column `column` has, and where the band's first row lies in the column. */
  #run(column: number, band: number): { start: number; rows: number } {
    const start = band * this.#grid.groupRows;
    return { start, rows: Math.min(this.#grid.groupRows, columnLength(this.#matrix, column) - start) };
  }

  async *#columns(offset: number): AsyncGenerator<Uint8Array> {
    const { groupColumns, stackCount } = this.#grid;
    let skipped = 0;
    for (let stack = 0; stack < stackCount; stack += 1) {
      const first = stack * groupColumns;
      const end = columnStart(this.#matrix, first + this.#columnsIn(stack)) * BLOCK;
      // A whole group before `offset` is not read; what is left of it is for `drain` to skip.
      if (end <= offset) {
        yield new Uint8Array(end - skipped);
      } else if (groupColumns === 1) yield* this.#oneColumn(first);
      else yield await this.#columnGroup(stack);
      skipped = end;
    }
  }

  async *#oneColumn(column: number): AsyncGenerator<Uint8Array> {
    const piece = new Uint8Array(this.#grid.pieceSizeBytes);
    for (let band = 0; band < this.#grid.bandCount; band += 1) {
      await this.#scratch.read(this.#offsetOf(band, column), piece);
      yield piece.subarray(0, this.#run(column, band).rows * BLOCK);
    }
  }

  async #columnGroup(stack: number): Promise<Uint8Array> {
    const { groupRows, groupColumns, bandCount, pieceSizeBytes } = this.#grid;
    const first = stack * groupColumns;
    const origin = columnStart(this.#matrix, first);
    const out = newBlocks(columnStart(this.#matrix, first + this.#columnsIn(stack)) - origin);
    const piece = new Uint8Array(pieceSizeBytes);
    for (let band = 0; band < bandCount; band += 1) {
      await this.#scratch.read(this.#offsetOf(band, stack), piece);
      for (let index = 0; index < this.#columnsIn(stack); index += 1) {
        const { start, rows } = this.#run(first + index, band);
        const from = index * groupRows * BLOCK;
        out.set(
          piece.subarray(from, from + rows * BLOCK),
          (columnStart(this.#matrix, first + index) - origin + start) * BLOCK,
        );
      }
    }
    return out;
  }

  async #fillColumns(reader: PieceReader): Promise<void> {
    const { groupColumns, stackCount } = this.#grid;
    for (let stack = 0; stack < stackCount; stack += 1)
      if (groupColumns === 1) await this.#fillOneColumn(reader, stack);
      else await this.#fillColumnGroup(reader, stack);
  }

  async #fillOneColumn(reader: PieceReader, column: number): Promise<void> {
    const piece = new Uint8Array(this.#grid.pieceSizeBytes);
    for (let band = 0; band < this.#grid.bandCount; band += 1) {
      await reader.fill(piece.subarray(0, this.#run(column, band).rows * BLOCK));
      await this.#scratch.write(this.#offsetOf(band, column), piece);
    }
  }

  async #fillColumnGroup(reader: PieceReader, stack: number): Promise<void> {
    const { groupRows, groupColumns, bandCount, pieceSizeBytes } = this.#grid;
    const first = stack * groupColumns;
    const origin = columnStart(this.#matrix, first);
    const columns = newBlocks(columnStart(this.#matrix, first + this.#columnsIn(stack)) - origin);
    await reader.fill(columns);
    const pieces = new Uint8Array(bandCount * pieceSizeBytes);
    for (let band = 0; band < bandCount; band += 1)
      for (let index = 0; index < this.#columnsIn(stack); index += 1) {
        const { start, rows } = this.#run(first + index, band);
        const from = (columnStart(this.#matrix, first + index) - origin + start) * BLOCK;
        pieces.set(columns.subarray(from, from + rows * BLOCK), band * pieceSizeBytes + index * groupRows * BLOCK);
      }
    await this.#scratch.write(this.#offsetOf(0, stack), pieces);
  }
}
