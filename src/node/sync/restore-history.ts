/**
 * Restores history alone, from replicators if need be: from genesis, and one trusted block hash where there is one, to a data directory that holds every block of the
 * completed segments before that block. A node that opens it executes them all once more, from genesis, and joins the network from there.
 *
 * For when no node is left that could serve a state. Needs no validator and no archive: a replicator answers for header, roots and segments.
 *
 * Invariants: as fast sync. Nothing is believed but what hangs on the trusted hash; everything lands in a quarantine beside the data directory, renamed
 * into place at the end; what was taken stays for the next attempt.
 */
import { dirname } from 'node:path';
import { type Hash, sameBytes } from '../../../native/index.ts';
import { type Disk, HistoryStore, LiarList } from '../../../storage/index.ts';
import { type BlockHeader, decodeHeader } from '../../codec/index.ts';
import { chainIdOf, genesisHeader } from '../../ledger/index.ts';
import type { Timers } from '../../net/timers.ts';
import { PeerFault, type Transport, TransportError } from '../../net/transport.ts';
import { genesisRoot } from '../chain/open-root.ts';
import { HandOverStore } from '../hand-overs/hand-over-store.ts';
import { encodeMessage, PROTOCOL } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import { SegmentSource } from '../replicator/segment-source.ts';
import { type ChosenTrust, chooseTrust } from './choose-trust.ts';
import { FastSyncError } from './fast-sync-error.ts';
import { blocksOf, chained, HistoryBuilder } from './history-stream.ts';
import { PeerPool, type PeerVerdict, type SyncPeer } from './peer-pool.ts';
import type { ProgressMeter } from './progress-meter.ts';
import { downloadSegments } from './segment-download.ts';
import { SegmentShelf } from './segment-shelf.ts';
import { type FastSyncOptions, onVacantGround, type SyncGround } from './sync-ground.ts';
import type { TrustedPoint } from './trusted-blocks.ts';

const HEADER_SIZE_BYTES_MAX = 4_096;

export interface RestoreResult {
  /** The last block restored. */
  readonly height: number;
  readonly hash: Hash;
  readonly segments: number;
  /** Changes of who judges between genesis and the trusted block, as far as peers have shown them. */
  readonly handOvers: number;
  /** Bytes taken from peers and kept, in this attempt. */
  readonly bytes: number;
  readonly ms: number;
  readonly verdicts: readonly PeerVerdict[];
}

/** Restores. Throws `FastSyncError`, or what the own disk throws. */
export function restoreHistory(options: FastSyncOptions): Promise<RestoreResult> {
  return onVacantGround(options, (ground) => new Restore(ground).run());
}

class Restore {
  readonly #options: FastSyncOptions;
  readonly #transport: Transport;
  readonly #disk: Disk;
  readonly #timers: Timers;
  readonly #meter: ProgressMeter;
  readonly #directory: string;

  constructor({ options, transport, disk, timers, meter }: SyncGround) {
    this.#options = options;
    this.#transport = transport;
    this.#disk = disk;
    this.#timers = timers;
    this.#meter = meter;
    this.#directory = `${options.dataDirectory}.restore`;
  }

  async run(): Promise<RestoreResult> {
    const result = await this.#locked();
    await this.#adopt();
    return result;
  }

