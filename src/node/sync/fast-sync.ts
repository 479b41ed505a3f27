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
import type { Hash } from '../../../native/index.ts';
import { type PendingBlocks, SyncStage } from '../../../storage/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import type { PeerName } from '../../net/transport.ts';
import { HandOverStore } from '../hand-overs/hand-over-store.ts';
import { buildHistory } from './build-history.ts';
import { nobody } from './choose-manifest.ts';
import { type ChosenTrust, chooseTrust } from './choose-trust.ts';
import { FastSyncError } from './fast-sync-error.ts';
import { PeerPool, type PeerVerdict } from './peer-pool.ts';
import { peerRole } from './peer-role.ts';
import { settleState } from './settle-state.ts';
import { type FastSyncOptions, onVacantGround, type SyncGround } from './sync-ground.ts';
import { fetchTrustedBlocks, type TrustedPoint } from './trusted-blocks.ts';

const SIZE_BYTES_MAX: number = 256 * 1024 * 1024 * 1024;

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
export function fastSync(options: FastSyncOptions): Promise<FastSyncResult> {
  const startedMs = performance.now();
  return onVacantGround(options, (ground) => new Sync(ground).run(startedMs));
}

class Sync {
  readonly #ground: SyncGround;
  /** Peers that keep segments only. */
  #replicators: readonly { readonly name: PeerName; readonly address: string }[] = [];

  constructor(ground: SyncGround) {
    this.#ground = ground;
  }

  async run(startedMs: number): Promise<FastSyncResult> {
    const { meter, options } = this.#ground;
    const stage = await this.#openStage();
    try {
      const pool = await this.#connect(stage);
      const { point, handOvers } = await this.#chooseTrust(pool);
      const staged = await stage.openBlocks();
      let header: BlockHeader;
      try {
        header = await this.#fetchAll(pool, stage, staged, point);
      } finally {
        if (staged.bytes(point.hash) === undefined) await this.#discardBlocks(stage);
      }
      await stage.adopt(options.dataDirectory);
      const { height, hash, stateRoot } = header;
      const ms = performance.now() - startedMs;
      return { height, hash, stateRoot, handOvers, bytes: meter.bytes, ms, verdicts: pool.verdicts };
    } finally {
      await stage.close();
    }
  }

  /** Hand-overs come first: into the folder that will be the live one. */
  async #chooseTrust(pool: PeerPool): Promise<ChosenTrust> {
    const { disk, transport, options } = this.#ground;
    const { kernels, genesis, dataDirectory, trust } = options;
    const store = await HandOverStore.open(`${dataDirectory}.sync/hand-overs`, kernels, disk);
    let chosen: ChosenTrust | undefined;
    try {
      chosen = await chooseTrust({ kernels, genesis, transport, store }, pool, trust);
      return chosen;
    } finally {
      await store.close();
      if (chosen === undefined) await disk.files.remove(`${dataDirectory}.sync/hand-overs`);
    }
  }

  /** What was taken stays for the next attempt; without the trusted block, which comes before all but hand-overs, nothing does. */
  async #discardBlocks(stage: SyncStage): Promise<void> {
    const { disk, options } = this.#ground;
    await stage.discardBlocks();
    await disk.files.remove(`${options.dataDirectory}.sync/hand-overs`);
  }

  #openStage(): Promise<SyncStage> {
    const { options, disk, chainId, stateSegmentSizeBytes } = this.#ground;
    const { kernels, dataDirectory, sizeBytesMax, heldSizeBytesMax, pieceOps, randomBytes } = options;
    return SyncStage.open({
      directory: `${dataDirectory}.sync`,
      kernels,
      disk,
      chainId,
      sizeBytesMax: sizeBytesMax ?? SIZE_BYTES_MAX,
      segmentSizeBytes: stateSegmentSizeBytes,
      ...(heldSizeBytesMax === undefined ? {} : { heldSizeBytesMax }),
      ...(pieceOps === undefined ? {} : { pieceOps }),
      ...(randomBytes === undefined ? {} : { randomBytes }),
    });
  }

  async #connect(stage: SyncStage): Promise<PeerPool> {
    const { options, transport, timers, meter, chainId } = this.#ground;
    const { from, log } = options;
    const pool = new PeerPool({ transport, timers, liars: stage.liars, log });
    meter.pool = pool;
    const dials = await Promise.allSettled(from.map((address) => transport.dial(address)));
    const reached = dials.flatMap((dial, index) => {
      if (dial.status === 'fulfilled') return [{ name: dial.value, address: from[index]! }];
      log.warn({ address: from[index], error: String(dial.reason) }, 'dial failed');
      return [];
    });
    const roles = await Promise.all(reached.map(({ name }) => peerRole(transport, name, chainId)));
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

  async #fetchAll(pool: PeerPool, stage: SyncStage, staged: PendingBlocks, trust: TrustedPoint): Promise<BlockHeader> {
    const { options, transport, timers, chainId, meter } = this.#ground;
    const { kernels, genesis } = options;
    const blocks = await fetchTrustedBlocks({
      kernels,
      transport,
      timers,
      pool,
      trust,
      chainId,
      recencyWindowSlots: genesis.transactions.recencyWindowSlots,
      segmentSizeBytes: genesis.history.segmentSizeBytes,
      stage: staged,
      onBytes: (bytes) => meter.blocks(bytes),
    });
    if (blocks === undefined) throw nobody(pool);
    const header = blocks.headers.at(-1)!;
    await settleState(this.#ground, pool, stage, header);
    await buildHistory(this.#ground, stage, { pool, replicators: this.#replicators, blocks, staged });
    return header;
  }
}
