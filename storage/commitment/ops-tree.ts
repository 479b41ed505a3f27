/**
 * The durable ops tree: RFC 9162's over every op of the log, of which the nodes of level 8 and higher are held from the first kept op on.
 *
 * Left of the first kept op stands its frontier (the segment's header has it), which is all that a path of a kept op can ask for.
 * Below level 8 a twig's nodes are hashed again from its ops.
 *
 * Invariants: append only. A node is held when it is complete; a cut one at the right edge of a tree of some size is folded when asked for.
 */
import { assertInvariant } from '../errors.ts';
import { CommitmentError } from './commitment-error.ts';
import type { Frontier } from './frontier.ts';
import { HashColumn } from './hash-column.ts';
import { packHashes } from './inclusion.ts';
import { HASH_SIZE_BYTES, nodeHash } from './merkle.ts';
import { type OpsKernels, type OpsNodes, TWIG_LEVEL } from './ops-append.ts';
import type { RangeProof } from './range-proof.ts';
import { TWIG_OPS, type TwigSource } from './sources.ts';
import { TwigTree } from './twig-tree.ts';

export class OpsTree {
  readonly #kernels: OpsKernels;
  readonly #twigs: TwigSource;
  /** Of level TWIG_LEVEL and higher. */
  readonly #levels: HashColumn[] = [];
  #start: Frontier;
  #end: Frontier;

  /** @param start the frontier at the first kept op */
  constructor(kernels: OpsKernels, twigs: TwigSource, start: Frontier) {
    this.#kernels = kernels;
    this.#twigs = twigs;
    this.#start = start;
    this.#end = start;
  }

  /** The frontier after the last op. */
  get frontier(): Frontier {
    return this.#end;
  }

  /** Takes in what `OpsAppender` made from `frontier`. */
  append(nodes: readonly OpsNodes[], after: Frontier): void {
    for (const added of nodes) {
      const column = this.#level(added.level);
      assertInvariant(column.end === added.from, `ops tree level ${added.level} goes on at ${column.end}`);
      column.append(added.nodes);
    }
    this.#end = after;
  }

  /** All nodes held, copied: for `append` of a tree that ends where this one started. */
  held(): OpsNodes[] {
    return this.#levels.map(({ first, end, bytes }, index) => ({
      level: index + TWIG_LEVEL,
      from: first,
      nodes: bytes.slice(0, (end - first) * HASH_SIZE_BYTES),
    }));
  }

  /** Lets go of what lies left of a later first kept op. @param start the frontier there */
  dropBefore(start: Frontier): void {
    assertInvariant(
      start.size >= this.#start.size && start.size <= this.#end.size,
      `first kept op within ${this.#start.size} .. ${this.#end.size}`,
    );
    this.#start = start;
    for (const [index, column] of this.#levels.entries())
      column.dropBefore(Math.floor(start.size / 2 ** (index + TWIG_LEVEL)));
  }

  /** Bytes of a kept op, copied. Throws `CommitmentError` 'op-range'. */
  op(number: number): Uint8Array {
    this.#checkRange(number, number + 1, this.#end.size);
    const twig = this.#twigs.readTwig(Math.floor(number / TWIG_OPS));
    const index = number - twig.firstOp;
    return twig.bytes.slice(twig.offsets[index]!, twig.offsets[index + 1]!);
  }

  /** RFC 9162 inclusion path of a kept op in the tree of the first `size` ops, packed. Throws `CommitmentError` 'op-range'. */
  path(op: number, size: number): Uint8Array {
    this.#checkRange(op, op + 1, size);
    const nodes = new NodesAt(this, size);
    const path: Uint8Array[] = [];
    for (
      let [level, at, count] = [0, op, size];
      count > 1;
      level++, at = Math.floor(at / 2), count = Math.ceil(count / 2)
    ) {
      const sibling = at % 2 === 0 ? at + 1 : at - 1;
      if (sibling < count) path.push(nodes.node(level, sibling));
    }
    return packHashes(path);
  }

  /** Proof of the kept ops `from` .. `to` - 1 in the tree of the first `size` ops; see range-proof.ts. Throws `CommitmentError` 'op-range'. */
  rangeProof(from: number, to: number, size: number): RangeProof {
    this.#checkRange(from, to, size);
    const nodes = new NodesAt(this, size);
    const [left, right]: Uint8Array[][] = [[], []];
    for (let [level, low, high, count] = [0, from, to, size]; count > 1; level++) {
      if (low % 2 === 1) left!.unshift(nodes.node(level, low - 1));
      if (high % 2 === 1 && high < count) right!.push(nodes.node(level, high));
      [low, high, count] = [Math.floor(low / 2), Math.ceil(high / 2), Math.ceil(count / 2)];
    }
    return { left: packHashes(left!), right: packHashes(right!) };
  }

  /** A complete node that lies over a kept op, or is a peak at the first kept one; borrowed. */
  complete(level: number, index: number, twigs: Map<number, TwigTree>): Uint8Array {
    const peak = this.#start.peakBefore(level, index + 1) ?? this.#end.peakBefore(level, index + 1);
    if (peak !== undefined) return peak;
    if (level >= TWIG_LEVEL) return this.#level(level).at(index);
    const twig = Math.floor((index * 2 ** level) / TWIG_OPS);
    let tree = twigs.get(twig);
    if (tree === undefined) {
      tree = this.#twigTree(twig);
      twigs.set(twig, tree);
    }
    return tree.node(level, index - (twig * TWIG_OPS) / 2 ** level);
  }

  /** The parent of two nodes. */
  parent(left: Uint8Array, right: Uint8Array): Uint8Array {
    return nodeHash(this.#kernels, left, right);
  }

  #twigTree(twig: number): TwigTree {
    const ops = this.#twigs.readTwig(twig);
    const first = twig * TWIG_OPS;
    return new TwigTree(this.#kernels, ops, first < this.#start.size ? this.#start.below(TWIG_LEVEL) : undefined);
  }

  #level(level: number): HashColumn {
    for (let next = this.#levels.length; next <= level - TWIG_LEVEL; next++)
      this.#levels.push(new HashColumn(Math.floor(this.#start.size / 2 ** (next + TWIG_LEVEL))));
    return this.#levels[level - TWIG_LEVEL]!;
  }

  #checkRange(from: number, to: number, size: number): void {
    const integers = Number.isSafeInteger(from) && Number.isSafeInteger(to) && Number.isSafeInteger(size);
    if (integers && this.#start.size <= from && from < to && to <= size && size <= this.#end.size) return;
    const [first, end] = [this.#start.size, this.#end.size];
    throw new CommitmentError('op-range', `ops ${from} .. ${to} of ${size}: kept are ${first} .. ${end}`);
  }
}

/** The nodes of the tree of the first `size` ops, each twig read once at most. */
class NodesAt {
  readonly #tree: OpsTree;
  readonly #size: number;
  readonly #twigs = new Map<number, TwigTree>();

  constructor(tree: OpsTree, size: number) {
    this.#tree = tree;
    this.#size = size;
  }

  /** Node `index` of a level; one that the size cuts is folded from its complete parts, or is its only child. Borrowed. */
  node(level: number, index: number): Uint8Array {
    const width = 2 ** level;
    if ((index + 1) * width <= this.#size) return this.#tree.complete(level, index, this.#twigs);
    const middle = index * width + width / 2;
    if (middle >= this.#size) return this.node(level - 1, 2 * index);
    return this.#tree.parent(
      this.#tree.complete(level - 1, 2 * index, this.#twigs),
      this.node(level - 1, 2 * index + 1),
    );
  }
}
