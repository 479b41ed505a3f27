/**
 * What of the final chain a node still keeps, and how it lets go of it.
 *
 * Invariant: the votes kept for a block go before the block does. A crash in between leaves blocks without votes for a moment, never votes that
 * nothing leads to any more.
 */
import type { Kernels } from '../../../native/index.ts';
import type { HistoryStore, PruneResult } from '../../../storage/index.ts';
import { blockTransactions, decodeBlock } from '../../codec/index.ts';
import type { CertificateStore } from '../chain/certificate-store.ts';

export interface KeptHistoryParts {
  readonly history: HistoryStore;
  readonly certificates: Pick<CertificateStore, 'forget'>;
}

export class KeptHistory {
  readonly #kernels: Kernels;
  readonly #parts: KeptHistoryParts;

  constructor(kernels: Kernels, parts: KeptHistoryParts) {
    this.#kernels = kernels;
    this.#parts = parts;
  }

  /** Height of the first block kept (or to come), and its slot (0 while there is none). */
  get startHeight(): number {
    return this.#parts.history.startHeight;
  }

  get startSlot(): number {
    return this.#parts.history.block(this.startHeight)?.slot ?? 0;
  }

  /** First segment of which bytes are kept. */
  get firstSegment(): number {
    return this.#parts.history.firstSegment;
  }

  /** Bytes of the history stream kept here. */
  get keptBytes(): number {
    const { cursor, startOffset } = this.#parts.history;
    return cursor.length - startOffset;
  }

  /** Bytes of the history stream that pruning has taken away. */
  get prunedBytes(): number {
    return this.#parts.history.prunedBytes;
  }

  /** Drops bodies below a height, by whole segments that `mayDrop` lets go (storage/history/pruning.ts). Rejects as `HistoryStore.prune` does. */
  prune(keepFromHeight: number, mayDrop: (segment: number) => boolean): Promise<PruneResult> {
    return this.#parts.history.prune({
      keepFromHeight,
      mayDrop,
      transactionIds: (bytes) => blockTransactions(decodeBlock(this.#kernels, bytes).entries).map(({ id }) => id),
      onDrop: (hashes) => this.#parts.certificates.forget(hashes),
    });
  }
}
