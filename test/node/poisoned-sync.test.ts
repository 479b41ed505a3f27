/**
 * Fast syncs with liars among their peers, everything following from a seed: liars alone, liars beside honest peers with the sync broken off half way, and
 * then until it is whole. One attempt is one sync with one liar at least.
 *
 * The folders lie on a simulated machine, whose power may go, or whose disk may fail, in the middle of an attempt; every sixteenth directory on the real one.
 *
 * `CAIRN_POISONED_SYNCS=100000` for a long campaign, `CAIRN_POISONED_FIRST` to begin elsewhere.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PeerVerdict } from '../../src/node/sync/peer-pool.ts';
import type { FastSyncProgress } from '../../src/node/sync/progress-meter.ts';
import { type Disk, realDisk } from '../../storage/index.ts';
import { randomOf } from '../codec/mutator.ts';
import { SimulatedMachine } from '../storage/simulated-machine.ts';
import { LIES, type Lie, type LieTools, lieOf, tamperOf } from './lies.ts';
import { SYNC_PROTOCOLS } from './sync-peers.ts';
import {
  closeSyncWorld,
  expectNothingFalse,
  expectSynced,
  openSyncWorld,
  type Peer,
  PIECE_OPS,
  source,
  sync,
} from './sync-world.ts';

const ATTEMPTS = Number(process.env.CAIRN_POISONED_SYNCS ?? 200);
const FIRST_SEED = Number(process.env.CAIRN_POISONED_FIRST ?? 1);
/** On a busy machine, too. */
const TIMEOUT_MS: number = 60_000 + ATTEMPTS * 3_000;
const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
/** Attempts at most for one directory, and so the distance of seeds. */
const ATTEMPTS_A_SEED = 3;
/** What memory may grow by over a campaign once it has run for a while: no attempt leaves anything. */
const GROWTH_BYTES_MAX: number = 128 * 1024 * 1024;

beforeAll(openSyncWorld);
afterAll(closeSyncWorld);

/** Of the directories, those that lie on the real disk. */
const REAL_EVERY = 16;
/** Operations of an attempt, about: within them the power goes. */
const OPERATIONS = 400;

class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** What an attempt that met a failing disk may end with: never because of what a peer sent. */
const DISK_ERRORS: ReadonlySet<string> = new Set(['FilesError', 'StorageError']);

interface Tally {
  attempts: number;
  /** Ended without a directory: refused, or broken off. */
  refused: number;
  interrupted: number;
  /** The disk failed under it, or lost its power. */
  struck: number;
  banned: number;
  readonly lies: Map<string, number>;
}

/** One directory, from nothing until it is synced. */
class Victim {
  readonly #directory: string;
  readonly #disk: Disk;
  /** The disk, when it is a simulated one. */
  readonly #machine: SimulatedMachine | undefined;
  readonly #random: (below: number) => number;
  readonly #tally: Tally;
  #seed: number;
  /** Pieces that were kept in all attempts so far. */
  #kept = 0;
  /** Some of that may be gone. */
  #wasStruck = false;

  /** @param machine the real one unless given */
  constructor(directory: string, machine: SimulatedMachine | undefined, seed: number, tally: Tally) {
    this.#directory = directory;
    this.#machine = machine;
    this.#disk = machine ?? realDisk();
    this.#seed = seed * 16;
    this.#random = randomOf(seed);
    this.#tally = tally;
  }

