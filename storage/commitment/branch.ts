/**
 * What one unsettled block adds to the log over its parent: its batch, the nodes it completes, the positions of its keys.
 *
 * A branch whose block is settled (its batch is in the durable log) is the bottom of all that are not: it holds nothing but its place.
 *
 * Invariant: `parent` is there exactly while the branch is unsettled; parents lead to the settled one.
 */
import { assertInvariant } from '../errors.ts';
import type { ActivityVersion } from './activity-versions.ts';
import type { Frontier } from './frontier.ts';
import { KeyIndex } from './key-index.ts';
import type { OpsNodes } from './ops-append.ts';

/** An unsettled block's batch, and where its ops begin in it. */
interface BranchBatch {
  readonly parent: Branch;
  readonly height: number;
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  /** Nodes of the ops tree that it completes. */
  readonly nodes: readonly OpsNodes[];
  keys: KeyIndex | undefined;
}

export class Branch {
  /** Number of the batch's head; of the next op for one that was never unsettled. */
  readonly firstOp: number;
  /** Frontier of the ops tree after the batch. */
  readonly frontier: Frontier;
  readonly version: ActivityVersion;
  #batch: BranchBatch | undefined;

  constructor(firstOp: number, frontier: Frontier, version: ActivityVersion, batch?: Omit<BranchBatch, 'keys'>) {
    this.firstOp = firstOp;
    this.frontier = frontier;
    this.version = version;
    this.#batch = batch === undefined ? undefined : { ...batch, keys: undefined };
  }

  /** The parent block's branch while this one is unsettled. */
  get parent(): Branch | undefined {
    return this.#batch?.parent;
  }

  /** Nodes of the ops tree that this unsettled block completes. */
  get nodes(): readonly OpsNodes[] {
    return this.#unsettled().nodes;
  }

  /** Height of this unsettled block. */
  get height(): number {
    return this.#unsettled().height;
  }

  /** The bytes of an op of this unsettled block (borrowed). @param op its number over the log */
  op(op: number): Uint8Array {
    const { bytes, offsets } = this.#unsettled();
    const index = op - this.firstOp;
    return bytes.subarray(offsets[index]!, offsets[index + 1]!);
  }

  /** The keys of this and of all unsettled blocks below it, the oldest first. */
  keyIndexes(): KeyIndex[] {
    const indexes: KeyIndex[] = [];
    for (let at: Branch = this; at.#batch !== undefined; at = at.#batch.parent) {
      at.#batch.keys ??= new KeyIndex(at.#batch.bytes, at.#batch.offsets, at.firstOp);
      indexes.push(at.#batch.keys);
    }
    return indexes.reverse();
  }

  /** Number of the first op that is not in the durable log, as this branch sees it. */
  get logEnd(): number {
    let at: Branch = this;
    let end = this.firstOp;
    for (; at.#batch !== undefined; at = at.#batch.parent) end = at.firstOp;
    return at === this ? this.frontier.size : end;
  }

  /** The unsettled branch at or below this one that holds an op at or after `logEnd`. */
  holding(op: number): Branch {
    let at: Branch = this;
    while (op < at.firstOp) at = at.#unsettled().parent;
    return at;
  }

  /** The batch is durable: lets go of everything but the place. */
  settle(): void {
    this.#batch = undefined;
  }

  #unsettled(): BranchBatch {
    assertInvariant(this.#batch !== undefined, 'the branch is unsettled');
    return this.#batch;
  }
}
