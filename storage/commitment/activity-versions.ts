/**
 * All versions of the activity tree that may still be built upon: one for each unsettled block, in one working copy.
 *
 * The working copy shows one version. Every other has a pointer one step *toward* the one shown, and a patch with its own values where it
 * differs from that neighbour (Baker's trick for persistent arrays: H. Baker, "Shallow binding makes functional arrays fast", 1991). So the next
 * block of a chain costs what it changes, however many blocks are unsettled below it; turning to another branch costs what differs.
 *
 *     tip -> A -> B -> C (shown)          after `show(D)`:     tip -> A -> D (shown)
 *            ^                                                        ^
 *            D                                               C -> B --+
 *
 * Invariants
 * - Pointers lead from every live version to the one shown; patches only on versions that are not.
 * - A closed version (it lies below the last settled one) is never shown again; what leads to it is an abandoned branch, and throws.
 */
import type { Hash } from '../../native/index.ts';
import type { ActivityChange, ActivityPatch, ActivityTree } from './activity-tree.ts';
import { CommitmentError } from './commitment-error.ts';
import { HASH_SIZE_BYTES } from './merkle.ts';

/** One version; opaque outside this file. */
export class ActivityVersion {
  /** The neighbour on the way to the version shown; undefined on that one. */
  toward: ActivityVersion | undefined;
  /** From `toward` to here. */
  patch: ActivityPatch | undefined;
  closed = false;
}

export class ActivityVersions {
  readonly #tree: ActivityTree;
  #shown: ActivityVersion;

  /** @param tree taken over */
  constructor(tree: ActivityTree) {
    this.#tree = tree;
    this.#shown = new ActivityVersion();
  }

  /** The version that the working copy shows. */
  get shown(): ActivityVersion {
    return this.#shown;
  }

  /** A new version after `version`, shown from now on. Throws `BatchError` 'repeated-key' (nothing has changed then). */
  advance(version: ActivityVersion, change: ActivityChange): ActivityVersion {
    this.show(version);
    const patch = this.#tree.apply(change);
    const next = new ActivityVersion();
    version.patch = patch;
    version.toward = next;
    this.#shown = next;
    return next;
  }

  /** Makes the working copy show a version. Throws `CommitmentError` 'not-on-final-branch' when finality has left it. */
  show(version: ActivityVersion): void {
    const way: ActivityVersion[] = [];
    for (let at = version; at !== this.#shown; at = live(at.toward)) way.push(live(at));
    for (const next of way.reverse()) {
      const patch = next.patch!;
      this.#tree.exchange(patch);
      this.#shown.patch = patch;
      this.#shown.toward = next;
      next.patch = undefined;
      next.toward = undefined;
      this.#shown = next;
    }
  }

  /** `next`, which follows `last`, is settled: `last` and all its other successors are closed. */
  settle(last: ActivityVersion, next: ActivityVersion): void {
    if (last.toward !== next) this.show(next);
    last.closed = true;
    last.patch = undefined;
  }

  /** Root, and the first active op at or after `floor`, of the version shown. */
  summary(floor: number, opCount: number): { root: Hash; floor: number } {
    return { root: this.#tree.root(opCount), floor: this.#tree.firstActive(floor, opCount) };
  }

  /** A chunk of a version, copied. Throws `CommitmentError` as `show` does. */
  chunk(version: ActivityVersion, index: number): Uint8Array {
    return (this.#patched(version, 0, index) ?? this.#tree.chunk(index)).slice();
  }

  /** A node of a version, copied. Throws `CommitmentError` as `show` does. */
  node(version: ActivityVersion, level: number, index: number): Uint8Array {
    return (this.#patched(version, level + 1, index) ?? this.#tree.node(level, index)).slice();
  }

  /** See `ActivityTree.dropBefore`. */
  dropBefore(chunk: number): void {
    this.#tree.dropBefore(chunk);
  }

  /** The value that the first patch on the way to the version shown has for an item; the whole way is checked to be open. */
  #patched(version: ActivityVersion, row: number, index: number): Uint8Array | undefined {
    let value: Uint8Array | undefined;
    for (let at = version; at !== this.#shown; at = live(at.toward)) {
      const items = live(at).patch![row];
      if (items === undefined || value !== undefined) continue;
      const found = indexIn(items.indexes, index);
      if (found >= 0) value = new Uint8Array(items.words.buffer, found * HASH_SIZE_BYTES, HASH_SIZE_BYTES);
    }
    return value;
  }
}

function live(version: ActivityVersion | undefined): ActivityVersion {
  if (version === undefined || version.closed)
    throw new CommitmentError('not-on-final-branch', 'finality has moved past the block this commitment stands for');
  return version;
}

/** Where `index` stands among ascending numbers, or -1. */
function indexIn(indexes: Float64Array, index: number): number {
  let [low, high] = [0, indexes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (indexes[middle]! < index) low = middle + 1;
    else high = middle;
  }
  return indexes[low] === index ? low : -1;
}
