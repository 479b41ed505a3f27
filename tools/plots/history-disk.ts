/**
 * Disk use of history over a long run of small blocks: kept whole beside pruned as finality advances, on the real storage engine.
 *
 * Everything but the timing follows from the seed. The bound that a pruned history keeps is `keptBytesMax`.
 */
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Hash, height, type Kernels, slot } from '../../native/index.ts';
import { type HistoryBlock, HistoryStore } from '../../storage/index.ts';
import { SeededRandom } from '../workload/random.ts';

export interface HistoryRun {
  readonly kernels: Kernels;
  /** An existing folder; the histories are made below it and removed. */
  readonly directory: string;
  readonly blocks: number;
  readonly depthBlocks: number;
  /** Blocks between two prunes, and between two samples. */
  readonly everyBlocks: number;
  readonly segmentSizeBytes: number;
  readonly seed: number;
  /** Also writes a history that is never pruned. */
  readonly withArchive: boolean;
}

/** The disk after a block, in bytes. */
export interface DiskSample {
  readonly height: number;
  /** Length of the whole stream: what is on disk when nothing is pruned. */
  readonly streamBytes: number;
  /** Segment files of the pruned history, and what they may be at most. */
  readonly keptBytes: number;
  readonly keptBytesMax: number;
  /** The pruned history's lmdb file. */
  readonly indexBytes: number;
  /** Segment files and lmdb file of the one never pruned; null without it. */
  readonly archiveBytes: number | null;
  readonly archiveIndexBytes: number | null;
}

const ID_SIZE_BYTES = 32;
const TRANSACTIONS_MAX = 8;
const FRAME_LENGTH_SIZE_BYTES = 4;

/**
 * What a pruned history holds at most: the bodies that must stay (the last `depthBlocks` and those that came since the last prune), and below them
 * the rest of the segment in which they begin, the block that reaches into it, and the rest of that one's segment.
 */
function keptBytesMax(bodiesBytes: number, blockSizeBytesMax: number, segmentSizeBytes: number): number {
  return bodiesBytes + blockSizeBytesMax + 2 * segmentSizeBytes;
}

/** Runs it; the samples in order. */
export async function runHistory(run: HistoryRun): Promise<DiskSample[]> {
  const directory = await mkdtemp(join(run.directory, 'cairn-history-disk-'));
  try {
    const { kernels, segmentSizeBytes } = run;
    const open = (name: string): Promise<HistoryStore> =>
      HistoryStore.open({ directory: join(directory, name), kernels, segmentSizeBytes, leafSizeBytes: 1024 });
    const pruned = await open('pruned');
    const archive = run.withArchive ? await open('archive') : undefined;
    const samples = await play(run, directory, pruned, archive);
    await pruned.close();
    await archive?.close();
    return samples;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function play(
  run: HistoryRun,
  directory: string,
  pruned: HistoryStore,
  archive: HistoryStore | undefined,
): Promise<DiskSample[]> {
  const random = new SeededRandom(run.seed);
  const sizes: number[] = [];
  const samples: DiskSample[] = [];
  for (let number = 1; number <= run.blocks; number += 1) {
    const block = makeBlock(run.kernels, number, random);
    await Promise.all([pruned.append(block), archive?.append(block)]);
    sizes.push(block.bytes.length + FRAME_LENGTH_SIZE_BYTES);
    if (number % run.everyBlocks !== 0) continue;
    // What stands just before the prune is the most that stood since the last one.
    samples.push(sample(run, directory, pruned, archive, sizes));
    await pruned.prune({ keepFromHeight: number - run.depthBlocks, mayDrop: () => true, transactionIds: idsOf });
  }
  return samples;
}

function sample(
  { depthBlocks, everyBlocks, segmentSizeBytes }: HistoryRun,
  directory: string,
  pruned: HistoryStore,
  archive: HistoryStore | undefined,
  sizes: readonly number[],
): DiskSample {
  const bodies = sizes.slice(-(depthBlocks + 1 + everyBlocks)).reduce((sum, size) => sum + size, 0);
  const indexOf = (name: string): number => statSync(join(directory, name, 'index', 'data.mdb')).size;
  return {
    height: pruned.tip!.height,
    streamBytes: pruned.cursor.length,
    keptBytes: pruned.cursor.length - pruned.startOffset,
    keptBytesMax: keptBytesMax(
      bodies,
      sizes.reduce((most, size) => Math.max(most, size), 0),
      segmentSizeBytes,
    ),
    indexBytes: indexOf('pruned'),
    archiveBytes: archive === undefined ? null : archive.cursor.length - archive.startOffset,
    archiveIndexBytes: archive === undefined ? null : indexOf('archive'),
  };
}

/** A body of 1 .. 8 transaction ids and up to 800 bytes more. */
function makeBlock(kernels: Kernels, number: number, random: SeededRandom): HistoryBlock {
  const count = 1 + random.below(TRANSACTIONS_MAX);
  const bytes = new Uint8Array(8 + count * ID_SIZE_BYTES + random.below(800));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, count, true);
  view.setUint32(4, number, true);
  for (let at = 8; at + 4 <= bytes.length; at += 4) view.setUint32(at, random.below(2 ** 32), true);
  return {
    height: height(number),
    slot: slot(number),
    hash: kernels.sha256(bytes) as Hash,
    bytes,
    transactions: idsOf(bytes).map((id, index) => ({ id, entry: 1, index })),
  };
}

function idsOf(bytes: Uint8Array): Uint8Array[] {
  const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return Array.from({ length: count }, (_, index) =>
    bytes.slice(8 + index * ID_SIZE_BYTES, 8 + (index + 1) * ID_SIZE_BYTES),
  );
}
