/** A whole simulated machine to keep data on: files and key-value stores over one disk, which loses its power or fails at a chosen operation. */
import type { Disk } from '../../storage/disk.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { SimulatedKeyValues } from '../../storage/key-value/simulated-key-values.ts';

const FREE_BYTES = 2 ** 40;

export class SimulatedMachine implements Disk {
  readonly files: SimulatedDisk;
  readonly keyValues: SimulatedKeyValues;

  constructor(seed: number) {
    this.files = new SimulatedDisk(seed);
    this.keyValues = new SimulatedKeyValues({
      random: seededRandom(seed + 1),
      sync: (path) => this.#syncEnvironment(path),
      placeOf: (path) => this.files.environmentAt(path),
    });
  }

  async freeBytes(): Promise<number> {
    return FREE_BYTES;
  }

  /** The power goes, unless it has gone already, and comes back. @param lossRate as of `SimulatedDisk` */
  powerCut(lossRate?: number): void {
    this.files.reboot(lossRate);
    this.keyValues.powerCut();
  }

  /** An operation like any other, so that faults strike there too. */
  async #syncEnvironment(path: string): Promise<void> {
    const file = await this.files.open(`${path}/data.mdb`, 'write');
    await file.sync();
    await file.close();
  }
}
