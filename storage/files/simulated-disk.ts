/**
 * The simulated adapter of `Files`: a disk in memory that can lose its power or fail at any operation.
 *
 * It honours exactly the promises of files.ts and breaks whatever they leave open: unsynced sectors are kept, dropped, torn and
 * reordered; names created, renamed or removed are uncertain until their folder is synced; a failed sync loses pages silently.
 * Everything follows from the seed, so a failure can be replayed.
 *
 * Invariants
 * - Operations are numbered from 0 in the order in which they are called; a planned fault strikes the operation of its number.
 * - After a power cut every operation throws 'power-cut' until `reboot`.
 */
import { dirname } from 'node:path';
import { type FileLock, type Files, FilesError, type OpenMode, SECTOR_SIZE_BYTES, type StoredFile } from './files.ts';
import { type Random, SimulatedInode, seededRandom } from './simulated-inode.ts';
import { applyChange, type Entry, foldersAbove, type NameChange, removeTree, tree } from './simulated-names.ts';

/** What happens to an operation: the power goes, it fails, or the disk is full (writes only; else the same as 'io'). */
export type FaultKind = 'cut' | 'io' | 'no-space';

export interface Fault {
  readonly at: number;
  readonly kind: FaultKind;
}

const MESSAGES: Readonly<Record<FaultKind, string>> = {
  cut: 'the power was cut',
  io: 'simulated I/O error (EIO)',
  'no-space': 'simulated full disk (ENOSPC)',
};

/** Shares of operations that fail with 'io', each by itself. */
export interface ErrorRates {
  readonly read: number;
  /** Writes and syncs. */
  readonly write: number;
}

