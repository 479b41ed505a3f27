/**
 * One node of a simulation over all its lives: a real `ChainNode` on a simulated machine. It can be killed at any moment and started again on the disk it
 * left.
 */
import type { SigningKey } from '../../src/codec/index.ts';
import type { MemoryNetwork } from '../../src/net/memory-network.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import { makeVoteFiles } from '../../src/node/chain/vote-files.ts';
import { ChainNode } from '../../src/node/chain-node.ts';
import { ObservedTransport, type TransportEar } from '../../src/node/faults/observed-transport.ts';
import type { Logger } from '../../src/node/log.ts';
import type { Platform } from '../../src/node/platform.ts';
import { InlineVerifier } from '../../src/node/threads/index.ts';
import type { ChainSetup } from './chain-setup.ts';
import { Chance } from './chance.ts';
import { NodeClock } from './node-clock.ts';
import type { NodeDisk } from './node-disk.ts';
import { NodePoh } from './node-poh.ts';
import type { SharedKernels } from './shared-kernels.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface NodeOptions {
  readonly name: string;
  /** Place in the ranking; null for an archive. Twins share one. */
  readonly rank: number | null;
  readonly isHonest: boolean;
  /** Relative error of its clock. */
  readonly drift: number;
  readonly disk: NodeDisk;
  /** Lies of the node's own kind. */
  readonly byzantine?: 'lazy' | 'censor' | undefined;
}

/** What a node tells the simulation. */
export interface NodeEvents {
  readonly ear: (node: SimulatedNode) => TransportEar;
  readonly onLog: (node: SimulatedNode, fields: Record<string, unknown>, message: string) => void;
  /** It stopped by itself: a failed disk, a broken invariant, a directory it cannot open. */
  readonly onFatal: (node: SimulatedNode, error: Error) => void;
  readonly onUp: (node: SimulatedNode) => void;
}

export interface NodeWorld {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly network: MemoryNetwork;
  readonly shared: SharedKernels;
  readonly chain: ChainSetup;
  readonly events: NodeEvents;
  /** Names of all nodes. */
  readonly names: () => readonly string[];
}

export class SimulatedNode {
  readonly name: string;
  readonly rank: number | null;
  readonly isHonest: boolean;
  readonly disk: NodeDisk;
  readonly key: SigningKey | null;
  readonly #byzantine: 'lazy' | 'censor' | undefined;
  /** Lives begun. */
  lives = 0;
  /** The present life's disk was made to fail: giving up is right. */
  hasFailingDisk = false;
  /** Its disk broke its promises: it may be unable to start again, and nothing but its vote file and what it signs can be relied on. */
  isDiskRuined = false;
  /** Lives that ended because a ruined disk could not be used. */
  ruinedLives = 0;
  readonly #world: NodeWorld;
  readonly #originMs: number;
  readonly #rate: number;
  readonly #chance: Chance;
  #clock: NodeClock | undefined;
  #transport: MemoryTransport | undefined;
  #node: ChainNode | undefined;
  #isUp = false;
  /** The empty files that come with a new key were made. */
  #hasVoteFiles = false;

  constructor(world: NodeWorld, options: NodeOptions) {
    this.#world = world;
    this.name = options.name;
    this.rank = options.rank;
    this.isHonest = options.isHonest;
    this.disk = options.disk;
    this.#byzantine = options.byzantine;
    this.key = options.rank === null ? null : world.chain.validators[options.rank]!;
    this.#chance = new Chance(world.seed, `node ${options.name}`);
    this.#originMs = this.#chance.below(1_000_000);
    this.#rate = 1 + options.drift;
  }

  /** The running node; undefined while it is down or opening its disk. */
  get node(): ChainNode | undefined {
    return this.#isUp ? this.#node : undefined;
  }

  /** Begun and not ended: opening, or up. */
  get isAlive(): boolean {
    return this.#clock !== undefined;
  }

  get transport(): MemoryTransport | undefined {
    return this.#transport;
  }

