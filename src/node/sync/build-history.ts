/**
 * The history of a fast sync: from the trusted blocks, and on demand every whole segment before them, into the quarantine.
 *
 * Invariant: each header's account of the history before it holds; blocks and segments were proven by their hashes before they came here.
 */
import { sameBytes, height as toHeight } from '../../../native/index.ts';
import { HistoryCursor, type HistoryStart, type PendingBlocks, type SyncStage } from '../../../storage/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { genesisHeader } from '../../ledger/index.ts';
import type { PeerName } from '../../net/transport.ts';
import { genesisRoot } from '../chain/open-root.ts';
import { SegmentSource } from '../replicator/segment-source.ts';
import { nobody } from './choose-manifest.ts';
import { FastSyncError } from './fast-sync-error.ts';
import { blocksOf, chained, HistoryBuilder } from './history-stream.ts';
import { PeerPool } from './peer-pool.ts';
import { downloadSegments } from './segment-download.ts';
import { SegmentShelf } from './segment-shelf.ts';
import type { SyncGround } from './sync-ground.ts';
import { historyStart, type TrustedBlocks } from './trusted-blocks.ts';

export interface HistorySources {
  /** Peers of the sync. */
  readonly pool: PeerPool;
  /** Peers that keep segments only. */
  readonly replicators: readonly { readonly name: PeerName; readonly address: string }[];
  readonly blocks: TrustedBlocks;
  /** Their bytes. */
  readonly staged: PendingBlocks;
}

/** Puts the trusted blocks into the staged history. Throws `FastSyncError`; what the own disk throws. */
export async function buildHistory(ground: SyncGround, stage: SyncStage, sources: HistorySources): Promise<void> {
  const { options, transport } = ground;
  const { kernels, genesis } = options;
  const { pool, blocks, staged } = sources;
  const segments = new SegmentSource({ kernels, transport, shape: genesis.history });
  const first = blocks.headers[blocks.first]!;
  const came = await pool.first(async ({ name }) => {
    await segments.updateRoots(name, first);
    return true;
  });
  if (came === undefined) throw nobody(pool);
  const bytes = stagedBytes(staged);
  const start = historyStart(blocks, bytes, Buffer.concat(segments.roots), genesis.history.segmentSizeBytes);
  const cursor = HistoryCursor.rebuild(kernels, genesis.history, start.segmentRoots, start.unfinished);
  requireSameHistory(cursor, first);
  const whole = start.segmentRoots.length / 32;
  const isFull = options.history === 'full';
  const shelf = isFull ? await fetchSegments(ground, stage, sources, segments, whole) : undefined;
  const history = await stage.openHistory(genesis.history, isFull ? BEGINNING : start);
  const before = isFull ? genesisHeader(kernels, genesis, genesisRoot(genesis, kernels)) : blockBefore(first);
  const builder = new HistoryBuilder(kernels, history, before);
  if (shelf !== undefined)
    for await (const block of blocksOf(chained(whole, (index) => shelf.read(index)))) await builder.append(block);
  for (const header of blocks.headers.filter(({ height }) => height >= builder.next)) {
    requireSameHistory(history.cursor, header);
    await builder.append(bytes(header));
  }
  await shelf?.remove();
}

/** Every whole segment before the staged blocks, from whoever keeps some: those that only keep segments too. */
async function fetchSegments(
  { options, transport, timers, disk, meter }: SyncGround,
  { liars }: SyncStage,
  { pool, replicators }: HistorySources,
  source: SegmentSource,
  count: number,
): Promise<SegmentShelf> {
  const { kernels, dataDirectory, genesis, log } = options;
  const segmentPool = new PeerPool({ transport, timers, liars, log });
  for (const { name, address } of [...pool.used, ...replicators]) segmentPool.add(name, address);
  meter.pool = segmentPool;
  const directory = `${dataDirectory}.sync-segments`;
  const shelf = await SegmentShelf.open({ kernels, files: disk.files, directory, shape: genesis.history });
  const onProgress = (done: number, total: number, bytes: number): void => meter.segments(done, total, bytes);
  const roots = source.roots.slice(0, count);
  await downloadSegments({ pool: segmentPool, timers, source, shelf, roots, onProgress });
  pool.verdicts.push(...segmentPool.verdicts);
  return shelf;
}

/** A history from block 1 on. */
const BEGINNING: HistoryStart = { height: 1, segmentRoots: new Uint8Array(0), unfinished: new Uint8Array(0) };

function blockBefore({ height, parentHash }: BlockHeader): Pick<BlockHeader, 'height' | 'hash'> {
  return { height: toHeight(height - 1), hash: parentHash };
}

/** Staged bytes, read one block at a time: memory stays small however long the window is. */
function stagedBytes(staged: PendingBlocks): (header: BlockHeader) => Uint8Array {
  return ({ hash, height }) => {
    const bytes = staged.bytes(hash);
    if (bytes === undefined) throw new RangeError(`block ${height} was staged but is not there`);
    return bytes;
  };
}

/** Blocks and roots were proven by their hashes: only the trusted chain itself can contradict itself here. */
function requireSameHistory(cursor: HistoryCursor, header: BlockHeader): void {
  const isSame =
    cursor.length === header.historyLength &&
    cursor.segmentCount === header.segmentCount &&
    sameBytes(cursor.segmentsRoot, header.segmentsRoot);
  if (!isSame) throw new FastSyncError('inconsistent', `the history before block ${header.height} is not its header's`);
}