  async #locked(): Promise<RestoreResult> {
    const startedMs = performance.now();
    await this.#disk.files.makeDirectory(this.#directory);
    const lock = await this.#disk.files.lock(`${this.#directory}/lock`);
    try {
      const { kernels, genesis } = this.#options;
      const pool = await this.#connect();
      const { point, handOvers } = await this.#chooseTrust(pool);
      const source = new SegmentSource({ kernels, transport: this.#transport, shape: genesis.history });
      await this.#fetchRoots(pool, source, point);
      const shelf = await this.#fetchSegments(pool, source);
      const last = await this.#build(shelf, source.roots.length);
      await shelf.remove();
      await this.#disk.files.remove(`${this.#directory}/liars`);
      const ms = performance.now() - startedMs;
      const { bytes } = this.#meter;
      return { ...last, segments: source.roots.length, handOvers, bytes, ms, verdicts: pool.verdicts };
    } finally {
      await lock.release();
    }
  }

  async #connect(): Promise<PeerPool> {
    const { from, log } = this.#options;
    const liars = await LiarList.open(this.#disk.files, `${this.#directory}/liars`);
    const pool = new PeerPool({ transport: this.#transport, timers: this.#timers, liars, log });
    this.#meter.pool = pool;
    const dials = await Promise.allSettled(from.map((address) => this.#transport.dial(address)));
    for (const [index, dial] of dials.entries())
      if (dial.status === 'fulfilled') pool.add(dial.value, from[index]!);
      else log.warn({ address: from[index], error: String(dial.reason) }, 'dial failed');
    if (pool.used.length === 0)
      throw new FastSyncError('no-peer', `none of ${from.length} peers could be reached. ${pool.summary}`);
    return pool;
  }

  /** Hand-overs come first: into the folder that will be the live one. */
  async #chooseTrust(pool: PeerPool): Promise<ChosenTrust> {
    const { kernels, genesis, trust } = this.#options;
    const store = await HandOverStore.open(`${this.#directory}/hand-overs`, kernels, this.#disk);
    try {
      return await chooseTrust({ kernels, genesis, transport: this.#transport, store }, pool, trust);
    } finally {
      await store.close();
    }
  }

  /** The trusted header, and the roots of all segments that it says are complete. */
  async #fetchRoots(pool: PeerPool, source: SegmentSource, trust: TrustedPoint): Promise<void> {
    const header = await pool.first((peer) => this.#fetchHeader(peer, trust));
    if (header === undefined) throw this.#nobody(pool);
    if (header.segmentCount === 0)
      throw new FastSyncError('incomplete', `no segment is complete before block ${header.height}: trust a later one`);
    const came = await pool.first(async ({ name }) => {
      await source.updateRoots(name, header);
      return true;
    });
    if (came === undefined) throw this.#nobody(pool);
  }

  async #fetchHeader({ name }: SyncPeer, trust: TrustedPoint): Promise<BlockHeader> {
    const { kernels, genesis } = this.#options;
    const request = encodeMessage({ from: trust.height, countMax: 1 });
    const question = { protocol: PROTOCOL.headers, request, framesMax: 1, sizeBytesMax: HEADER_SIZE_BYTES_MAX };
    for await (const frame of ask(this.#transport, name, question)) {
      const header = decoded(name, () => decodeHeader(kernels, Uint8Array.from(frame)));
      // Which of the two is wrong, the peer or the trusted hash, is not known: nobody is banned for it.
      if (!sameBytes(header.hash, trust.hash) || !sameBytes(header.chainId, chainIdOf(kernels, genesis)))
        throw new TransportError('refused', `the peer has another block of height ${trust.height}`);
      return header;
    }
    throw new TransportError('refused', `the peer has no header of height ${trust.height}`);
  }

  async #fetchSegments(pool: PeerPool, source: SegmentSource): Promise<SegmentShelf> {
    const { kernels, genesis } = this.#options;
    const directory = `${this.#directory}/segments`;
    const shelf = await SegmentShelf.open({ kernels, files: this.#disk.files, directory, shape: genesis.history });
    const onProgress = (done: number, total: number, bytes: number): void => this.#meter.segments(done, total, bytes);
    await downloadSegments({ pool, timers: this.#timers, source, shelf, roots: source.roots, onProgress });
    return shelf;
  }

  /** Puts every whole block of the segments into a history. */
  async #build(shelf: SegmentShelf, count: number): Promise<{ readonly height: number; readonly hash: Hash }> {
    const { kernels, genesis } = this.#options;
    const directory = `${this.#directory}/history`;
    await this.#disk.files.remove(directory);
    const history = await HistoryStore.open({ ...genesis.history, directory, kernels, ...this.#disk });
    try {
      const builder = new HistoryBuilder(
        kernels,
        history,
        genesisHeader(kernels, genesis, genesisRoot(genesis, kernels)),
      );
      for await (const bytes of blocksOf(chained(count, (index) => shelf.read(index)))) await builder.append(bytes);
      const tip = history.tip;
      if (tip === undefined) throw new FastSyncError('inconsistent', 'the first segments hold no whole block');
      return { height: tip.height, hash: tip.hash };
    } finally {
      await history.close();
    }
  }

  /** Renames the quarantine, in which only the history is left, into place. */
  async #adopt(): Promise<void> {
    const { dataDirectory } = this.#options;
    await this.#disk.files.syncDirectory(this.#directory);
    await this.#disk.files.rename(this.#directory, dataDirectory);
    await this.#disk.files.syncDirectory(dirname(dataDirectory));
  }

  #nobody(pool: PeerPool): FastSyncError {
    return new FastSyncError('no-honest-peer', `no peer led to the trusted block: ${pool.summary}`);
  }
}

function decoded<T>(peer: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new PeerFault(peer, 'malformed-header', (error as Error).message);
  }
}
