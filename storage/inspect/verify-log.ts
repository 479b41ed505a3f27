/**
 * Verifies an op log without changing it: both superblocks, every segment header and number, checksum, digest, place, batch and padding byte,
 * and the ops tree: every leaf is hashed again from the first header's frontier on, and each later header must hold the frontier that follows.
 *
 * It reads with the very code that recovery reads with, so a log that is valid here opens, with nothing cut.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import { Frontier } from '../commitment/frontier.ts';
import { LEAF_PREFIX } from '../commitment/merkle.ts';
import { CorruptionError } from '../errors.ts';
import { readWhole } from '../files/files.ts';
import { closeSegments, scanLog } from '../oplog/log-scan.ts';
import { segmentName } from '../oplog/segment.ts';
import {
  SLOT_SIZE_BYTES,
  SLOT_STRIDE_BYTES,
  SUPERBLOCK_FILE_SIZE_BYTES,
  SUPERBLOCK_NAME,
} from '../oplog/superblock.ts';
import {
  type LogFolder,
  newestSuperblock,
  readSuperblocks,
  type SlotReading,
  segmentFiles,
  withLogLock,
} from './log-folder.ts';

export interface VerifyLogOptions extends LogFolder {
  readonly kernels: Pick<Kernels, 'sha256' | 'crc32c' | 'sha256Ragged' | 'sha256Pairs'>;
  /** Told how far the work is, in bytes of segment files. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Sees the ops tree's root after each batch, in order. */
  readonly onRoot?: (height: number, opsRoot: Hash) => void;
}

/** The first byte that is not as it must be. */
export interface LogFault {
  readonly path: string;
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
  /** False for a torn tail that was never acknowledged: the next start cuts it. */
  readonly acknowledged: boolean;
}

/** What a whole log holds. */
export interface LogFigures {
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  readonly segments: number;
  /** Height of the first batch that is kept. */
  readonly firstHeight: number;
  /** Height of the last batch; -1 for an empty log. */
  readonly height: number;
  /** Number of the first op that is kept. */
  readonly firstOp: number;
  /** Ops ever, heads of batches included: the number that the next op gets. */
  readonly opCount: number;
  /** The inactivity floor in the last batch's head. */
  readonly floor: number;
  /** Bytes of segment files, headers included. */
  readonly bytes: number;
  /** Digest of the last batch; the chain id when there is none. */
  readonly digest: Uint8Array;
  /** Root of the ops tree over all ops ever. */
  readonly opsRoot: Hash;
  /** True when the log was closed, false when it was left as a crash leaves it. */
  readonly clean: boolean;
}

/**
 * Verifies a stopped node's log. Throws when it cannot be read: `FilesError` ('not-found', 'locked', 'io'), `StorageError` 'wrong-format'.
 */
export function verifyLog(options: VerifyLogOptions): Promise<LogFigures | { readonly fault: LogFault }> {
  return withLogLock(options, async () => {
    try {
      return await verify(options);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const { path, offset, expected, found } = error;
      return { fault: { path, offset, expected, found, acknowledged: true } };
    }
  });
}

async function verify(options: VerifyLogOptions): Promise<LogFigures | { readonly fault: LogFault }> {
  const { files, kernels, directory } = options;
  const slots = await readSuperblocks(options);
  const { identity, block } = newestSuperblock(directory, slots);
  await checkSuperblocks(options, slots);
  const present = await segmentFiles({ files, directory });
  const total = present.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const tree = new OpsTree(kernels);
  let done = 0;
  const log = await scanLog({
    files,
    kernels,
    directory,
    identity,
    block,
    visitSegment: ({ frontier }) => tree.begin(frontier),
    visit: ({ batch, offsets, height }) => {
      tree.append(batch, offsets);
      options.onRoot?.(height, tree.root());
      done += batch.length;
      options.onProgress?.(done, total);
    },
  });
  await closeSegments(log.segments);
  if (log.cut !== undefined) {
    const { segment, fault } = log.cut;
    const { offset, expected, found } = fault;
    return { fault: { path: `${directory}/${segmentName(segment)}`, offset, expected, found, acknowledged: false } };
  }
  const { height, opCount, digest } = log.tip;
  const first = log.segments[0]?.first ?? log.tip;
  return {
    chainId: identity.chainId,
    segments: log.segments.length,
    firstHeight: first.height,
    height: height - 1,
    firstOp: first.opCount,
    opCount,
    floor: log.positions.floor(height - 1) ?? 0,
    bytes: log.segments.reduce((sum, { end }) => sum + end, 0),
    digest,
    opsRoot: tree.root(),
    clean: block.start === block.end,
  };
}

/** The ops tree, hashed anew from the first header's frontier on. */
class OpsTree {
  readonly #kernels: VerifyLogOptions['kernels'];
  #frontier: Frontier | undefined;
  #leaves = new Uint8Array(0);

  constructor(kernels: VerifyLogOptions['kernels']) {
    this.#kernels = kernels;
  }

  /** @param said what the first header says @returns what the later ones must say */
  begin(said: Frontier): Frontier | undefined {
    const known = this.#frontier;
    this.#frontier ??= said;
    return known;
  }

  append(batch: Uint8Array, offsets: Uint32Array): void {
    const size = (offsets.length - 1) * 32;
    if (this.#leaves.length < size) this.#leaves = new Uint8Array(size);
    const leaves = this.#leaves.subarray(0, size);
    this.#kernels.sha256Ragged(LEAF_PREFIX, batch, offsets, leaves);
    this.#frontier = (this.#frontier ?? Frontier.empty).appendMany(this.#kernels, leaves);
  }

  root(): Hash {
    return (this.#frontier ?? Frontier.empty).root(this.#kernels);
  }
}

/** Both slots whole and of one log, one write apart, with zeros around them. Recovery needs only one of them. */
async function checkSuperblocks({ files, directory }: LogFolder, slots: readonly SlotReading[]): Promise<void> {
  const path = `${directory}/${SUPERBLOCK_NAME}`;
  for (const { fault } of slots)
    if (fault !== undefined) throw new CorruptionError(path, fault.offset, fault.expected, fault.found);
  const [even, odd] = slots.map(({ contents }) => contents!);
  for (const [slot, { block }] of [even!, odd!].entries())
    if (block.sequence % 2 !== slot)
      throw new CorruptionError(
        path,
        slot * SLOT_STRIDE_BYTES + 16,
        `a sequence that goes into slot ${slot}`,
        `${block.sequence}`,
      );
  const apart = Math.abs(even!.block.sequence - odd!.block.sequence);
  if (apart !== 1) throw new CorruptionError(path, 16, 'sequences one apart', `${apart} apart`);
  if (Buffer.compare(even!.identity.chainId, odd!.identity.chainId) !== 0)
    throw new CorruptionError(path, SLOT_STRIDE_BYTES + 24, 'one chain id in both slots', 'two');
  const bytes = await readWhole(files, path, SUPERBLOCK_FILE_SIZE_BYTES);
  if (bytes.length !== SUPERBLOCK_FILE_SIZE_BYTES)
    throw new CorruptionError(path, bytes.length, `a file of ${SUPERBLOCK_FILE_SIZE_BYTES} bytes`, `${bytes.length}`);
  for (let offset = SLOT_SIZE_BYTES; offset < SLOT_STRIDE_BYTES; offset++)
    if (bytes[offset] !== 0) throw new CorruptionError(path, offset, 'zero', `${bytes[offset]}`);
}
