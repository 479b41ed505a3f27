/**
 * Verifies an op log without changing it: both superblocks, every segment header and number, checksum, digest, place, batch and padding byte,
 * and the ops tree: every leaf is hashed again from the first header's frontier on, each later header must hold the frontier that follows. Asked
 * for, the state root is worked out from the ops alone.
 *
 * It reads with the very code that recovery reads with, so a log that is valid here opens, with nothing cut.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import { CorruptionError } from '../errors.ts';
import { readWhole } from '../files/files.ts';
import { closeSegments, scanLog } from '../oplog/log-scan.ts';
import { logThreads } from '../oplog/log-threads.ts';
import type { ScannedLog } from '../oplog/log-visitor.ts';
import { ProofThreads } from '../oplog/proof-threads.ts';
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
import { type LogState, LogSum } from './log-state.ts';

export interface VerifyLogOptions extends LogFolder {
  readonly kernels: Kernels;
  /** Works out the state too, in memory: 64 to 128 bytes an account. */
  readonly withState?: boolean;
  /** Threads beside this one that check segments, and as many that work out the accounts; as `StateStoreOptions.rebuildThreads`. */
  readonly threads?: number;
  /** Told how far the work is, in bytes of segment files. */
  readonly onProgress?: (done: number, total: number) => void;
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
  /** The state after the last batch, worked out from the log alone; undefined when not asked for. */
  readonly state: LogState | undefined;
  /** True when the log was closed, false when it was left as a crash leaves it. */
  readonly clean: boolean;
}

/**
 * Verifies a stopped node's log. Throws when it cannot be read: `FilesError` ('not-found', 'locked', 'io'), `StorageError` 'wrong-format'.
 */
export function verifyLog(options: VerifyLogOptions): Promise<LogFigures | { readonly fault: LogFault }> {
  return withLogLock(options, async () => {
    try {
      return (await verify(options, options.threads)) ?? (await verify(options, 0))!;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const { path, offset, expected, found } = error;
      return { fault: { path, offset, expected, found, acknowledged: true } };
    }
  });
}

/** @returns undefined when a thread failed, which one thread does not need */
async function verify(
  options: VerifyLogOptions,
  threads: number | undefined,
): Promise<LogFigures | { readonly fault: LogFault } | undefined> {
  const { files, kernels, directory, withState = false } = options;
  const slots = await readSuperblocks(options);
  const { identity, block } = newestSuperblock(directory, slots);
  await checkSuperblocks(options, slots);
  const present = await segmentFiles({ files, directory });
  const total = present.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const sum = new LogSum(kernels, identity.chainId, withState);
  const counts = await logThreads(files, directory, threads);
  if (withState && counts.table > 0) sum.useThreads({ directory, kernels: kernels.name, count: counts.table });
  let done = 0;
  const tell = (bytes: number): void => {
    done += bytes;
    options.onProgress?.(done, total);
  };
  try {
    const log = await scanLog({
      files,
      kernels,
      directory,
      identity,
      block,
      visitSegment: (segment) => sum.segment(segment),
      visit: (batch) => {
        sum.add(batch);
        tell(batch.batch.length);
      },
      startProofs: (log) =>
        counts.proofs === 0 ? undefined : new ProofThreads(log, { kernels: kernels.name, count: counts.proofs }),
      visitProven: (proof) => {
        sum.addProven(proof);
        if (!withState) tell(proof.end);
      },
      visitAgain: !withState
        ? undefined
        : (batch, firstOp) => {
            sum.addAgain(batch, firstOp);
            tell(batch.length);
          },
    });
    await closeSegments(log.segments);
    if (!(await sum.end())) return undefined;
    return figures(directory, identity.chainId, block.start === block.end, log, sum);
  } finally {
    await sum.close();
  }
}

function figures(
  directory: string,
  chainId: Uint8Array,
  clean: boolean,
  log: ScannedLog,
  sum: LogSum,
): LogFigures | { readonly fault: LogFault } {
  if (log.cut !== undefined) {
    const { segment, fault } = log.cut;
    const { offset, expected, found } = fault;
    return { fault: { path: `${directory}/${segmentName(segment)}`, offset, expected, found, acknowledged: false } };
  }
  const { height, opCount, digest } = log.tip;
  const first = log.segments[0]?.first ?? log.tip;
  const state = sum.finish();
  if (typeof state === 'string')
    throw new CorruptionError(directory, log.tip.frameOffset, 'floors that follow from the ops', state);
  return {
    chainId,
    segments: log.segments.length,
    firstHeight: first.height,
    height: height - 1,
    firstOp: first.opCount,
    opCount,
    floor: log.positions.floor(height - 1) ?? 0,
    bytes: log.segments.reduce((sum, { end }) => sum + end, 0),
    digest,
    opsRoot: sum.opsRoot,
    state,
    clean,
  };
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
