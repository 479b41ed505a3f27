/**
 * Fast sync: from genesis, one trusted (height, block hash) and peers that may lie, to a data directory that a node can go on from.
 *
 * Invariants
 * - Everything lands in a quarantine folder beside the data directory and is renamed into place only when the op log's root is that of the trusted
 *   header and every block hangs on its hash. The live directory never holds an unverified byte.
 * - A peer that sends what does not hold is dropped, and the next one is asked. What an earlier attempt staged is kept as long as it may lead to the target;
 *   when it turns out not to, it is thrown away and the same peer is asked once more: it need not have been the liar.
 * - Disk is bounded by `sizeBytesMax` and the window of blocks, memory by frames and headers.
 */
import { randomBytes } from 'node:crypto';
import { type Hash, type Kernels, sameBytes } from '../../../native/index.ts';
import {
  BatchError,
  diskFiles,
  HistoryCursor,
  type HistoryStore,
  PendingBlocks,
  StorageError,
  SyncStage,
} from '../../../storage/index.ts';
import { type BlockHeader, decodeBlock } from '../../codec/index.ts';
import { chainIdOf, type Genesis } from '../../ledger/index.ts';
import { createLibp2pTransport } from '../../net/libp2p-transport.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import { genesisRoot } from '../chain/open-root.ts';
import type { Logger } from '../log.ts';
import { encodeMessage, FETCH_BATCHES_MAX, FETCH_SIZE_BYTES_MAX, PROTOCOL } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import { SegmentSource } from '../replicator/segment-source.ts';
import { fetchTrustedBlocks, historyStart, type TrustedBlocks, type TrustedPoint } from './trusted-blocks.ts';

/** Batches being written at once: they share syncs. */
const BATCHES_IN_FLIGHT_MAX = 256;
const SIZE_BYTES_MAX: number = 256 * 1024 * 1024 * 1024;

export type FastSyncErrorCode = 'not-empty' | 'no-peer' | 'no-honest-peer';

