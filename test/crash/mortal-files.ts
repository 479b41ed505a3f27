/**
 * One life of a process on a simulated disk: it dies at a chosen file operation, by a power cut or by SIGKILL, and nothing it still does reaches the disk.
 *
 * After its death no operation resolves: as in a process that is gone, nobody sees how it ended.
 */
import type { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import type { Files, StoredFile } from '../../storage/index.ts';

/** A power cut loses what was not synced; SIGKILL leaves the page cache. */
export type DeathKind = 'power' | 'process';

export interface Doom {
  readonly kind: DeathKind;
  /** Which operations count. */
  readonly counts: (path: string) => boolean;
  /** It dies at the operation of this number among them, from 1 on. */
  readonly at: number;
}

export class MortalFiles implements Files {
  readonly #disk: SimulatedDisk;
  readonly #random: () => number;
  readonly #doom: Doom;
  readonly #onDeath: (path: string) => void;
  #counted = 0;
  #isDead = false;

  constructor(disk: SimulatedDisk, random: () => number, doom: Doom, onDeath: (path: string) => void) {
    this.#disk = disk;
    this.#random = random;
    this.#doom = doom;
    this.#onDeath = onDeath;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Ends the life between two operations. */
  die(path = ''): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#onDeath(path);
  }

  async open(path: string, mode: Parameters<Files['open']>[1]): Promise<StoredFile> {
    return this.#mortal(await this.#step(path, () => this.#disk.open(path, mode)));
  }

  #mortal(file: StoredFile): StoredFile {
    const { path } = file;
    return {
      path,
      read: (offset, target) => this.#step(path, () => file.read(offset, target)),
      readSync: (offset, target) => file.readSync(offset, target),
      // Killed in the middle of a write, it may have done a part of it.
      write: (offset, bytes) =>
        this.#step(
          path,
          () => file.write(offset, bytes),
          () => file.write(offset, bytes.subarray(0, Math.floor(this.#random() * bytes.length))),
        ),
      truncate: (sizeBytes) => this.#step(path, () => file.truncate(sizeBytes)),
      sync: () => this.#step(path, () => file.sync()),
      sizeBytes: () => file.sizeBytes(),
      close: () => file.close(),
    };
  }

  exists(path: string): Promise<boolean> {
    return this.#step(path, () => this.#disk.exists(path));
  }
  list(directory: string): Promise<string[]> {
    return this.#step(directory, () => this.#disk.list(directory));
  }
  makeDirectory(path: string): Promise<void> {
    return this.#step(path, () => this.#disk.makeDirectory(path));
  }
  rename(from: string, to: string): Promise<void> {
    return this.#step(from, () => this.#disk.rename(from, to));
  }
  remove(path: string): Promise<void> {
    return this.#step(path, () => this.#disk.remove(path));
  }
  syncDirectory(path: string): Promise<void> {
    return this.#step(path, () => this.#disk.syncDirectory(path));
  }
  lock(path: string): ReturnType<Files['lock']> {
    return this.#disk.lock(path);
  }

  /** @param partly what a kill in the middle of it may leave done; all or nothing unless given */
  #step<T>(path: string, run: () => Promise<T>, partly: () => Promise<unknown> = run): Promise<T> {
    if (this.#isDead) return new Promise(() => {});
    if (this.#doom.counts(path)) this.#counted += 1;
    if (this.#counted < this.#doom.at) return run();
    if (this.#doom.kind === 'power') {
      this.#disk.fault = { at: this.#disk.operations, kind: 'cut' };
      void run().catch(() => {});
    } else if (this.#random() < 0.5) void partly().catch(() => {});
    this.die(path);
    return new Promise(() => {});
  }
}
