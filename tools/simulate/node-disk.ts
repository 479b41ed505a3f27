/**
 * One node's disk over all its lives: files and key-value stores in memory, with the time a sync takes, and with what a power cut, an I/O error or a liar of a
 * drive does to them.
 *
 * Why syncs take time: what is written and not yet synced is only at stake while somebody waits for it.
 */

import { type FaultKind, SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import type { Disk, Files, KeyValues, StoredFile } from '../../storage/index.ts';
import { FilesError } from '../../storage/index.ts';
import { SimulatedKeyValues } from '../../storage/key-value/simulated-key-values.ts';
import { Chance } from './chance.ts';
import type { NodeClock } from './node-clock.ts';

const FREE_BYTES = 2 ** 40;
/** Milliseconds of a sync: nearly always a good drive's, now and then one that stalls. */
const SYNC_MS = [0.2, 2] as const;
const STALL_MS = [20, 200] as const;
const STALL_RATE = 0.002;
/** What a validator must not lose: its votes, and the last slot it led. */
const RECORDS: ReadonlySet<string> = new Set(['/data/votes', '/data/produced-slot']);

/** Changes a disk's files, to plant a bug: e.g. a sync that does nothing. */
export type FilesPlant = (files: Files) => Files;

export class NodeDisk {
  readonly disk: SimulatedDisk;
  readonly #keyValues: SimulatedKeyValues;
  readonly #chance: Chance;
  readonly #plant: FilesPlant;
  #clock: NodeClock | undefined;
  #keyValueFault: FaultKind | undefined;
  /** Told when such a record is about to be synced. */
  onRecordSync: () => void = () => {};

  constructor(seed: number, name: string, plant: FilesPlant = (files) => files) {
    this.#chance = new Chance(seed, `disk ${name}`);
    this.disk = new SimulatedDisk(this.#chance.below(2 ** 31));
    this.#plant = plant;
    this.#keyValues = new SimulatedKeyValues({
      random: () => this.#chance.next(),
      sync: (path) => this.#syncKeyValues(path),
      placeOf: (path) => this.disk.environmentAt(path),
    });
  }

  /** What a new life of the node is given. */
  forLife(clock: NodeClock): Disk {
    this.#clock = clock;
    const keyValues: KeyValues = this.#keyValues;
    return { files: this.#plant(this.#slow(clock)), keyValues, freeBytes: async () => FREE_BYTES };
  }

  /** The machine lost its power, or only the process was killed (then what was written stays). @param lossRate of a power cut, as of `SimulatedDisk` */
  crash(kind: 'power' | 'process', lossRate?: number): void {
    this.onRecordSync = () => {};
    if (kind === 'power') this.disk.reboot(lossRate);
    else this.disk.restartProcess();
    // lmdb's own files: an unfinished commit is lost either way.
    this.#keyValues.powerCut();
    this.#keyValueFault = undefined;
  }

  /** One of the next operations fails: of the files, or of the key-value stores. */
  failSoon(kind: FaultKind): void {
    if (this.#chance.hits(0.3)) this.#keyValueFault = kind;
    else this.disk.fault = { at: this.disk.operations + this.#chance.below(40), kind };
  }

  /** A drive that breaks its promises: the next write lands elsewhere, or a byte that was synced long ago is another one now. */
  ruin(): void {
    const files = [...this.disk.image('/data/')].filter(([, bytes]) => bytes.length > 0);
    if (files.length === 0 || this.#chance.hits(0.7)) {
      this.disk.misdirectsNextWrite = true;
      return;
    }
    const [path, bytes] = this.#chance.pick(files);
    this.disk.corrupt(path, this.#chance.below(bytes.length), 1 << this.#chance.below(8));
  }

  async #syncKeyValues(path: string): Promise<void> {
    await this.#sleep(this.#clock!);
    const kind = this.#keyValueFault;
    if (kind === undefined) return;
    this.#keyValueFault = undefined;
    if (kind === 'cut') this.disk.powerCut();
    throw new FilesError(kind === 'cut' ? 'power-cut' : kind, path, 'simulated failure');
  }

  #sleep(clock: NodeClock): Promise<void> {
    const [low, high] = this.#chance.hits(STALL_RATE) ? STALL_MS : SYNC_MS;
    const delayMs = this.#chance.between(low, high);
    return new Promise((resolve) => clock.at(clock.nowMs() + delayMs, resolve));
  }

  #slow(clock: NodeClock): Files {
    const { disk } = this;
    const slowFile = (file: StoredFile): StoredFile => ({
      ...file,
      sync: async () => {
        if (RECORDS.has(file.path)) this.onRecordSync();
        await this.#sleep(clock);
        await file.sync();
      },
    });
    return {
      open: async (path, mode) => slowFile(await disk.open(path, mode)),
      exists: (path) => disk.exists(path),
      list: (directory) => disk.list(directory),
      makeDirectory: (path) => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      remove: (path) => disk.remove(path),
      lock: (path) => disk.lock(path),
      syncDirectory: async (path) => {
        await this.#sleep(clock);
        await disk.syncDirectory(path);
      },
    };
  }
}
