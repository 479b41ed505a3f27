/**
 * The ops tree's frontier at the start of every kept segment: what the trees go on from when older segments are deleted.
 *
 * Invariant: ascending by op number; one for each segment begun, until a later one has become the first kept.
 */
import type { Frontier } from './commitment/frontier.ts';
import { segmentOfFrame } from './oplog/segment.ts';
import type { BatchPlace } from './state-reader.ts';

export class SegmentFrontiers {
  readonly #segmentSizeBytes: number;
  #starts: Frontier[] = [];
  #lastSegment = -1;

  /** @param segmentSizeBytes where the log's segments are cut */
  constructor(segmentSizeBytes: number) {
    this.#segmentSizeBytes = segmentSizeBytes;
  }

  /** A batch goes to `place`. @param frontier before it; kept when the batch opens a segment */
  note(place: Pick<BatchPlace, 'frameOffset'>, frontier: Frontier): void {
    const segment = segmentOfFrame(place.frameOffset, this.#segmentSizeBytes);
    if (segment === this.#lastSegment) return;
    this.#lastSegment = segment;
    this.#starts.push(frontier);
  }

  /** The log begins at `firstOp` now: its frontier when that is news, else undefined. */
  at(firstOp: number): Frontier | undefined {
    const index = this.#starts.findIndex(({ size }) => size === firstOp);
    if (index <= 0) return undefined;
    this.#starts = this.#starts.slice(index);
    return this.#starts[0];
  }
}