  async run(): Promise<void> {
    // All lie about the same, so that no two of them make one honest peer.
    const protocol = SYNC_PROTOCOLS[this.#random(SYNC_PROTOCOLS.length)]!;
    await this.#attempt(this.#liars(1 + this.#random(3), [protocol]), 0);
    if (this.#isThere()) return;
    await this.#second();
    if (this.#isThere()) return;
    const error = await this.#attempt(this.#liars(1 + this.#random(3), SYNC_PROTOCOLS), 1 + this.#random(2));
    if (error !== undefined) throw error;
  }

  /** Broken off by its caller, or struck by its disk: then the machine starts again. */
  async #second(): Promise<void> {
    const liars = this.#liars(1 + this.#random(3), SYNC_PROTOCOLS);
    const files = this.#machine?.files;
    if (files === undefined || this.#random(2) === 0) {
      await this.#attempt(liars, this.#random(2), 1 + this.#random(25));
      return;
    }
    const kind = (['cut', 'cut', 'io', 'no-space'] as const)[this.#random(4)]!;
    files.fault = { at: files.operations + this.#random(OPERATIONS), kind };
    this.#wasStruck = true;
    await this.#attempt(liars, 1);
    files.fault = undefined;
    if (kind === 'cut') this.#machine!.powerCut();
  }

  #isThere(): boolean {
    return this.#machine?.files.has(this.#directory) ?? existsSync(this.#directory);
  }

  #liars(count: number, protocols: readonly string[]): Lie[] {
    return Array.from({ length: count }, () => lieOf(this.#seed++, protocols));
  }

  /** @param steps after which it is broken off @returns why it failed */
  async #attempt(lies: readonly Lie[], honest: number, steps = Number.POSITIVE_INFINITY): Promise<Error | undefined> {
    const liars = lies.map((lie): Peer => ({ lie: (tools: LieTools) => tamperOf(lie, tools) }));
    // Honest ones stand first, last or among them.
    const at = this.#random(liars.length + 1);
    const peers = liars.toSpliced(at, 0, ...Array.from({ length: honest }, (): Peer => 'honest'));
    const { tally } = this;
    tally.attempts += 1;
    // Liars are remembered by name: those of later attempts are others.
    const prefix = `peer${tally.attempts}.`;
    for (const { kind } of lies) tally.lies.set(kind, (tally.lies.get(kind) ?? 0) + 1);
    const onProgress = this.#watch(steps);
    const { result } = await sync(
      peers,
      this.#directory,
      { onProgress, ...(this.#machine === undefined ? {} : { disk: this.#machine }) },
      prefix,
    );
    const ended = await result.then(
      ({ verdicts }) => verdicts,
      (error: Error) => error,
    );
    if (ended instanceof Error) await this.#failed(ended);
    else
      this.#judge(
        ended,
        Array.from({ length: honest }, (_, index) => `${prefix}${at + index}`),
      );
    return ended instanceof Error ? ended : undefined;
  }

  get tally(): Tally {
    return this.#tally;
  }

  #watch(steps: number): (progress: FastSyncProgress) => void {
    let [left, bytesBefore] = [steps, 0];
    return ({ stage, bytes }) => {
      if (this.#isThere()) throw new TypeError('the live directory is there before the end');
      if (stage === 'state' && bytes > bytesBefore) this.#kept += 1;
      bytesBefore = bytes;
      left -= 1;
      if (left <= 0) throw new Interrupted();
    };
  }

  async #failed(error: Error): Promise<void> {
    // Nothing but what a sync may end with: coded, and never because of what a peer sent.
    const isStruck = this.#wasStruck && DISK_ERRORS.has(error.name);
    if (error instanceof Interrupted) this.tally.interrupted += 1;
    else if (isStruck) this.tally.struck += 1;
    else if (error.name !== 'FastSyncError') throw error;
    this.tally.refused += 1;
    // What a disk was struck in the middle of writing is proven again by the attempt that finds it.
    if (isStruck) return;
    if (this.#isThere()) throw new TypeError('a live directory after a failure');
    await expectNothingFalse(this.#directory, this.#disk);
  }

  /** No honest peer was banned, and no piece that was kept was fetched once more. */
  #judge(verdicts: readonly PeerVerdict[], honest: readonly string[]): void {
    const banned = verdicts.filter(({ verdict }) => verdict === 'banned');
    this.tally.banned += banned.length;
    const wrong = banned.find(({ peer }) => honest.includes(peer));
    if (wrong !== undefined) throw new TypeError(`an honest peer was banned: ${wrong.why}`);
    const pieces = Math.ceil(source.opened.store.stateSource.opCount / PIECE_OPS);
    if (this.#kept > pieces && !this.#wasStruck)
      throw new TypeError(`${this.#kept} pieces were kept, of ${pieces} there are`);
  }
}

it(
  `${ATTEMPTS} poisoned attempts bring not one byte into the live directory, and honest peers complete each`,
  async () => {
    const tally: Tally = { attempts: 0, refused: 0, interrupted: 0, struck: 0, banned: 0, lies: new Map() };
    const rss: number[] = [];
    const startedMs = process.cpuUsage();
    for (let seed = FIRST_SEED; tally.attempts < ATTEMPTS; seed += ATTEMPTS_A_SEED) {
      const isReal = ((seed - FIRST_SEED) / ATTEMPTS_A_SEED) % REAL_EVERY === 0;
      const machine = isReal ? undefined : new SimulatedMachine(seed);
      const parent = isReal ? await mkdtemp(join(PARENT, 'cairn-poisoned-')) : '/';
      try {
        const directory = join(parent, 'data');
        await new Victim(directory, machine, seed, tally).run();
        await expectSynced(directory, undefined, seed % 4 === 0, machine);
      } catch (error) {
        throw new TypeError(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      } finally {
        if (isReal) await rm(parent, { recursive: true, force: true });
      }
      if (rss.length * 1_000 >= tally.attempts) continue;
      rss.push(process.memoryUsage().rss);
      if (rss.length > 1) console.log(`${tally.attempts} attempts, up to seed ${seed}`);
    }
    const { user, system } = process.cpuUsage(startedMs);
    const { attempts, refused, interrupted, struck, banned, lies } = tally;
    const megabytes = rss.map((bytes) => Math.round(bytes / 2 ** 20));
    const rate = Math.round((attempts * 1e6) / (user + system));
    console.log(
      `${attempts} attempts from seed ${FIRST_SEED}: ${refused} without a directory (${interrupted} broken off, ${struck} struck by the disk), ${banned} bans; ${rate} a second of ` +
        `processor time; MiB after every 1,000: ${megabytes.filter((_, index) => index % Math.ceil(rss.length / 12) === 0).join(' ')}`,
    );
    if (ATTEMPTS >= 200)
      expect([lies.size, refused > 60, interrupted > 10, struck > 10, banned > 20]).toEqual([
        LIES.length,
        ...[true, true, true, true],
      ]);
    if (rss.length > 10) expect(rss.at(-1)! - rss[5]!).toBeLessThan(GROWTH_BYTES_MAX);
  },
  TIMEOUT_MS,
);
