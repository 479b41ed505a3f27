/** A plain model of history: all blocks ever appended, in memory, and by the definition what a prune must leave of them. */
import { hash, height, slot } from '../../native/index.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { frameBlock, HistoryCursor, type HistoryShape } from '../../storage/history/cursor.ts';
import type { HistoryBlock } from '../../storage/history/history-model.ts';
import type { PruneOptions } from '../../storage/history/pruning.ts';
import { kernels } from './kernels-fixture.ts';

/** A block's body in these tests is the ids of its transactions and then filling. */
const ID_SIZE_BYTES = 32;

/** Makes a block with `transactions` ids; at least `sizeBytes` long. */
export function sampleBlock(number: number, sizeBytes: number, transactions: number): HistoryBlock {
  const random = seededRandom(number * 7 + 1);
  const idsSize = transactions * ID_SIZE_BYTES;
  const bytes = new Uint8Array(Math.max(sizeBytes, 8 + idsSize));
  for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(random() * 256);
  new DataView(bytes.buffer).setUint32(0, transactions, true);
  new DataView(bytes.buffer).setUint32(4, number, true);
  return {
    height: height(number),
    slot: slot(number * 2),
    hash: hash(kernels.sha256(bytes)),
    bytes,
    transactions: sampleIds(bytes).map((id, index) => ({ id, entry: 3, index })),
  };
}

/** What `PruneOptions.transactionIds` wants, for such blocks. */
export function sampleIds(bytes: Uint8Array): Uint8Array[] {
  const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return Array.from({ length: count }, (_, index) => bytes.slice(8 + index * 32, 40 + index * 32));
}

export class HistoryModel {
  readonly shape: HistoryShape;
  readonly blocks: HistoryBlock[] = [];
  /** Where each block begins in the stream. */
  readonly offsets: number[] = [];
  length = 0;
  startHeight = 1;

  constructor(shape: HistoryShape) {
    this.shape = shape;
  }

  get tip(): number {
    return this.blocks.length;
  }

  /** Makes the next block. */
  next(sizeBytes: number, transactions: number): HistoryBlock {
    return sampleBlock(this.tip + 1, sizeBytes, transactions);
  }

  append(block: HistoryBlock): void {
    this.blocks.push(block);
    this.offsets.push(this.length);
    this.length += block.bytes.length + 4;
  }

  block(number: number): HistoryBlock {
    return this.blocks[number - 1]!;
  }

  /** The segment in which a block begins. */
  segmentOf(number: number): number {
    return Math.floor(this.offsets[number - 1]! / this.shape.segmentSizeBytes);
  }

  /** The first segment that must stay for bodies from a height on: that with the first byte of the block that reaches over its segment's border. */
  deepEnd(keepFrom: number): number {
    const border = this.segmentOf(keepFrom) * this.shape.segmentSizeBytes;
    for (let number = this.startHeight; number <= keepFrom; number++)
      if (this.offsets[number - 1]! <= border && (this.offsets[number] ?? this.length) > border)
        return this.segmentOf(number);
    return this.segmentOf(this.startHeight);
  }

  /** Prunes by the definition. */
  prune({ keepFromHeight, mayDrop }: Pick<PruneOptions, 'keepFromHeight' | 'mayDrop'>): void {
    const keepFrom = Math.min(keepFromHeight, this.tip);
    if (keepFrom <= this.startHeight) return;
    const first = this.segmentOf(this.startHeight);
    let end = first;
    while (end < this.deepEnd(keepFrom) && mayDrop(end)) end++;
    for (; end > first; end--) {
      const number = this.blocks.findIndex((_, index) => this.segmentOf(index + 1) === end) + 1;
      if (number === 0) continue;
      this.startHeight = number;
      return;
    }
  }

  /** The cursor before a block, from the whole stream; `tip + 1`: at the end. */
  cursorBefore(number: number): HistoryCursor {
    let cursor = HistoryCursor.start(kernels, this.shape);
    for (const block of this.blocks.slice(0, number - 1)) cursor = cursor.append(kernels, frameBlock(block.bytes));
    return cursor;
  }
}
