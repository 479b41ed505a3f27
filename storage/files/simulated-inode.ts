/**
 * One file of the simulated disk: what is durable, and what may or may not have reached the platter since.
 *
 * Invariants
 * - Every sector has its durable bytes and the versions written since the last good sync, oldest first; a power cut keeps any one.
 * - A sector past the durable end may come back as zeros or as garbage when the size that landed covers it.
 * - After a failed sync the versions written before it are `lost`: visible, but no later sync makes them durable unless the
 *   sector is written again.
 */
import { SECTOR_SIZE_BYTES } from './files.ts';

/** A number within 0 .. 1 (1 excluded), reproducible from a seed. */
export type Random = () => number;

/** Mulberry32: small, fast, and good enough to choose faults. @param seed any integer */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Version {
  readonly bytes: Uint8Array;
  lost: boolean;
}

const ZEROS = new Uint8Array(SECTOR_SIZE_BYTES);
const sectorOf = (offset: number): number => Math.floor(offset / SECTOR_SIZE_BYTES);

export class SimulatedInode {
  sizeBytes = 0;
  #durableSize = 0;
  #pendingSizes: number[] = [];
  readonly #durable = new Map<number, Uint8Array>();
  readonly #pending = new Map<number, Version[]>();

  #sector(index: number): Uint8Array {
    return this.#pending.get(index)?.at(-1)?.bytes ?? this.#durable.get(index) ?? ZEROS;
  }

  #push(index: number, bytes: Uint8Array): void {
    const versions = this.#pending.get(index);
    if (versions === undefined) this.#pending.set(index, [{ bytes, lost: false }]);
    else versions.push({ bytes, lost: false });
  }

  #setSize(sizeBytes: number): void {
    if (sizeBytes === this.sizeBytes) return;
    this.sizeBytes = sizeBytes;
    this.#pendingSizes.push(sizeBytes);
  }

  read(offset: number, target: Uint8Array): number {
    const length = Math.max(0, Math.min(target.length, this.sizeBytes - offset));
    if (length === 0) return 0;
    for (let done = 0; done < length; ) {
      const within = (offset + done) % SECTOR_SIZE_BYTES;
      const part = Math.min(SECTOR_SIZE_BYTES - within, length - done);
      target.set(this.#sector(sectorOf(offset + done)).subarray(within, within + part), done);
      done += part;
    }
    return length;
  }

  write(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // One copy for all sectors: the first and the last are filled up with what stands there.
    const first = sectorOf(offset);
    const last = sectorOf(offset + bytes.length - 1);
    const copy = new Uint8Array((last - first + 1) * SECTOR_SIZE_BYTES);
    copy.set(this.#sector(first), 0);
    if (last > first) copy.set(this.#sector(last), copy.length - SECTOR_SIZE_BYTES);
    copy.set(bytes, offset - first * SECTOR_SIZE_BYTES);
    for (let index = first; index <= last; index += 1) {
      const at = (index - first) * SECTOR_SIZE_BYTES;
      this.#push(index, copy.subarray(at, at + SECTOR_SIZE_BYTES));
    }
    this.#setSize(Math.max(this.sizeBytes, offset + bytes.length));
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      const first = sectorOf(sizeBytes);
      const kept = this.#sector(first).slice();
      kept.fill(0, sizeBytes % SECTOR_SIZE_BYTES);
      this.#push(first, kept);
      for (let index = first + 1; index <= sectorOf(this.sizeBytes); index++) this.#push(index, ZEROS);
    }
    this.#setSize(sizeBytes);
  }

  sync(): void {
    for (const [index, versions] of this.#pending) {
      const latest = versions.at(-1)!;
      if (latest.lost) continue;
      this.#durable.set(index, latest.bytes);
      this.#pending.delete(index);
    }
    this.#durableSize = this.sizeBytes;
    this.#pendingSizes = [];
  }

  failSync(): void {
    for (const versions of this.#pending.values()) for (const version of versions) version.lost = true;
  }

  /**
   * The power goes: each unsynced sector lands in one of its versions or not at all.
   * @param keep chance of landing, 0 .. 1 @param garbageRate chance of garbage in a sector that did not land and was never durable
   */
  powerCut(random: Random, keep: number, garbageRate: number): void {
    const sizes = [this.#durableSize, ...this.#pendingSizes];
    const size = random() < keep ? sizes[sizes.length - 1]! : sizes[Math.floor(random() * sizes.length)]!;
    for (const [index, versions] of this.#pending) {
      if (random() < keep) this.#durable.set(index, versions[Math.floor(random() * versions.length)]!.bytes);
      else if (index * SECTOR_SIZE_BYTES >= this.#durableSize && random() < garbageRate)
        this.#durable.set(index, garbage(random));
    }
    this.#pending.clear();
    this.#pendingSizes = [];
    this.#durableSize = size;
    this.sizeBytes = size;
    this.#dropPastEnd();
  }

  /** Bytes past the end never come back: a file that grows again shows zeros there. */
  #dropPastEnd(): void {
    for (const [index, bytes] of this.#durable) {
      const end = this.sizeBytes - index * SECTOR_SIZE_BYTES;
      if (end <= 0) this.#durable.delete(index);
      else if (end < SECTOR_SIZE_BYTES) this.#durable.set(index, bytes.slice().fill(0, end));
    }
  }

  /** Bit rot: flips bits of a durable byte. */
  corrupt(offset: number, mask: number): void {
    const sector = this.#sector(sectorOf(offset)).slice();
    sector[offset % SECTOR_SIZE_BYTES]! ^= mask;
    this.#durable.set(sectorOf(offset), sector);
  }
}

function garbage(random: Random): Uint8Array {
  return Uint8Array.from({ length: SECTOR_SIZE_BYTES }, () => Math.floor(random() * 256));
}
