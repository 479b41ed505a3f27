/**
 * The ops tree below one twig's root, hashed from the twig's ops for a proof.
 *
 * In the twig that holds the first kept op, what lies left of it is known by its frontier's peaks only.
 *
 * Invariant: node (level, i) is counted within the twig; complete nodes only.
 */
import { assertInvariant } from '../errors.ts';
import { Frontier } from './frontier.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX } from './merkle.ts';
import type { OpsKernels } from './ops-append.ts';
import type { TwigOps } from './sources.ts';

export class TwigTree {
  /** By level: the number of the first node held, and the nodes. */
  readonly #levels: { readonly from: number; readonly nodes: Uint8Array }[] = [];

  /** @param before peaks of the twig's ops that are not kept, as a frontier over them alone */
  constructor(kernels: OpsKernels, ops: TwigOps, before: Frontier = Frontier.empty) {
    const leaves = new Uint8Array((ops.offsets.length - 1) * HASH_SIZE_BYTES);
    kernels.sha256Ragged(LEAF_PREFIX, ops.bytes, ops.offsets, leaves);
    before.appendMany(kernels, leaves, {
      onNodes: (_level, from, nodes) => this.#levels.push({ from, nodes }),
    });
  }

  /** Borrowed. */
  node(level: number, index: number): Uint8Array {
    const held = this.#levels[level];
    const at = held === undefined ? -1 : (index - held.from) * HASH_SIZE_BYTES;
    assertInvariant(
      held !== undefined && at >= 0 && at < held.nodes.length,
      `node ${index} of level ${level} in its twig`,
    );
    return held.nodes.subarray(at, at + HASH_SIZE_BYTES);
  }
}