  /** Begins a life. Returns at once; `onUp` or `onFatal` says how it went. */
  boot(): void {
    if (this.isAlive) return;
    this.lives += 1;
    this.hasFailingDisk = false;
    const clock = new NodeClock(this.#world.time, this.#originMs, this.#rate);
    this.#clock = clock;
    const isPresent = (): boolean => this.#clock === clock;
    this.#open(clock, isPresent).catch((error: Error) => {
      if (isPresent()) this.#world.events.onFatal(this, error);
    });
  }

  /** Ends this life at once. @param kind `process`: what was written and not synced stays @param lossRate of a power cut, as of `SimulatedDisk` */
  kill(kind: 'power' | 'process', lossRate?: number): void {
    if (!this.isAlive) return;
    this.#clock!.end();
    this.#clock = undefined;
    this.#isUp = false;
    this.#node = undefined;
    void this.#transport?.stop();
    this.#transport = undefined;
    this.disk.crash(kind, lossRate);
  }

  /** Stops it as its keeper would, so that it hands over what it leads, and closes its disk. @param onDown called then, unless it died before */
  stop(onDown: () => void): void {
    const [clock, node] = [this.#clock, this.node];
    if (node === undefined) return;
    this.#isUp = false;
    const end = (): void => {
      if (this.#clock !== clock) return;
      this.kill('process');
      onDown();
    };
    node.stop().then(end, (error: Error) => {
      if (this.#clock === clock) this.#world.events.onFatal(this, error);
    });
  }

  /** Suspends the machine. @returns until when, in virtual time */
  pause(durationMs: number): number {
    const untilMs = this.#world.time.nowMs + durationMs;
    this.#clock?.pause(untilMs);
    return untilMs;
  }

  async #open(clock: NodeClock, isPresent: () => boolean): Promise<void> {
    const { network, chain, shared, events, names } = this.#world;
    const log = this.#logger(isPresent);
    const transport = network.transport(this.name, { log });
    this.#transport = transport;
    const platform = this.#platform(clock);
    const { files } = platform.disk;
    if (this.key !== null && !this.#hasVoteFiles) await makeVoteFiles('/data', { kernels: shared.kernels, files });
    this.#hasVoteFiles = true;
    const node = await ChainNode.open({
      role: this.key === null ? 'archive' : 'validator',
      version: 'simulation',
      genesis: chain.genesis,
      key: this.key,
      dataDirectory: '/data',
      bootstrap: names().flatMap((name) => (name === this.name ? [] : [network.addressOf(name)])),
      kernels: shared.kernels,
      transport: new ObservedTransport(transport, events.ear(this)),
      log,
      platform,
      byzantine: this.#byzantine,
      onFatal: (error) => {
        if (isPresent()) events.onFatal(this, error);
      },
      rpcUrl: () => null,
    });
    if (!isPresent()) return;
    this.#node = node;
    await node.start();
    if (!isPresent()) return;
    this.#isUp = true;
    events.onUp(this);
  }

  #platform(clock: NodeClock): Platform {
    const { kernels } = this.#world.shared;
    const { time } = this.#world;
    return {
      clock,
      disk: this.disk.forLife(clock),
      startVerifier: () => new InlineVerifier(kernels),
      startPoh: (pace) => new NodePoh(kernels, pace, clock),
      randomBytes: (sizeBytes) => this.#chance.bytes(sizeBytes),
      wallClockMs: () => Math.floor(1_000_000_000_000 + time.nowMs),
    };
  }

  #logger(isPresent: () => boolean): Logger {
    const { onLog } = this.#world.events;
    const tell = (fields: object, message: string): void => {
      if (isPresent()) onLog(this, fields as Record<string, unknown>, message);
    };
    const silent = (): void => {};
    const logger = { level: 'info', trace: silent, debug: silent, info: tell, warn: tell, error: tell, fatal: tell };
    // The node uses no more of pino than this.
    return { ...logger, silent, child: () => logger } as unknown as Logger;
  }
}
