/**
 * The durable base of all commitments: the trees as of the last batch in the log, and its commitment, the tip.
 *
 * Owns: the ops tree's upper nodes from the first kept op on, and the working copy of the activity tree. All of it is derived: made again
 * at open (replay.ts), nothing of it is on disk.
 *
 * Proofs are of the durable state; unsettled blocks do not disturb them.
 */

import type { BatchPlace } from '../state-reader.ts';
import { ActivityTree, CHUNK_OPS } from './activity-tree.ts';
import { ActivityVersions } from './activity-versions.ts';
import { BatchReader } from './batch-keys.ts';
import { Branch } from './branch.ts';
import { Commitment, type CommitmentBase, type CommitmentKernels } from './commitment.ts';
import { CommitmentError } from './commitment-error.ts';
import { Frontier } from './frontier.ts';
import { HashColumn } from './hash-column.ts';
import { packHashes } from './inclusion.ts';
import { OpsAppender } from './ops-append.ts';
import { OpsTree } from './ops-tree.ts';
import type { RangeProof } from './range-proof.ts';
import { RetiredOps } from './retired-ops.ts';
import { NO_POSITIONS, NO_TWIGS, type PositionSource, type TwigSource } from './sources.ts';
import type { StateProof } from './state-proof.ts';

/** What the trees stand on. */
export interface TreesOptions {
  readonly kernels: CommitmentKernels;
  /** 32 bytes: the digest before batch 0. */
  readonly chainId: Uint8Array;
  /** The durable keys; must show the tip's state whenever `next` of a commitment over it is called. */
  readonly positions: PositionSource;
  /** The durable log. */
  readonly twigs: TwigSource;
}

/** What a replay has found. */
export interface TreesState {
  readonly ops: OpsTree;
  readonly activity: ActivityTree;
  readonly floor: number;
  readonly activeCount: number;
  readonly place: BatchPlace;
}

export class CommitmentTrees {
  readonly #base: CommitmentBase;
  readonly #ops: OpsTree;
  #tip: Commitment;

  /** For `empty` and `CommitmentReplay`. @param state taken over */
  constructor({ kernels, positions, twigs }: TreesOptions, state: TreesState) {
    const activity = new ActivityVersions(state.activity);
    this.#base = {
      kernels,
      activity,
      twigs,
      appender: new OpsAppender(kernels),
      reader: new BatchReader(),
      retired: new RetiredOps(positions),
    };
    this.#ops = state.ops;
    const { frontier } = state.ops;
    this.#tip = new Commitment(this.#base, new Branch(frontier.size, frontier, activity.shown), {
      opsRoot: frontier.root(kernels),
      activityRoot: state.activity.root(frontier.size),
      opCount: frontier.size,
      floor: state.floor,
      activeCount: state.activeCount,
      place: state.place,
    });
  }

  /** The trees before batch 0. @param chainId 32 bytes */
  static empty(
    kernels: CommitmentKernels,
    chainId: Uint8Array,
    positions: PositionSource = NO_POSITIONS,
    twigs: TwigSource = NO_TWIGS,
  ): CommitmentTrees {
    return new CommitmentTrees(
      { kernels, chainId, positions, twigs },
      {
        ops: new OpsTree(kernels, twigs, Frontier.empty),
        activity: new ActivityTree(kernels, new HashColumn(0), 0),
        floor: 0,
        activeCount: 0,
        place: { height: 0, previousFrameSizeBytes: 0, frameOffset: 0, floor: 0, previousDigest: chainId.slice() },
      },
    );
  }

  /** The commitment of the last durable batch. */
  get tip(): Commitment {
    return this.#tip;
  }

  /**
   * The batch that led from the tip to `child` is durable, and log and tables hold it: `child` is the tip now. Its siblings and the tip
   * before throw when they are built upon. Throws `CommitmentError` 'not-on-final-branch' when `child` does not follow the tip.
   */
  absorb(child: Commitment): void {
    const last = this.#tip.branch;
    const { branch } = child;
    if (branch.parent !== last)
      throw new CommitmentError('not-on-final-branch', 'only a child of the last settled block can be settled');
    this.#base.activity.settle(last.version, branch.version);
    this.#ops.append(branch.nodes, branch.frontier);
    branch.settle();
    this.#tip = child;
    this.#base.activity.dropBefore(Math.floor(Math.min(child.floor, child.opCount - 1) / CHUNK_OPS));
  }

  /** Segments before a later first kept op are gone. @param start the ops tree's frontier there */
  dropBefore(start: Frontier): void {
    this.#ops.dropBefore(start);
  }

  /** Path of a kept op in the ops tree of the first `size` ops, packed. Throws `CommitmentError` 'op-range'. */
  opPath(op: number, size: number = this.#tip.opCount): Uint8Array {
    return this.#ops.path(op, size);
  }

  /** The chunk that holds an op's bit at the tip, 32 bytes, and its path in the activity tree. Throws `CommitmentError` 'op-range'. */
  chunkPath(op: number): { chunk: Uint8Array; path: Uint8Array } {
    const { opCount, branch } = this.#tip;
    if (!Number.isSafeInteger(op) || op < 0 || op >= opCount)
      throw new CommitmentError('op-range', `op ${op} of ${opCount}`);
    const index = Math.floor(op / CHUNK_OPS);
    const { activity } = this.#base;
    const path: Uint8Array[] = [];
    let [at, count] = [index, Math.ceil(opCount / CHUNK_OPS)];
    for (let level = 0; count > 1; level++) {
      const sibling = at % 2 === 0 ? at + 1 : at - 1;
      if (sibling < count) path.push(activity.node(branch.version, level, sibling));
      [at, count] = [Math.floor(at / 2), Math.ceil(count / 2)];
    }
    return { chunk: activity.chunk(branch.version, index), path: packHashes(path) };
  }

  /** Proof that ops `from` .. `to` - 1 are those of the tree of the first `size` ops. Throws `CommitmentError` 'op-range'. */
  rangeProof(from: number, to: number, size: number = this.#tip.opCount): RangeProof {
    return this.#ops.rangeProof(from, to, size);
  }

  /**
   * Proof that an op is its key's latest at the tip. Throws `CommitmentError` 'op-range' for one that is not kept.
   * @param op a position from the tables
   * @param header the tip's block header, or whatever the state root is to be found in; copied
   */
  stateProof(op: number, header: Uint8Array): StateProof {
    const { opCount, floor } = this.#tip;
    const { chunk, path } = this.chunkPath(op);
    return {
      header: header.slice(),
      opCount,
      floor,
      opNumber: op,
      op: this.#ops.op(op),
      opPath: this.opPath(op),
      chunk,
      chunkPath: path,
    };
  }
}

/** The commitment before batch 0, over nothing: for a genesis root, and for chains that live in memory. @param chainId 32 bytes */
export function emptyCommitment(kernels: CommitmentKernels, chainId: Uint8Array): Commitment {
  return CommitmentTrees.empty(kernels, chainId).tip;
}
