/**
 * The roots and counts of the last states: what a fast sync to one of them is served by, after the state has moved on.
 *
 * Invariant: contiguous heights, the newest last; at most `STATES_MAX`. A state can be served while the log keeps the ops from its floor on.
 */
import type { Commitment } from './commitment/commitment.ts';
import type { StateManifest } from './sync/manifest.ts';

/** About an hour and a half of blocks; 150 bytes each. */
const STATES_MAX = 10_000;

type RecentState = Omit<StateManifest, 'firstOp'>;

export class RecentStates {
  readonly #states: RecentState[] = [];
  #last = -1;

  /** The state after one more batch. */
  add({ height, commitment }: { readonly height: number; readonly commitment: Commitment }): void {
    const { opsRoot, activityRoot, opCount, floor } = commitment;
    this.#states.push({ opsRoot, activityRoot, opCount, floor });
    this.#last = height;
    if (this.#states.length > 2 * STATES_MAX) this.#states.splice(0, STATES_MAX);
  }

  /** The state after a height; undefined when it is not known or its ops from the floor on are not all kept. @param firstOp first op kept */
  at(height: number, firstOp: number): RecentState | undefined {
    const state = this.#states[this.#states.length - 1 - (this.#last - height)];
    return state !== undefined && state.floor >= firstOp ? state : undefined;
  }

  /** Heights that `at` knows; undefined when there is none. */
  heights(firstOp: number): { readonly first: number; readonly last: number } | undefined {
    // Floors never fall, so what can be served is an end of the list.
    let [low, high] = [0, this.#states.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#states[middle]!.floor >= firstOp) high = middle;
      else low = middle + 1;
    }
    return low === this.#states.length
      ? undefined
      : { first: this.#last - (this.#states.length - 1 - low), last: this.#last };
  }
}
