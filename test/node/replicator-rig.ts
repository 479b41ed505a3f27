/** The parts of a replicator, connected to an archive over a virtual network; and a keeper of replicas that is led through heights of the ledger. */
import { join } from 'node:path';
import { createVrfKey, ReplicaStore, type ReplicaThreads } from '../../replicator/index.ts';
import { type Payload, type SigningKey, signingKey } from '../../src/codec/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import type { ReplicaStatus } from '../../src/node/protocols.ts';
import { ReplicatorFaults } from '../../src/node/replicator/faults.ts';
import { FinalityFollower } from '../../src/node/replicator/finality-follower.ts';
import { OpeningFolder } from '../../src/node/replicator/opening-folder.ts';
import { Prover } from '../../src/node/replicator/prover.ts';
import { ReplicaKeeper } from '../../src/node/replicator/replica-keeper.ts';
import { SegmentSource } from '../../src/node/replicator/segment-source.ts';
import { diskFiles } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { FakeArchive } from './fake-archive.ts';
import { walkOf } from './hand-over-world.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, makeChain, newWorld, rootOf, SILENT, type World } from './world.ts';

export const world: World = newWorld({ slotsPerPeriod: 4, periodsPerRotation: 2 });
export const root: ChainBlock = rootOf(world);
const seed = new Uint8Array(32).fill(5);
export const key: SigningKey = signingKey(seed);
const { segmentSizeBytes, leafSizeBytes } = world.genesis.history;
export const SEGMENT_SIZE_BYTES: number = segmentSizeBytes;
/** 40 blocks of 4 transactions, the first of height 1. */
export const chain: ChainBlock[] = makeChain(world, root, 40, 4);

/** What a replicator is made of, with an archive that it is connected to: made anew for every test. */
export class ReplicatorRig {
  readonly net: VirtualNet;
  readonly archive: FakeArchive;
  readonly self: MemoryTransport;
  readonly follower: FinalityFollower;
  readonly segments: SegmentSource;
  readonly folder: OpeningFolder;
  store: ReplicaStore;
  /** What keepers have sent. */
  readonly sent: Payload[] = [];

  private constructor(parts: Pick<ReplicatorRig, 'net' | 'archive' | 'self' | 'folder' | 'store'>) {
    this.net = parts.net;
    this.archive = parts.archive;
    this.self = parts.self;
    this.folder = parts.folder;
    this.store = parts.store;
    const { signatures, rules } = world.check;
    const { self } = this;
    const handOvers = walkOf(world, self);
    const genesis = root.header;
    this.follower = new FinalityFollower({
      ...{ kernels, transport: self, signatures, rules, handOvers, genesis },
      keepSlots: 16,
    });
    this.segments = new SegmentSource({ kernels, transport: self, shape: world.genesis.history });
  }

  static async open(): Promise<ReplicatorRig> {
    const net = new VirtualNet();
    const archive = new FakeArchive(world, chain, await net.peer('archive'));
    const self = await net.peer('self');
    await net.settle(self.dial(net.network.addressOf('archive')));
    const directory = join(await freshDirectory(), 'replicas');
    const folder = await OpeningFolder.open(diskFiles(), join(directory, '../openings'), 1 << 20);
    return new ReplicatorRig({ net, archive, self, folder, store: await openReplicas(directory) });
  }

  /** Another store, empty, that encodes on threads. */
  async encodeOn(threads: ReplicaThreads): Promise<void> {
    await this.store.close();
    this.store = await openReplicas(join(await freshDirectory(), 'replicas'), threads);
  }

  newKeeper(
    send: (payload: Payload) => Promise<boolean> = async (payload) => this.sent.push(payload) > 0,
  ): ReplicaKeeper {
    const { store, folder, follower, segments } = this;
    return new ReplicaKeeper({
      kernels,
      store,
      vrf: createVrfKey(seed),
      identity: key.publicKey,
      schedule: world.genesis.replication,
      geometry: { segmentSizeBytes, leafSizeBytes },
      // Long enough to be met slot by slot.
      market: { ...world.genesis.replication, proofDeadlineSlots: 12 },
      prover: new Prover({
        ...{ kernels, vrf: createVrfKey(seed), seed, identity: key.publicKey, address: key.address },
        ...{ chainId: world.check.rules.chainId, genesis: world.genesis, folder, unchecked: false },
      }),
      faults: new ReplicatorFaults({ kernels, config: undefined }),
      follower,
      segments,
      saveProof: async () => {},
      send,
      log: SILENT,
    });
  }

  /** Brings follower and roots to a height, then lets the keeper work on segment 0 as the ledger stands. */
  async work(keeper: ReplicaKeeper, height: number, ...replicas: Partial<ReplicaStatus>[]): Promise<void> {
    const { archive, net, follower, segments } = this;
    archive.finalHeight = height;
    await net.settle(follower.update('archive'));
    await net.settle(segments.updateRoots('archive', follower.head!));
    const rows = replicas.map(
      (row): ReplicaStatus => ({
        segment: 0,
        rotation: 0,
        commitSlot: 0,
        lastPeriod: -1,
        proof: 'none',
        accepted: 0,
        rejected: 0,
        expired: 0,
        reason: 'unstated',
        paid: 0,
        misses: 0,
        ...row,
      }),
    );
    const records = { ...archive.records, replicas: rows };
    await net.settle(keeper.work([0], records, ['archive']));
    await net.settle(keeper.idle());
  }
}

/** An empty store of the world's segments. */
function openReplicas(directory: string, threads?: ReplicaThreads): Promise<ReplicaStore> {
  const geometry = { segmentSizeBytes, leafSizeBytes };
  return ReplicaStore.open({
    ...{ kernels, files: diskFiles(), directory, identity: key.publicKey, geometry },
    ...(threads === undefined ? {} : { threads }),
  });
}