export class SimulatedDisk implements Files {
  /** Operations called so far. */
  operations = 0;
  /** Where and how the next fault strikes. */
  fault: Fault | undefined;
  /** Reads, writes and syncs that fail on top of that, at random. */
  errorRates: ErrorRates | undefined;
  /** The next write lands elsewhere in its file, and says that all is well: a drive that broke its promise. */
  misdirectsNextWrite = false;
  /** Writes that landed elsewhere. */
  misdirectedCount = 0;
  /** Bytes the disk holds; a write past it fails with 'no-space'. */
  capacityBytes: number = Number.POSITIVE_INFINITY;
  #names = new Map<string, Entry>([['/', 'folder']]);
  #durableNames = new Map<string, Entry>([['/', 'folder']]);
  #nameChanges: NameChange[] = [];
  readonly #locks = new Set<string>();
  readonly #random: Random;
  #powered = true;
  #boot = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  get powered(): boolean {
    return this.#powered;
  }

  /** Numbers one operation. @returns the fault it must suffer, if any; throws at once when there is no power */
  #step(boot: number, path: string): FaultKind | undefined {
    if (!this.#powered || boot !== this.#boot) throw new FilesError('power-cut', path, MESSAGES.cut);
    const number = this.operations++;
    return this.fault !== undefined && this.fault.at === number ? this.fault.kind : undefined;
  }

  #isUnlucky(kind: keyof ErrorRates): boolean {
    return this.errorRates !== undefined && this.#random() < this.errorRates[kind];
  }

  /** Ends an operation that a fault struck. */
  #fail(fault: FaultKind, path: string): never {
    if (fault === 'cut') this.powerCut();
    throw new FilesError(fault === 'cut' ? 'power-cut' : fault, path, MESSAGES[fault]);
  }

  /** Runs an operation that either happens or does not; a cut may strike before or after it. */
  #simple(path: string, act: () => void): void {
    const fault = this.#step(this.#boot, path);
    if (fault === undefined || (fault === 'cut' && this.#random() < 0.5)) act();
    if (fault !== undefined) this.#fail(fault, path);
  }

  #change(change: NameChange): void {
    applyChange(this.#names, change);
    this.#nameChanges.push(change);
  }

  #inode(path: string): SimulatedInode {
    const entry = this.#names.get(path);
    if (!(entry instanceof SimulatedInode)) throw new FilesError('not-found', path, 'no such file');
    return entry;
  }

  async open(path: string, mode: OpenMode): Promise<StoredFile> {
    const fault = this.#step(this.#boot, path);
    if (fault !== undefined && (fault !== 'no-space' || mode === 'create')) this.#fail(fault, path);
    if (mode === 'create') {
      if (this.#names.has(path)) throw new FilesError('exists', path, 'cannot create');
      if (this.#names.get(dirname(path)) !== 'folder') throw new FilesError('not-found', path, 'no folder for');
      this.#change({ kind: 'put', path, entry: new SimulatedInode() });
    }
    return this.#handle(path, this.#inode(path), mode !== 'read');
  }

  #handle(path: string, inode: SimulatedInode, writable: boolean): StoredFile {
    const boot = this.#boot;
    let open = true;
    const step = (): FaultKind | undefined => {
      if (!open) throw new FilesError('closed', path, 'file is closed');
      return this.#step(boot, path);
    };
    const check = (): void => {
      if (!writable) throw new FilesError('io', path, 'file is open for reading only');
    };
    const readSync = (offset: number, target: Uint8Array): number => {
      const fault = step() ?? (this.#isUnlucky('read') ? 'io' : undefined);
      if (fault !== undefined && fault !== 'no-space') this.#fail(fault, path);
      return inode.read(offset, target);
    };
    return {
      path,
      read: async (offset, target) => readSync(offset, target),
      readSync,
      write: async (offset, bytes) => {
        check();
        this.#write(step(), path, inode, offset, bytes);
      },
      truncate: async (sizeBytes) => {
        check();
        const fault = step();
        if (fault === undefined || (fault === 'cut' && this.#random() < 0.5)) inode.truncate(sizeBytes);
        if (fault !== undefined) this.#fail(fault, path);
      },
      sync: async () => this.#sync(step(), path, inode),
      sizeBytes: async () => inode.sizeBytes,
      close: async () => {
        open = false;
      },
    };
  }

  #write(fault: FaultKind | undefined, path: string, inode: SimulatedInode, offset: number, bytes: Uint8Array): void {
    const full =
      Number.isFinite(this.capacityBytes) &&
      this.usedBytes() + Math.max(0, offset + bytes.length - inode.sizeBytes) > this.capacityBytes;
    const kind = fault ?? (full ? 'no-space' : this.#isUnlucky('write') ? 'io' : undefined);
    if (kind === undefined && this.misdirectsNextWrite) {
      this.#misdirect(inode, offset, bytes);
      return;
    }
    // A write that fails may have done part of its work.
    const done = kind === undefined ? bytes.length : Math.floor(this.#random() * (bytes.length + 1));
    inode.write(offset, bytes.subarray(0, done));
    if (kind !== undefined) this.#fail(kind, path);
  }

  /** By whole sectors, within the file: the room it was meant for keeps what stood there. */
  #misdirect(inode: SimulatedInode, offset: number, bytes: Uint8Array): void {
    const sectors = Math.ceil(inode.sizeBytes / SECTOR_SIZE_BYTES);
    const here = Math.floor(offset / SECTOR_SIZE_BYTES);
    const there = Math.floor(this.#random() * Math.max(1, sectors));
    if (there === here) {
      inode.write(offset, bytes);
      return;
    }
    this.misdirectsNextWrite = false;
    this.misdirectedCount += 1;
    inode.write(offset + (there - here) * SECTOR_SIZE_BYTES, bytes);
  }

  #sync(given: FaultKind | undefined, path: string, inode: SimulatedInode): void {
    const fault = given ?? (this.#isUnlucky('write') ? 'io' : undefined);
    if (fault === undefined || (fault === 'cut' && this.#random() < 0.3)) inode.sync();
    else if (fault !== 'cut') inode.failSync();
    if (fault !== undefined) this.#fail(fault, path);
  }

  async exists(path: string): Promise<boolean> {
    return this.has(path);
  }

  /** `exists`, answered at once. */
  has(path: string): boolean {
    return this.#names.has(path);
  }

  async list(directory: string): Promise<string[]> {
    if (this.#names.get(directory) !== 'folder') throw new FilesError('not-found', directory, 'no such folder');
    const names = [...this.#names.keys()].filter((name) => name !== directory && dirname(name) === directory);
    return names.map((name) => name.slice(name.lastIndexOf('/') + 1)).sort();
  }

  async makeDirectory(path: string): Promise<void> {
    if (this.#names.has(path)) return;
    await this.makeDirectory(dirname(path));
    this.#simple(path, () => this.#change({ kind: 'put', path, entry: 'folder' }));
  }

  /**
   * The file that stands for a key-value environment in this folder, made as lmdb makes it, its name as uncertain as any new one: it goes where the folder goes, and is
   * another one when the folder was removed or lost. Not an operation that fails.
   */
  environmentAt(directory: string): object {
    const path = `${directory}/data.mdb`;
    for (const folder of foldersAbove(path))
      if (!this.#names.has(folder)) this.#change({ kind: 'put', path: folder, entry: 'folder' });
    if (!this.#names.has(path)) this.#change({ kind: 'put', path, entry: new SimulatedInode() });
    return this.#inode(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const entry = this.#names.get(from);
    if (entry === undefined) throw new FilesError('not-found', from, 'cannot rename');
    if (this.#names.get(to) === 'folder' && [...tree(this.#names, to)].length > 1)
      throw new FilesError('not-empty', to, 'cannot rename over');
    this.#simple(from, () => this.#change({ kind: 'rename', path: to, from, entry }));
  }

  async remove(path: string): Promise<void> {
    if (!this.#names.has(path)) return;
    this.#simple(path, () => this.#change({ kind: 'remove', path }));
  }

  async syncDirectory(path: string): Promise<void> {
    const fault = this.#step(this.#boot, path);
    if (fault !== undefined) this.#fail(fault, path);
    const here = (change: NameChange): boolean => dirname(change.path) === path;
    for (const change of this.#nameChanges.filter(here)) applyChange(this.#durableNames, change);
    this.#nameChanges = this.#nameChanges.filter((change) => !here(change));
  }

  async lock(path: string): Promise<FileLock> {
    if (this.#locks.has(path)) throw new FilesError('locked', path, 'data directory is in use by this process');
    this.#locks.add(path);
    return {
      release: async () => {
        this.#locks.delete(path);
      },
    };
  }

  /** Bytes of all files as programs see them. */
  usedBytes(): number {
    let used = 0;
    for (const entry of this.#names.values()) if (entry instanceof SimulatedInode) used += entry.sizeBytes;
    return used;
  }

  /**
   * The power goes now: decides what of the unsynced is kept. Every open file is dead afterwards.
   * @param lossRate share of unsynced sectors and names that do not land, garbage in their place where nothing durable stood; drawn from 0, 0.1, 0.5, 1 unless given
   */
  powerCut(lossRate?: number): void {
    if (!this.#powered) return;
    this.#powered = false;
    const keep = lossRate === undefined ? [0, 1, 0.5, 0.9][Math.floor(this.#random() * 4)]! : 1 - lossRate;
    const garbageRate = lossRate === undefined ? 0.3 : 1;
    for (const change of this.#nameChanges) if (this.#random() < keep) applyChange(this.#durableNames, change);
    this.#nameChanges = [];
    for (const [name] of [...this.#durableNames])
      if (!this.#durableNames.has(dirname(name))) removeTree(this.#durableNames, name);
    const inodes = new Set([...this.#names.values(), ...this.#durableNames.values()]);
    for (const inode of inodes) if (inode instanceof SimulatedInode) inode.powerCut(this.#random, keep, garbageRate);
    this.#names = new Map(this.#durableNames);
    this.#locks.clear();
  }

  /** Power comes back, with whatever the cut left. Cuts first when the power is still on. @param lossRate as of `powerCut` */
  reboot(lossRate?: number): void {
    this.powerCut(lossRate);
    this.#powered = true;
    this.#boot++;
    this.fault = undefined;
  }

  /** The process is killed and started again while the power stays on: the page cache is kept, every open file and lock is gone. */
  restartProcess(): void {
    this.#locks.clear();
    this.#boot++;
    this.fault = undefined;
  }

  /** Flips bits of one stored byte (bit rot). */
  corrupt(path: string, offset: number, mask: number): void {
    this.#inode(path).corrupt(offset, mask);
  }

  /** Every file's bytes as programs see them, by path in ascending order. @param prefix only paths that begin so */
  image(prefix = ''): Map<string, Uint8Array> {
    const image = new Map<string, Uint8Array>();
    const paths = [...this.#names.keys()].filter((path) => path.startsWith(prefix));
    for (const path of paths.sort()) {
      const entry = this.#names.get(path);
      if (!(entry instanceof SimulatedInode)) continue;
      const bytes = new Uint8Array(entry.sizeBytes);
      entry.read(0, bytes);
      image.set(path, bytes);
    }
    return image;
  }
}
