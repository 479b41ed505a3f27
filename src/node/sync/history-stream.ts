/**
 * Blocks out of the history stream (u32 length || block, one after another), and into a history store.
 *
 * Invariant: nothing is allocated for a length before it was checked; each block must be the child of the one before, from genesis on.
 */
import { type Hash, type Kernels, sameBytes } from '../../../native/index.ts';
import type { HistoryStore } from '../../../storage/index.ts';
import { type BlockHeader, decodeBlock } from '../../codec/index.ts';
import { FastSyncError } from './fast-sync-error.ts';

/** Largest block of the stream; storage takes no larger one. */
const BLOCK_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;
const LENGTH_SIZE_BYTES = 4;

/** The whole blocks in a stream that begins at block 1; what is left at its end is the beginning of the next. Chunks are borrowed, blocks are copies. */
export async function* blocksOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const waiting: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    waiting.push(Buffer.from(chunk));
    size += chunk.length;
    if (size < wantedBytes(waiting, size)) continue;
    let rest = Buffer.concat(waiting.splice(0));
    for (let wanted = wantedBytes([rest], rest.length); wanted <= rest.length; ) {
      yield Uint8Array.from(rest.subarray(LENGTH_SIZE_BYTES, wanted));
      rest = rest.subarray(wanted);
      wanted = wantedBytes([rest], rest.length);
    }
    waiting.push(rest);
    size = rest.length;
  }
}

/** Bytes of the first framed block, as far as can be told: at least a length. */
function wantedBytes(waiting: readonly Buffer[], size: number): number {
  if (size < LENGTH_SIZE_BYTES) return LENGTH_SIZE_BYTES;
  const [first] = waiting;
  const head = first!.length >= LENGTH_SIZE_BYTES ? first! : Buffer.concat(waiting);
  const length = head.readUInt32LE(0);
  if (length === 0 || length > BLOCK_SIZE_BYTES_MAX)
    throw new FastSyncError('inconsistent', `the history stream has a block of ${length} bytes`);
  return LENGTH_SIZE_BYTES + length;
}

/** Appends blocks to a history, each the child of the last. */
export class HistoryBuilder {
  readonly #kernels: Kernels;
  readonly #history: HistoryStore;
  #parent: { readonly height: number; readonly hash: Hash };

  /** @param genesis block 0 */
  constructor(kernels: Kernels, history: HistoryStore, genesis: Pick<BlockHeader, 'height' | 'hash'>) {
    this.#kernels = kernels;
    this.#history = history;
    this.#parent = genesis;
  }

  /** Height of the block to come. */
  get next(): number {
    return this.#parent.height + 1;
  }

  /** Throws `FastSyncError` 'inconsistent' for a block that is not the next; what the disk throws. */
  async append(bytes: Uint8Array): Promise<void> {
    const { header, entries } = this.#decoded(bytes);
    const { height, slot, hash } = header;
    const transactions = entries.flatMap((item, entry) =>
      item.kind === 'transactions' ? item.transactions.map(({ id }, index) => ({ id, entry, index })) : [],
    );
    await this.#history.append({ height, slot, hash, bytes, transactions });
    this.#parent = header;
  }

  #decoded(bytes: Uint8Array): ReturnType<typeof decodeBlock> {
    let block: ReturnType<typeof decodeBlock>;
    try {
      block = decodeBlock(this.#kernels, bytes);
    } catch (error) {
      throw new FastSyncError('inconsistent', `block ${this.next} of the history: ${(error as Error).message}`);
    }
    const { height, parentHash } = block.header;
    if (height !== this.next || !sameBytes(parentHash, this.#parent.hash))
      throw new FastSyncError('inconsistent', `block ${this.next} of the history is not the child of the one before`);
    return block;
  }
}

/** The bytes of several segments, one after the other. */
export async function* chained(
  count: number,
  read: (index: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield* read(index);
}
