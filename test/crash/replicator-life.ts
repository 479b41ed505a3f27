/**
 * One life of a replicator: the real composition (open-replicator.ts) as one process on a simulated disk that kills it at a chosen file operation; and the ledger's
 * rules that all its lives share.
 */
import { ReplicaStore } from '../../replicator/index.ts';
import { type SigningKey, signingKey } from '../../src/codec/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { Clock } from '../../src/node/clock.ts';
import { type OpenedReplicator, openReplicator } from '../../src/node/replicator/open-replicator.ts';
import type { RoleContext } from '../../src/node/run.ts';
import type { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import type { SimulatedKeyValues } from '../../storage/key-value/simulated-key-values.ts';
import type { VirtualNet } from '../node/virtual-net.ts';
import { kernels, newWorld, SILENT, type World } from '../node/world.ts';
import { MortalFiles } from './mortal-files.ts';

export const SLOTS_PER_PERIOD = 16;
export const DEADLINE_SLOTS = 9;
export const PERIODS_PER_ROTATION = 3;
export const SEED: Uint8Array = new Uint8Array(32).fill(101).map((_, index) => (101 * 37 + index * 11 + 5) & 0xff);

/** One validator, and segments small enough to encode in a few slots. */
export const world: World = newWorld({
  ...{ validators: 1, segmentSizeBytes: 8 * 1024, leafSizeBytes: 128, recencyWindowSlots: 40 },
  consensus: { slotsPerEpoch: 600, unfinalizedBlocksMax: 4096 },
  slotsPerPeriod: SLOTS_PER_PERIOD,
  periodsPerRotation: PERIODS_PER_ROTATION,
  replication: {
    ...{ mode: 'both', samplesPerProof: 24, checksPerProof: 4, missesMax: 1000, slashPerMissPermille: 1 },
    ...{ fakeSharePermille: 200, proofDeadlineSlots: DEADLINE_SLOTS, sealSlots: 2 },
  },
});
export const key: SigningKey = signingKey(SEED);

/** A clock that never rings: statuses are exchanged on connection, which is all it takes. */
const STOPPED_CLOCK: Clock = { nowMs: () => 0, at: () => () => {} };

export interface LifeDeps {
  readonly disk: SimulatedDisk;
  readonly keyValues: SimulatedKeyValues;
  readonly random: () => number;
  readonly doom: ConstructorParameters<typeof MortalFiles>[2];
  readonly segments: readonly number[];
}

/** One process, from its start until it is killed. */
export class Life {
  readonly peer: string;
  diedAt = '';
  readonly #net: VirtualNet;
  readonly #files: MortalFiles;
  readonly #died: Promise<void>;
  readonly #opened: Promise<OpenedReplicator | undefined>;
  #transport: MemoryTransport | undefined;
  #node: OpenedReplicator | undefined;
  #goOn: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(number: number, net: VirtualNet, { disk, keyValues, random, doom, segments }: LifeDeps) {
    this.#net = net;
    this.peer = `replicator-${number}`;
    let resolve = (): void => {};
    this.#died = new Promise((done) => {
      resolve = done;
    });
    this.#files = new MortalFiles(disk, random, doom, (path) => {
      this.diedAt = path;
      resolve();
    });
    this.#opened = this.#open(number, keyValues, segments).catch((error: Error) => {
      this.#failure = error;
      return undefined;
    });
  }

  get isOver(): boolean {
    return this.#files.isDead;
  }

  async #open(number: number, keyValues: SimulatedKeyValues, segments: readonly number[]): Promise<OpenedReplicator> {
    const files = this.#files;
    const { segmentSizeBytes, leafSizeBytes } = world.genesis.history;
    const store = await ReplicaStore.open({
      ...{ kernels, files, directory: '/data/replicas', identity: key.publicKey },
      geometry: { segmentSizeBytes, leafSizeBytes },
      ...{ checkpointSizeBytes: 2048, chunkSizeBytes: 1024 },
    });
    this.#transport = this.#net.network.transport(this.peer);
    const context: RoleContext = {
      ...{ genesis: world.genesis, kernels, transport: this.#transport, log: SILENT, version: 'test' },
      config: {
        ...{ role: 'replicator', genesis: '', dataDirectory: '/data', listen: '', log: { level: 'silent' } },
        ...{ bootstrap: [this.#net.network.addressOf('validator')], rpc: { host: '', port: 0 } },
        replicator: { capacityBytes: 1 << 20, segments },
      },
      onFatal: (error: Error) => {
        this.#failure = error;
      },
      rpcUrl: () => null,
    };
    const ground = {
      disk: { files, keyValues },
      pause: () =>
        new Promise<void>((resolve) => {
          this.#goOn = resolve;
        }),
      clock: STOPPED_CLOCK,
      counterStart: BigInt(number) << 32n,
    };
    const node = await openReplicator(context, SEED, store, ground);
    await node.start();
    this.#node = node;
    return node;
  }

  /** One pass of work, and the encoding it began. */
  async pass(): Promise<void> {
    await Promise.race([this.#opened, this.#died]);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.isOver) return;
    this.#goOn?.();
    this.#goOn = undefined;
    while (!this.isOver && !this.#isIdle()) await new Promise((resolve) => setImmediate(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #isIdle(): boolean {
    return this.#goOn !== undefined && !this.#node!.api.status().replicas.some(({ state }) => state === 'encoding');
  }

  /** Nothing is heard of it any more. */
  async bury(): Promise<void> {
    this.#files.die();
    await this.#transport?.stop();
  }
}
