/**
 * Fast sync: from genesis and peers that may lie, and one trusted (height, block hash) where there is one, to a data directory that a node can go on from.
 *
 * Invariants
 * - Everything lands in a quarantine folder beside the data directory and is renamed into place only when the state's root is that of the
 *   trusted header and every block hangs on its hash. The live directory never holds an unverified byte, the quarantine keeps none.
 * - Peers are asked side by side; what one sent that is false is held against that one, which is banned and remembered.
 * - What was taken stays: an attempt that ends early, for whatever reason, is gone on with by the next.
 * - Disk is bounded by `sizeBytesMax` and the window of blocks, memory by the maxima of state-stage.ts and state-download.ts.
 */
import { randomBytes } from 'node:crypto';
import { type Hash, type Kernels, sameBytes, height as toHeight } from '../../../native/index.ts';
import {
  type CheckedManifest,
  diskFiles,
  type Files,
  HistoryCursor,
  type HistoryStart,
  PendingBlocks,
  StorageError,
  SyncFault,
  SyncStage,
} from '../../../storage/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { chainIdOf, type Genesis, genesisHeader } from '../../ledger/index.ts';
import { createLibp2pTransport } from '../../net/libp2p-transport.ts';
import { realTimers, type Timers } from '../../net/timers.ts';
import type { PeerName, Transport } from '../../net/transport.ts';
import { genesisRoot } from '../chain/open-root.ts';
import { VOTE_FILE_NAMES } from '../chain/vote-files.ts';
import { HandOverStore } from '../hand-overs/hand-over-store.ts';
import type { Logger } from '../log.ts';
import { SegmentSource } from '../replicator/segment-source.ts';
import { chooseManifest, nobody } from './choose-manifest.ts';
import { type ChosenTrust, chooseTrust } from './choose-trust.ts';
import { FastSyncError } from './fast-sync-error.ts';
import type { StateQuestions } from './fetch-state.ts';
import { blocksOf, chained, HistoryBuilder } from './history-stream.ts';
import { PeerPool, type PeerVerdict, type SyncPeer } from './peer-pool.ts';
import { peerRole } from './peer-role.ts';
import { type FastSyncProgress, ProgressMeter } from './progress-meter.ts';
import { downloadSegments } from './segment-download.ts';
import { SegmentShelf } from './segment-shelf.ts';
import { downloadState } from './state-download.ts';
import { fetchTrustedBlocks, historyStart, type TrustedBlocks, type TrustedPoint } from './trusted-blocks.ts';

const SIZE_BYTES_MAX: number = 256 * 1024 * 1024 * 1024;
/** Where the op log of a node is cut unless its options say otherwise. */
const SEGMENT_SIZE_BYTES: number = 64 * 1024 * 1024;

export interface FastSyncOptions {
  readonly genesis: Genesis;
  readonly kernels: Kernels;
  /** Peers' addresses. */
  readonly from: readonly string[];
  /** A final block that is trusted; without it, what genesis' validators and those they have handed over to show to be final (choose-trust.ts). */
  readonly trust?: TrustedPoint;
  /** The live directory to make: must be absent or empty. */
  readonly dataDirectory: string;
  readonly log: Logger;
  /** A transport not yet started, to be stopped here; one of libp2p's unless given. */
  readonly transport?: Transport;
  /** The transport's clock. */
  readonly timers?: Timers;
  /** Most bytes of op log taken. */
  readonly sizeBytesMax?: number;
  /** Where op log segments are cut, bytes: as every node of the chain does. */
  readonly stateSegmentSizeBytes?: number;
  /** Most bytes of waiting pieces in memory. */
  readonly heldSizeBytesMax?: number;
  /** Ops asked for at a time: `PIECE_OPS` unless given, which is also the most. */
  readonly pieceOps?: number;
  /** How much history to take: what a node needs (`recent`, unless given), or every block from the first one on. */
  readonly history?: 'recent' | 'full';
  /** Told of each step forward. */
  readonly onProgress?: (progress: FastSyncProgress) => void;
}

export interface FastSyncResult {
  readonly height: number;
  readonly hash: Hash;
  readonly stateRoot: Hash;
  /** Changes of who judges between genesis and that block, as far as peers have shown them. */
  readonly handOvers: number;
  /** Bytes taken from peers and kept, in this attempt. */
  readonly bytes: number;
  readonly ms: number;
  /** Peers that fell out, and why. */
  readonly verdicts: readonly PeerVerdict[];
}

