/** How far a fast sync has come, how fast, and from whom: counted, and told after each step. */
import type { Timers } from '../../net/timers.ts';
import type { PeerPool } from './peer-pool.ts';

/** The rate is that of about this long. */
const RATE_WINDOW_MS = 5_000;

export interface FastSyncProgress {
  readonly stage: 'blocks' | 'state' | 'segments';
  /** Blocks or ops so far, and how many there will be; for blocks the total is not known before the end. */
  readonly done: number;
  readonly total: number | null;
  /** Bytes taken and kept in this attempt. */
  readonly bytes: number;
  /** Of the last few seconds. */
  readonly bytesPerSecond: number;
  /** Peers that are asked, and peers that were banned. */
  readonly peers: number;
  readonly banned: number;
}

export class ProgressMeter {
  /** Set once there are peers. */
  pool: PeerPool | undefined;
  bytes = 0;
  readonly #timers: Timers;
  readonly #tell: ((progress: FastSyncProgress) => void) | undefined;
  #blocks = 0;
  /** Two marks (time, bytes): the rate is measured from the older one. */
  #marks: [number, number][];

  constructor(timers: Timers, tell: ((progress: FastSyncProgress) => void) | undefined) {
    this.#timers = timers;
    this.#tell = tell;
    this.#marks = [[timers.now(), 0]];
  }

  /** One block more. */
  blocks(bytes: number): void {
    this.#blocks += 1;
    this.#step('blocks', this.#blocks, null, bytes);
  }

  /** Ops so far, of how many; with so many bytes more. */
  state(done: number, total: number, bytes: number): void {
    this.#step('state', done, total, bytes);
  }

  /** Segments so far, of how many; with so many bytes more. */
  segments(done: number, total: number, bytes: number): void {
    this.#step('segments', done, total, bytes);
  }

  #step(stage: FastSyncProgress['stage'], done: number, total: number | null, bytes: number): void {
    this.bytes += bytes;
    this.#tell?.({
      stage,
      done,
      total,
      bytes: this.bytes,
      bytesPerSecond: this.#rate(),
      peers: this.pool?.used.length ?? 0,
      banned: this.pool?.bannedCount ?? 0,
    });
  }

  #rate(): number {
    const now = this.#timers.now();
    if (now - this.#marks.at(-1)![0] >= RATE_WINDOW_MS) this.#marks = [this.#marks.at(-1)!, [now, this.bytes]];
    const [sinceMs, since] = this.#marks[0]!;
    return now > sinceMs ? Math.round(((this.bytes - since) * 1000) / (now - sinceMs)) : 0;
  }
}
