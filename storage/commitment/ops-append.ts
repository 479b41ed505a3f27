/**
 * Appending a batch to the ops tree: its head and its ops are hashed as leaves, and the frontier moves on.
 *
 * A twig is 256 ops: what is kept of the tree in memory begins at twigs (level 8); everything below is hashed again from the log when a proof
 * asks for it.
 */
import type { Kernels } from '../../native/index.ts';
import { appendRoomBytes, type Frontier } from './frontier.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX } from './merkle.ts';

/** Level of the nodes over one twig each. */
export const TWIG_LEVEL = 8;
/** Leaves hashed at a time: their hashes stay in the second cache on the way up. */
const SLICE = 8192;

export type OpsKernels = Pick<Kernels, 'sha256' | 'sha256Pairs' | 'sha256Ragged'>;

/** Nodes that an append has completed: packed, the first being number `from` of its level (`TWIG_LEVEL` or higher). */
export interface OpsNodes {
  readonly level: number;
  readonly from: number;
  readonly nodes: Uint8Array;
}

/** Hashes batches in memory that it uses again. */
export class OpsAppender {
  readonly #kernels: OpsKernels;
  readonly #leaves = new Uint8Array(SLICE * HASH_SIZE_BYTES);
  readonly #room = new Uint8Array(appendRoomBytes(SLICE * HASH_SIZE_BYTES));

  constructor(kernels: OpsKernels) {
    this.#kernels = kernels;
  }

  /** The frontier after a batch, and the nodes to keep, in order. @param offsets of the batch (`opOffsets`) */
  append(frontier: Frontier, batch: Uint8Array, offsets: Uint32Array): { frontier: Frontier; nodes: OpsNodes[] } {
    const kept: OpsNodes[] = [];
    const options = {
      room: this.#room,
      onNodes(level: number, from: number, nodes: Uint8Array): void {
        if (level >= TWIG_LEVEL) kept.push({ level, from, nodes: nodes.slice() });
      },
    };
    const leafCount = offsets.length - 1;
    let after = frontier;
    for (let at = 0; at < leafCount; at += SLICE) {
      const count = Math.min(SLICE, leafCount - at);
      const leaves = this.#leaves.subarray(0, count * HASH_SIZE_BYTES);
      this.#kernels.sha256Ragged(LEAF_PREFIX, batch, offsets.subarray(at, at + count + 1), leaves);
      after = after.appendMany(this.#kernels, leaves, options);
    }
    return { frontier: after, nodes: kept };
  }
}