/** Syncs. Throws `FastSyncError`, or what the own disk throws. */
export async function fastSync(options: FastSyncOptions): Promise<FastSyncResult> {
  const startedMs = performance.now();
  const files = diskFiles();
  await requireVacant(files, options.dataDirectory);
  const transport = options.transport ?? (await newTransport(options));
  await transport.start();
  try {
    return await new Sync(options, transport, files).run(startedMs);
  } finally {
    await transport.stop();
  }
}

/** A transport for one sync, under a name of its own. */
export function newTransport({ log }: FastSyncOptions): Promise<Transport> {
  return createLibp2pTransport({ networkKeySeed: new Uint8Array(randomBytes(32)), listen: [], log });
}

/** Throws `FastSyncError` 'not-empty'. */
export async function requireVacant(files: Files, directory: string): Promise<void> {
  if (!(await files.exists(directory))) return;
  const names = await files.list(directory);
  if (names.length === 0) return;
  // They are a key's memory of what it has signed: never overwritten, never moved by anything but their owner.
  const isFresh = names.every((name) => VOTE_FILE_NAMES.includes(name));
  const what = isFresh
    ? `${directory} holds a validator's vote files (${names.join(', ')}): move them away, sync, and move them back before the validator starts`
    : `${directory} holds something: give a directory that is absent or empty`;
  throw new FastSyncError('not-empty', what);
}

class Sync {
  readonly #options: FastSyncOptions;
  readonly #transport: Transport;
  readonly #files: Files;
  readonly #timers: Timers;
  readonly #chainId: Hash;
  readonly #meter: ProgressMeter;
  /** Peers that keep segments only. */
  #replicators: readonly { readonly name: PeerName; readonly address: string }[] = [];

  constructor(options: FastSyncOptions, transport: Transport, files: Files) {
    this.#options = options;
    this.#transport = transport;
    this.#files = files;
    this.#timers = options.timers ?? realTimers;
    this.#chainId = chainIdOf(options.kernels, options.genesis);
    this.#meter = new ProgressMeter(this.#timers, options.onProgress);
  }

  async run(startedMs: number): Promise<FastSyncResult> {
    const { dataDirectory } = this.#options;
    const stage = await this.#openStage();
    try {
      const pool = await this.#connect(stage);
      const { point, handOvers } = await this.#chooseTrust(pool);
      const blockStage = await PendingBlocks.open({ directory: `${dataDirectory}.sync-blocks` });
      let header: BlockHeader;
      try {
        header = await this.#fetchAll(pool, stage, blockStage, point);
      } finally {
        await this.#closeBlocks(blockStage, point);
      }
      await stage.adopt(dataDirectory);
      await this.#files.remove(`${dataDirectory}.sync-blocks`);
      const { height, hash, stateRoot } = header;
      const ms = performance.now() - startedMs;
      return { height, hash, stateRoot, handOvers, bytes: this.#meter.bytes, ms, verdicts: pool.verdicts };
    } finally {
      await stage.close();
    }
  }

  /** Hand-overs come first: into the folder that will be the live one. */
  async #chooseTrust(pool: PeerPool): Promise<ChosenTrust> {
    const { kernels, genesis, dataDirectory, trust } = this.#options;
    const store = new HandOverStore(`${dataDirectory}.sync/hand-overs`, kernels);
    let chosen: ChosenTrust | undefined;
    try {
      chosen = await chooseTrust({ kernels, genesis, transport: this.#transport, store }, pool, trust);
      return chosen;
    } finally {
      await store.close();
      if (chosen === undefined) await this.#files.remove(`${dataDirectory}.sync/hand-overs`);
    }
  }

  /** What was taken stays for the next attempt; without the trusted block, which comes before all but hand-overs, nothing does. */
  async #closeBlocks(blockStage: PendingBlocks, trust: TrustedPoint): Promise<void> {
    const isEmpty = blockStage.bytes(trust.hash) === undefined;
    await blockStage.close();
    if (!isEmpty) return;
    const { dataDirectory } = this.#options;
    for (const gone of [`${dataDirectory}.sync-blocks`, `${dataDirectory}.sync/hand-overs`])
      await this.#files.remove(gone);
  }

  #openStage(): Promise<SyncStage> {
    const { kernels, dataDirectory, sizeBytesMax, stateSegmentSizeBytes, heldSizeBytesMax, pieceOps } = this.#options;
    return SyncStage.open({
      directory: `${dataDirectory}.sync`,
      kernels,
      files: this.#files,
      chainId: this.#chainId,
      sizeBytesMax: sizeBytesMax ?? SIZE_BYTES_MAX,
      segmentSizeBytes: stateSegmentSizeBytes ?? SEGMENT_SIZE_BYTES,
      ...(heldSizeBytesMax === undefined ? {} : { heldSizeBytesMax }),
      ...(pieceOps === undefined ? {} : { pieceOps }),
    });
  }

