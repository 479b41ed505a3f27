/**
 * The blocks this node holds above its last final one: bodies as they came, and verified blocks with their state.
 *
 * Owns memory only; what must survive is in the chain store. Bounds: bodies not yet verified are at most `BODIES_SIZE_BYTES_MAX`, oldest out
 * first; verified blocks are bounded by the consensus machine, which prunes.
 */
import { byteKey, type Hash } from '../../../native/index.ts';
import type { Block } from '../../codec/index.ts';
import type { ChainBlock } from './chain-block.ts';

/** Most bytes of block bodies kept before they are verified. */
export const BODIES_SIZE_BYTES_MAX: number = 256 * 1024 * 1024;

export class BlockTree {
  readonly #bodies = new Map<string, Block>();
  readonly #verified = new Map<string, ChainBlock>();
  #bodiesSizeBytes = 0;
  #root: ChainBlock;
  #best: ChainBlock;

  constructor(root: ChainBlock) {
    this.#root = root;
    this.#best = root;
    this.#verified.set(byteKey(root.header.hash), root);
  }

  /** The last final block. */
  get root(): ChainBlock {
    return this.#root;
  }

  /** The block to build on and answer from. */
  get best(): ChainBlock {
    return this.#best;
  }

  /** Verified blocks above the root. */
  get unfinalizedCount(): number {
    return this.#verified.size - 1;
  }

  /** Keeps a body until its block is verified or pruned. */
  addBody(block: Block): void {
    const key = byteKey(block.header.hash);
    if (this.#bodies.has(key)) return;
    this.#bodies.set(key, block);
    this.#bodiesSizeBytes += block.bytes.length;
    for (const oldest of this.#bodies.keys()) {
      if (this.#bodiesSizeBytes <= BODIES_SIZE_BYTES_MAX) return;
      this.#dropBody(oldest);
    }
  }

  #dropBody(key: string): void {
    this.#bodiesSizeBytes -= this.#bodies.get(key)?.bytes.length ?? 0;
    this.#bodies.delete(key);
  }

  body(hash: Hash): Block | undefined {
    const key = byteKey(hash);
    return this.#verified.get(key)?.block ?? this.#bodies.get(key);
  }

  verified(hash: Hash): ChainBlock | undefined {
    return this.#verified.get(byteKey(hash));
  }

  addVerified(block: ChainBlock): void {
    const key = byteKey(block.header.hash);
    this.#dropBody(key);
    this.#verified.set(key, block);
  }

  setBest(hash: Hash): ChainBlock {
    const best = this.verified(hash);
    if (best === undefined) throw new RangeError('the best block must be a verified one');
    this.#best = best;
    return best;
  }

  /** Makes a verified child of the root the new root; the old one is forgotten. */
  advanceRoot(block: ChainBlock): void {
    if (byteKey(block.header.parentHash) !== byteKey(this.#root.header.hash))
      throw new RangeError(`block ${block.header.height} is no child of the root at ${this.#root.header.height}`);
    this.#verified.delete(byteKey(this.#root.header.hash));
    this.#root = block;
    // What finality has left can no longer be read: until the next choice is made, the root itself is the best.
    if (!this.#isOnRoot(this.#best)) this.#best = block;
  }

  #isOnRoot(block: ChainBlock): boolean {
    let at: ChainBlock | undefined = block;
    while (at !== undefined && at !== this.#root) at = this.verified(at.header.parentHash);
    return at !== undefined;
  }

  /** Forgets a block; answers its body when there was one. */
  forget(hash: Hash): Block | undefined {
    const key = byteKey(hash);
    if (key === byteKey(this.#root.header.hash)) return undefined;
    const body = this.body(hash);
    this.#verified.delete(key);
    this.#dropBody(key);
    return body;
  }

  /** The verified blocks from just above the root to `tip`, ascending; empty when `tip` is the root or unknown. */
  branch(tip: ChainBlock): ChainBlock[] {
    const blocks: ChainBlock[] = [];
    for (let at: ChainBlock | undefined = tip; at !== undefined && at !== this.#root; ) {
      blocks.push(at);
      at = this.verified(at.header.parentHash);
    }
    return blocks.reverse();
  }

  /** The verified block of a height on the best branch, the root included. */
  onBestBranch(height: number): ChainBlock | undefined {
    if (height === this.#root.header.height) return this.#root;
    return this.branch(this.#best).find(({ header }) => header.height === height);
  }
}
