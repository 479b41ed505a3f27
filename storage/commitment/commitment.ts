/**
 * The state's commitment after a block: what its header's state root says, and what the next block's batch must begin with.
 *
 * Immutable. `next` gives the commitment one batch further; so every unfinalized block has its own, branches included, over one durable
 * base (`CommitmentTrees`, trees.ts).
 *
 * Two RFC 9162 trees stand under the root (state-root.ts): the ops tree, over the bytes of every op of the log, and the activity tree,
 * over the bitmap of which ops are still their key's latest.
 *
 * Invariants
 * - Equal batches in equal order give equal roots on every node, whatever was settled, reopened or dropped between.
 * - Every key has one active op at most: `activeCount` is the number of live accounts, records and bonds.
 * - `next` costs what the batch changes, and one lookup of its keys in each unsettled block below.
 * - After another branch was settled, and after a child was, `next` and `oldestActive` throw `CommitmentError` 'not-on-final-branch'.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import { sameBytes } from '../../native/index.ts';
import { BatchError, batchDigest, readBatchHead } from '../oplog/batch.ts';
import { frameSize } from '../oplog/frame.ts';
import type { ActiveOp, ActivityReader, BatchPlace } from '../state-reader.ts';
import { activeOps } from './active-ops.ts';
import type { ActivityVersions } from './activity-versions.ts';
import type { BatchReader } from './batch-keys.ts';
import { Branch } from './branch.ts';
import type { OpsAppender } from './ops-append.ts';
import type { RetiredOps } from './retired-ops.ts';
import type { TwigSource } from './sources.ts';
import { stateRoot } from './state-root.ts';

export type CommitmentKernels = Pick<Kernels, 'sha256' | 'sha256Pairs' | 'sha256Leaves' | 'sha256Ragged'>;

/** What all commitments over one durable base share. */
export interface CommitmentBase {
  readonly kernels: CommitmentKernels;
  readonly activity: ActivityVersions;
  readonly appender: OpsAppender;
  readonly reader: BatchReader;
  readonly retired: RetiredOps;
  readonly twigs: TwigSource;
}

/** The figures of one commitment. */
interface CommitmentFigures {
  readonly opsRoot: Hash;
  readonly activityRoot: Hash;
  readonly opCount: number;
  readonly floor: number;
  readonly activeCount: number;
  readonly place: BatchPlace;
}

export class Commitment implements ActivityReader {
  /** State root; borrowed, as all bytes here. */
  readonly root: Hash;
  readonly opsRoot: Hash;
  readonly activityRoot: Hash;
  /** Ops so far, heads of batches included. */
  readonly opCount: number;
  /** Number of the oldest active op; `opCount` when there is none. */
  readonly floor: number;
  /** Active ops: live accounts, records and bonds. */
  readonly activeCount: number;
  /** What the head of the next batch says. */
  readonly place: BatchPlace;
  /** What the block holds until it is settled: for `CommitmentTrees`. */
  readonly branch: Branch;
  readonly #base: CommitmentBase;

  /** For `CommitmentTrees` and `next`. */
  constructor(base: CommitmentBase, branch: Branch, figures: CommitmentFigures) {
    this.#base = base;
    this.branch = branch;
    this.opsRoot = figures.opsRoot;
    this.activityRoot = figures.activityRoot;
    this.opCount = figures.opCount;
    this.floor = figures.floor;
    this.activeCount = figures.activeCount;
    this.place = figures.place;
    this.root = stateRoot(base.kernels, figures);
  }

  /** Digest of the last batch; the chain id before batch 0. */
  get digest(): Uint8Array {
    return this.place.previousDigest;
  }

  /**
   * The commitment after one more batch.
   * Throws `BatchError` for malformed bytes, 'place' when the head does not follow, 'repeated-key' when a key stands twice; and
   * `CommitmentError` 'not-on-final-branch'. Nothing has changed then.
   * @param batch kept until its block is settled, not copied: do not write to it
   * @param digest the batch's digest when the caller has it already (`batchDigest`); trusted
   */
  next(batch: Uint8Array, digest?: Hash): Commitment {
    const { kernels, activity, appender, reader, retired } = this.#base;
    const { height } = checkPlace(batch, this.place);
    activity.show(this.branch.version);
    const keys = reader.read(batch);
    const { offsets } = keys;
    const gone = retired.find(keys, this.branch.keyIndexes());
    const { opCount: firstOp } = this;
    const opCount = firstOp + offsets.length - 1;
    const added = keys.puts.map((op) => firstOp + op);
    const version = activity.advance(this.branch.version, { retired: gone, firstOp, opCount, added });
    const { frontier, nodes } = appender.append(this.branch.frontier, batch, offsets);
    const { root: activityRoot, floor } = activity.summary(this.floor, opCount);
    const parent = this.branch;
    const branch = new Branch(firstOp, frontier, version, { parent, height, bytes: batch, offsets, nodes });
    return new Commitment(this.#base, branch, {
      opsRoot: frontier.root(kernels),
      activityRoot,
      opCount,
      floor,
      activeCount: this.activeCount - gone.length + runLength(added),
      place: placeAfter(this.place, batch, floor, digest ?? batchDigest(kernels, batch)),
    });
  }

  /**
   * The active ops from the floor on, ascending; keys are borrowed until the next step. Stop early. Throws `CommitmentError`
   * 'not-on-final-branch'.
   */
  oldestActive(): Iterable<ActiveOp> {
    return activeOps(this.#base.activity, this.#base.twigs, this.branch, this.floor, this.opCount);
  }
}

/** Throws `BatchError` 'place' unless the batch's head says `place`. */
export function checkPlace(batch: Uint8Array, place: BatchPlace): BatchPlace {
  const head = readBatchHead(batch);
  for (const field of ['height', 'previousFrameSizeBytes', 'frameOffset', 'floor'] as const)
    if (head[field] !== place[field])
      throw new BatchError(
        'place',
        `its head says ${field} ${head[field]}, after the batch before it is ${place[field]}`,
      );
  if (!sameBytes(head.previousDigest, place.previousDigest))
    throw new BatchError('place', 'the digest in its head is not that of the batch before');
  return head;
}

/** What the head of the batch after `batch` says. @param place what `batch`'s own says */
export function placeAfter(place: BatchPlace, batch: Uint8Array, floor: number, digest: Uint8Array): BatchPlace {
  return {
    height: place.height + 1,
    previousFrameSizeBytes: frameSize(batch.length),
    frameOffset: place.frameOffset + frameSize(batch.length),
    floor,
    previousDigest: digest,
  };
}

function runLength(runs: readonly number[]): number {
  let length = 0;
  for (let run = 0; run < runs.length; run += 2) length += runs[run + 1]! - runs[run]!;
  return length;
}