  async #connect(stage: SyncStage): Promise<PeerPool> {
    const { from, log } = this.#options;
    const pool = new PeerPool({ transport: this.#transport, timers: this.#timers, liars: stage.liars, log });
    this.#meter.pool = pool;
    const dials = await Promise.allSettled(from.map((address) => this.#transport.dial(address)));
    const reached = dials.flatMap((dial, index) => {
      if (dial.status === 'fulfilled') return [{ name: dial.value, address: from[index]! }];
      log.warn({ address: from[index], error: String(dial.reason) }, 'dial failed');
      return [];
    });
    const roles = await Promise.all(reached.map(({ name }) => peerRole(this.#transport, name, this.#chainId)));
    this.#replicators = reached.filter((_, index) => roles[index] === 'replicator');
    for (const { name, address } of reached.filter((_, index) => roles[index] !== 'replicator'))
      pool.add(name, address);
    if (pool.used.length > 0) return pool;
    if (pool.bannedCount > 0) throw nobody(pool);
    if (reached.length > 0)
      throw new FastSyncError(
        'no-peer',
        `${reached.length} of ${from.length} peers could be reached, all of them replicators, which keep no state: name a validator or an archive, ` +
          'or restore history alone with --history only',
      );
    throw new FastSyncError('no-peer', `none of ${from.length} peers could be reached`);
  }

  async #fetchAll(
    pool: PeerPool,
    stage: SyncStage,
    blockStage: PendingBlocks,
    trust: TrustedPoint,
  ): Promise<BlockHeader> {
    const { kernels, genesis } = this.#options;
    const blocks = await fetchTrustedBlocks({
      kernels,
      transport: this.#transport,
      timers: this.#timers,
      pool,
      trust,
      chainId: this.#chainId,
      recencyWindowSlots: genesis.transactions.recencyWindowSlots,
      segmentSizeBytes: genesis.history.segmentSizeBytes,
      stage: blockStage,
      onBytes: (bytes) => this.#meter.blocks(bytes),
    });
    if (blocks === undefined) throw nobody(pool);
    const header = blocks.headers.at(-1)!;
    await this.#fetchState(pool, stage, header);
    await this.#buildHistory(pool, stage, blocks, blockStage);
    return header;
  }

  /** Brings the state to the header's, from whoever has it; begins anew where a manifest turns out to be a lie. */
  async #fetchState(pool: PeerPool, stage: SyncStage, header: BlockHeader): Promise<void> {
    const target = { height: header.height, root: header.stateRoot };
    const segmentSizeBytes = this.#options.stateSegmentSizeBytes ?? SEGMENT_SIZE_BYTES;
    const check = { kernels: this.#options.kernels, chainId: this.#chainId, target, segmentSizeBytes };
    const questions = { transport: this.#transport, timers: this.#timers, check };
    for (;;) {
      const { checked, givers } = await chooseManifest(pool, questions);
      try {
        await this.#downloadFrom(pool, stage, questions, checked);
        break;
      } catch (error) {
        await this.#anewAfter(error, pool, stage, givers);
      }
    }
    try {
      await stage.settleState(target);
    } catch (error) {
      // Every op was proven: what does not add up is in the trusted header itself.
      if (!(error instanceof StorageError) || error.code !== 'wrong-root') throw error;
      await stage.discardState();
      throw new FastSyncError('inconsistent', `the trusted block's state does not hold together: ${error.message}`);
    }
  }

  async #downloadFrom(
    pool: PeerPool,
    stage: SyncStage,
    questions: StateQuestions,
    checked: CheckedManifest,
  ): Promise<void> {
    const state = await stage.openState(checked);
    const { firstOp, opCount } = checked.manifest;
    const report = (bytes: number): void => this.#meter.state(state.lowestMissing - firstOp, opCount - firstOp, bytes);
    report(0);
    await downloadState({ ...questions, pool, stage: state, onPiece: ({ frame }) => report(frame.length) });
    if (!state.isWhole)
      throw new FastSyncError(
        pool.verdicts.every(({ verdict }) => verdict === 'banned') ? 'no-honest-peer' : 'incomplete',
        `${state.lowestMissing - firstOp} of ${opCount - firstOp} ops are there and stay in ${this.#options.dataDirectory}.sync; ` +
          `run the command again to go on. ${pool.summary}`,
      );
    await state.finish();
  }

  /** Clears the way for another try; throws what another try cannot mend. */
  async #anewAfter(error: unknown, pool: PeerPool, stage: SyncStage, givers: readonly SyncPeer[]): Promise<void> {
    if (error instanceof SyncFault) for (const peer of givers) await pool.ban(peer, error.code, error.message);
    else if (error instanceof StorageError && error.code === 'too-large')
      throw new FastSyncError('too-large', error.message);
    else if (error instanceof StorageError && error.code === 'wrong-place')
      throw new FastSyncError('inconsistent', `the trusted block's op log does not hold together: ${error.message}`);
    else if (!(error instanceof StorageError) || error.code !== 'wrong-root') throw error;
    this.#options.log.warn({ error: (error as Error).message }, 'what was staged leads elsewhere: thrown away');
    await stage.discardState();
  }

  /** Puts the trusted blocks into the staged history; each header's account of the history before it must hold. */
  async #buildHistory(pool: PeerPool, stage: SyncStage, blocks: TrustedBlocks, staged: PendingBlocks): Promise<void> {
    const { kernels, genesis } = this.#options;
    const segments = new SegmentSource({ kernels, transport: this.#transport, shape: genesis.history });
    const first = blocks.headers[blocks.first]!;
    const came = await pool.first(async ({ name }) => {
      await segments.updateRoots(name, first);
      return true;
    });
    if (came === undefined) throw nobody(pool);
    const bytes = stagedBytes(staged);
    const { segmentSizeBytes } = genesis.history;
    const start = historyStart(blocks, bytes, Buffer.concat(segments.roots), segmentSizeBytes);
    const cursor = HistoryCursor.rebuild(kernels, genesis.history, start.segmentRoots, start.unfinished);
    requireSameHistory(cursor, first);
    const whole = start.segmentRoots.length / 32;
    const isFull = this.#options.history === 'full';
    const shelf = isFull ? await this.#fetchSegments(pool, stage, segments, whole) : undefined;
    const history = await stage.openHistory(genesis.history, isFull ? BEGINNING : start);
    const builder = new HistoryBuilder(kernels, history, isFull ? this.#genesisHeader() : blockBefore(first));
    if (shelf !== undefined)
      for await (const block of blocksOf(chained(whole, (index) => shelf.read(index)))) await builder.append(block);
    for (const header of blocks.headers.filter(({ height }) => height >= builder.next)) {
      requireSameHistory(history.cursor, header);
      await builder.append(bytes(header));
    }
    await shelf?.remove();
  }

  /** Every whole segment before the staged blocks, from whoever keeps some: those that only keep segments too. */
  async #fetchSegments(pool: PeerPool, stage: SyncStage, source: SegmentSource, count: number): Promise<SegmentShelf> {
    const { kernels, dataDirectory, genesis, log } = this.#options;
    const segmentPool = new PeerPool({ transport: this.#transport, timers: this.#timers, liars: stage.liars, log });
    for (const { name, address } of [...pool.used, ...this.#replicators]) segmentPool.add(name, address);
    this.#meter.pool = segmentPool;
    const directory = `${dataDirectory}.sync-segments`;
    const shelf = await SegmentShelf.open({ kernels, files: this.#files, directory, shape: genesis.history });
    const onProgress = (done: number, total: number, bytes: number): void => this.#meter.segments(done, total, bytes);
    const roots = source.roots.slice(0, count);
    await downloadSegments({ pool: segmentPool, timers: this.#timers, source, shelf, roots, onProgress });
    pool.verdicts.push(...segmentPool.verdicts);
    return shelf;
  }

  #genesisHeader(): BlockHeader {
    const { kernels, genesis } = this.#options;
    return genesisHeader(kernels, genesis, genesisRoot(genesis, kernels));
  }
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