/** A sync that did not reach its target. */
export class FastSyncError extends Error {
  override readonly name = 'FastSyncError';
  readonly code: FastSyncErrorCode;
  constructor(code: FastSyncErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface FastSyncOptions {
  readonly genesis: Genesis;
  readonly kernels: Kernels;
  /** Peers' addresses; each is tried in turn. */
  readonly from: readonly string[];
  readonly trust: TrustedPoint;
  /** The live directory to make: must be absent or empty. */
  readonly dataDirectory: string;
  readonly log: Logger;
  /** A transport not yet started, to be stopped here; one of libp2p's unless given. */
  readonly transport?: Transport;
  /** Most bytes of op log taken. */
  readonly sizeBytesMax?: number;
  /** Told after each piece: what is fetched, how many of how many. */
  readonly onProgress?: (progress: FastSyncProgress) => void;
}

export interface FastSyncProgress {
  readonly stage: 'blocks' | 'state';
  /** Blocks or batches so far, and how many there will be; for blocks the total is not known before the end. */
  readonly done: number;
  readonly total: number | null;
  readonly bytes: number;
}

export interface FastSyncResult {
  readonly height: number;
  readonly hash: Hash;
  readonly stateRoot: Hash;
  readonly bytes: number;
  readonly ms: number;
}

/** Syncs. Throws `FastSyncError`, or what the own disk throws. */
export async function fastSync(options: FastSyncOptions): Promise<FastSyncResult> {
  const startedMs = performance.now();
  await requireVacant(options);
  const transport = options.transport ?? (await newTransport(options));
  await transport.start();
  try {
    const sync = new Sync(options, transport);
    const header = await sync.run(await connect(options, transport));
    const { height, hash, stateRoot } = header;
    return { height, hash, stateRoot, bytes: sync.bytes, ms: performance.now() - startedMs };
  } finally {
    await transport.stop();
  }
}

function newTransport({ log }: FastSyncOptions): Promise<Transport> {
  return createLibp2pTransport({ networkKeySeed: new Uint8Array(randomBytes(32)), listen: [], log });
}

async function requireVacant({ dataDirectory, kernels }: FastSyncOptions): Promise<void> {
  const files = diskFiles(kernels);
  if (!(await files.exists(dataDirectory))) return;
  if ((await files.list(dataDirectory)).length > 0)
    throw new FastSyncError('not-empty', `${dataDirectory} holds something: give a directory that is absent or empty`);
}

async function connect({ from, log }: FastSyncOptions, transport: Transport): Promise<PeerName[]> {
  const dials = await Promise.allSettled(from.map((address) => transport.dial(address)));
  const peers = dials.flatMap((dial) => (dial.status === 'fulfilled' ? [dial.value] : []));
  for (const dial of dials) if (dial.status === 'rejected') log.warn({ error: String(dial.reason) }, 'dial failed');
  if (peers.length === 0) throw new FastSyncError('no-peer', `none of ${from.length} peers could be reached`);
  return peers;
}

class Sync {
  readonly #options: FastSyncOptions;
  readonly #transport: Transport;
  readonly #chainId: Hash;
  bytes = 0;
  /** What the present attempt began with came from an earlier one. */
  #stageIsInherited = false;

  constructor(options: FastSyncOptions, transport: Transport) {
    this.#options = options;
    this.#transport = transport;
    this.#chainId = chainIdOf(options.kernels, options.genesis);
  }

  /** Tries the peers in turn until one of them leads to the target. */
  async run(peers: readonly PeerName[]): Promise<BlockHeader> {
    const faults: string[] = [];
    for (const peer of peers) {
      try {
        return await this.#fromOrAnew(peer);
      } catch (error) {
        if (!isPeersFault(error)) throw error;
        faults.push(`${peer}: ${error.message}`);
        this.#options.log.warn({ peer, error: error.message }, 'peer dropped');
        this.#transport.ban(peer, error.message);
      }
    }
    throw new FastSyncError('no-honest-peer', `no peer led to the trusted block: ${faults.join('; ')}`);
  }

  /** Goes on from what is staged; when that leads nowhere, begins anew with the same peer. */
  async #fromOrAnew(peer: PeerName): Promise<BlockHeader> {
    try {
      return await this.#from(peer);
    } catch (error) {
      if (!isWrongStage(error)) throw error;
      await this.#discardStage();
      if (!this.#stageIsInherited) throw error;
      this.#options.log.warn({ peer, error: (error as Error).message }, 'what was staged leads elsewhere: thrown away');
    }
    try {
      return await this.#from(peer);
    } catch (error) {
      if (isWrongStage(error)) await this.#discardStage();
      throw error;
    }
  }

  async #from(peer: PeerName): Promise<BlockHeader> {
    this.#stageIsInherited = false;
    const { kernels, genesis, trust, dataDirectory } = this.#options;
    const blockStage = await PendingBlocks.open({ directory: `${dataDirectory}.sync-blocks`, kernels });
    try {
      const blocks = await fetchTrustedBlocks({
        kernels,
        transport: this.#transport,
        peer,
        trust,
        chainId: this.#chainId,
        recencyWindowSlots: genesis.transactions.recencyWindowSlots,
        segmentSizeBytes: genesis.history.segmentSizeBytes,
        stage: blockStage,
        onBytes: (bytes) => this.#count('blocks', bytes, null),
      });
      const header = blocks.headers.at(-1)!;
      const stage = await this.#openStage(header);
      this.#stageIsInherited = stage.nextHeight > 0;
      try {
        await this.#fetchState(peer, stage, blocks);
        await this.#buildHistory(peer, stage, blocks, blockStage);
        await stage.adopt(dataDirectory);
      } finally {
        await stage.close();
      }
      return header;
    } finally {
      await blockStage.close();
      await this.#removeBlockStage();
    }
  }

  async #openStage(header: BlockHeader): Promise<SyncStage> {
    const { kernels, dataDirectory, sizeBytesMax } = this.#options;
    const options = {
      directory: `${dataDirectory}.sync`,
      kernels,
      chainId: this.#chainId,
      target: { height: header.height, root: header.stateRoot },
      sizeBytesMax: sizeBytesMax ?? SIZE_BYTES_MAX,
    };
    try {
      return await SyncStage.open(options);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'wrong-root') throw error;
      // What an earlier sync left leads to another target.
      await SyncStage.discard(options.directory, diskFiles(kernels));
      return SyncStage.open(options);
    }
  }

  /** Batches up to the target; roots of those heights whose headers are known are compared at once. */
  async #fetchState(peer: PeerName, stage: SyncStage, { headers }: TrustedBlocks): Promise<void> {
    const { genesis, kernels } = this.#options;
    const roots = new Map<number, Hash>(headers.map(({ height, stateRoot }) => [height, stateRoot]));
    roots.set(0, genesisRoot(genesis, kernels));
    while (!stage.isComplete) {
      const before = stage.nextHeight;
      const writing: Promise<void>[] = [];
      const request = { from: before, countMax: Math.min(FETCH_BATCHES_MAX, stage.target.height + 1 - before) };
      const question = {
        protocol: PROTOCOL.batches,
        request: encodeMessage(request),
        framesMax: request.countMax,
        sizeBytesMax: 4 * FETCH_SIZE_BYTES_MAX,
      };
      for await (const batch of ask(this.#transport, peer, question)) {
        const kept = receive(peer, stage, batch, roots);
        kept.catch(() => {});
        writing.push(kept);
        this.#count('state', batch.length, stage.target.height + 1, stage.nextHeight);
        if (writing.length >= BATCHES_IN_FLIGHT_MAX) await Promise.all(writing.splice(0));
      }
      await Promise.all(writing);
      if (stage.nextHeight === before)
        throw new PeerFault(peer, 'missing-batches', `the peer has no batch of height ${before}`);
    }
  }

  /** Puts the trusted blocks into the staged history; each header's account of the history before it must hold. */
  async #buildHistory(peer: PeerName, stage: SyncStage, blocks: TrustedBlocks, staged: PendingBlocks): Promise<void> {
    const { kernels, genesis, dataDirectory } = this.#options;
    const segments = new SegmentSource({ kernels, transport: this.#transport, shape: genesis.history });
    const first = blocks.headers[blocks.first]!;
    await segments.updateRoots(peer, first);
    const bytes = stagedBytes(staged);
    const start = historyStart(blocks, bytes, Buffer.concat(segments.roots), genesis.history.segmentSizeBytes);
    const cursor = HistoryCursor.rebuild(kernels, genesis.history, start.segmentRoots, start.unfinished);
    requireSameHistory(peer, cursor, first);
    // Built anew each time: all of it is here already, and what an earlier attempt left may begin elsewhere.
    await diskFiles(kernels).remove(`${dataDirectory}.sync/history`);
    const history = await stage.openHistory(genesis.history, start);
    for (const header of blocks.headers.slice(blocks.first)) await this.#append(peer, history, header, bytes(header));
  }

  async #append(peer: PeerName, history: HistoryStore, header: BlockHeader, bytes: Uint8Array): Promise<void> {
    requireSameHistory(peer, history.cursor, header);
    const { height, slot, hash } = header;
    const { entries } = decodeBlock(this.#options.kernels, bytes);
    const transactions = entries.flatMap((item, entry) =>
      item.kind === 'transactions' ? item.transactions.map(({ id }, index) => ({ id, entry, index })) : [],
    );
    await history.append({ height, slot, hash, bytes, transactions });
  }

  #count(stage: 'blocks' | 'state', bytes: number, total: number | null, done = 0): void {
    this.bytes += bytes;
    this.#options.onProgress?.({ stage, done, total, bytes: this.bytes });
  }

  async #removeBlockStage(): Promise<void> {
    await diskFiles(this.#options.kernels).remove(`${this.#options.dataDirectory}.sync-blocks`);
  }

  async #discardStage(): Promise<void> {
    await SyncStage.discard(`${this.#options.dataDirectory}.sync`, diskFiles(this.#options.kernels));
  }
}

