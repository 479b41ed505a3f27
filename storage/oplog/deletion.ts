/**
 * The deletion of segments whose ops are all replaced: which may go, and when.
 *
 * Invariants
 * - A segment goes when all its ops lie below the floor in the head of the batch `retainHeights` before the acknowledged tip, and no
 *   pin holds it; oldest first, each durably before the next. So which segments there are follows from the batches alone, once
 *   nothing is pinned.
 * - Nothing goes after the log has failed; a removal that fails makes it fail.
 */
import type { LogPosition } from './log-position.ts';
import type { LogPositions } from './positions.ts';
import { SegmentList } from './segment-list.ts';

/** The log that segments are deleted from. */
export interface DeletionHost {
  /** The acknowledged end. */
  tip(): LogPosition;
  /** True when nothing may be removed any more: the log has failed, or is closed. */
  hasStopped(): boolean;
  fail(error: unknown): void;
}

export class SegmentDeletion {
  readonly #host: DeletionHost;
  readonly #segments: SegmentList;
  readonly #positions: LogPositions;
  readonly #retainHeights: number;
  readonly #pins = new Set<{ readonly fromOp: number }>();
  #running: Promise<void> = Promise.resolve();

  constructor(host: DeletionHost, segments: SegmentList, positions: LogPositions, retainHeights: number) {
    this.#host = host;
    this.#segments = segments;
    this.#positions = positions;
    this.#retainHeights = retainHeights;
  }

  /** Removes what may go, behind the removals under way. Never rejects; the host is told of a failure. */
  run(): Promise<void> {
    this.#running = this.#running.then(() => this.#removeAll()).catch((error: unknown) => this.#host.fail(error));
    return this.#running;
  }

  async #removeAll(): Promise<void> {
    while (!this.#host.hasStopped()) {
      const next = this.#segments.nextAfterDeletable(this.#floor());
      if (next === undefined) return;
      this.#positions.dropBefore(next.first);
      await this.#segments.removeOldest();
    }
  }

  /** Segments with no op at or above this number may go. */
  #floor(): number {
    let floor = this.#positions.floor(this.#host.tip().height - 1 - this.#retainHeights) ?? 0;
    for (const { fromOp } of this.#pins) floor = Math.min(floor, fromOp);
    return floor;
  }

  /** Keeps the segments with ops from `fromOp` on, until the result is called (once or more). Throws `StorageError` 'not-found'. */
  pin(fromOp: number): () => void {
    const tip = this.#host.tip();
    SegmentList.checkRange('op', fromOp, this.#segments.first?.first.opCount ?? tip.opCount, tip.opCount);
    const pin = { fromOp };
    this.#pins.add(pin);
    return () => {
      if (this.#pins.delete(pin)) void this.run();
    };
  }
}