/** A log that leads elsewhere is worth nothing: any of its batches may be a liar's, this one's or an earlier one's. */
function isWrongStage(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'wrong-root';
}

/** Keeps a batch. Throws `PeerFault` when it is this very batch that is wrong, `StorageError` 'wrong-root' when it may be any so far. */
async function receive(
  peer: PeerName,
  stage: SyncStage,
  batch: Uint8Array,
  roots: ReadonlyMap<number, Hash>,
): Promise<void> {
  const at = stage.nextHeight;
  try {
    await stage.receiveBatch(batch, roots.get(at));
  } catch (error) {
    if (error instanceof BatchError) throw new PeerFault(peer, 'malformed-batch', error.message);
    if (!(error instanceof StorageError)) throw error;
    const isIts =
      ['wrong-height', 'too-large'].includes(error.code) || (error.code === 'wrong-root' && roots.has(at - 1));
    throw isIts ? new PeerFault(peer, error.code, error.message) : error;
  }
}

/** Staged bytes, read one block at a time: memory stays small however long the window is. */
function stagedBytes(staged: PendingBlocks): (header: BlockHeader) => Uint8Array {
  return ({ hash, height }) => {
    const bytes = staged.bytes(hash);
    if (bytes === undefined) throw new RangeError(`block ${height} was staged but is not there`);
    return bytes;
  };
}

function requireSameHistory(peer: PeerName, cursor: HistoryCursor, header: BlockHeader): void {
  const isSame =
    cursor.length === header.historyLength &&
    cursor.segmentCount === header.segmentCount &&
    sameBytes(cursor.segmentsRoot, header.segmentsRoot);
  if (!isSame)
    throw new PeerFault(peer, 'wrong-history', `the history before block ${header.height} is not its header's`);
}

/** What a peer's bytes can bring about; anything else is this machine's own trouble. */
function isPeersFault(error: unknown): error is Error {
  return error instanceof PeerFault || error instanceof TransportError || isWrongStage(error);
}
