/**
 * Fetches completed segments from several peers at once onto the shelf: archives and replicators alike, each of which may keep only some.
 *
 * Invariants
 * - A segment is kept only with the root that the final header's list has for it. One that came whole from one peer and has another root is that peer's
 *   lie: it is banned. One that several gave bytes to is fetched again from one.
 * - One segment at a time from a peer; a peer is asked for each segment once, unless it broke off.
 * - Ends when every segment is there, or when nobody is left who may have the others.
 */

import type { Timers } from '../../net/timers.ts';
import { PeerFault, type PeerName, TransportError } from '../../net/transport.ts';
import type { SegmentSource } from '../replicator/segment-source.ts';
import { FastSyncError } from './fast-sync-error.ts';
import { Pace } from './pace.ts';
import type { PeerPool, SyncPeer } from './peer-pool.ts';
import type { SegmentShelf, SegmentWriter } from './segment-shelf.ts';

export interface SegmentDownloadOptions {
  readonly pool: PeerPool;
  readonly timers: Timers;
  readonly source: SegmentSource;
  readonly shelf: SegmentShelf;
  /** Roots of the segments wanted, from segment 0 on. */
  readonly roots: readonly Uint8Array[];
  /** Told of segments that are there, of how many, and of bytes that came. */
  readonly onProgress: (done: number, total: number, bytes: number) => void;
}

/** How long a peer with nothing to do waits to see whether another fails at what it is fetching. */
const IDLE_MS = 100;

/** Fetches what is missing. Throws `FastSyncError` 'incomplete'; what the disk throws. */
export async function downloadSegments(options: SegmentDownloadOptions): Promise<void> {
  const download = new SegmentDownload(options);
  await download.lookAtShelf();
  await Promise.all(options.pool.used.map((peer) => download.work(peer)));
  download.requireWhole();
}

class SegmentDownload {
  readonly #options: SegmentDownloadOptions;
  readonly #missing = new Set<number>();
  readonly #underWay = new Set<number>();
  /** Segments a peer says it does not keep. */
  readonly #lacking = new Map<SyncPeer, Set<number>>();
  #failed = false;

  constructor(options: SegmentDownloadOptions) {
    this.#options = options;
  }

  /** Takes what an earlier attempt has kept. */
  async lookAtShelf(): Promise<void> {
    const { roots, shelf } = this.#options;
    for (const [index, root] of roots.entries()) if (!(await shelf.has(index, root))) this.#missing.add(index);
    this.#tell(0);
  }

  /** Lets one peer fetch until there is nothing more for it. */
  async work(peer: SyncPeer): Promise<void> {
    const { pool } = this.#options;
    try {
      while (peer.state === 'used' && !this.#failed) {
        await pool.pause(pool.putOffMs(peer));
        const index = this.#next(peer);
        if (index !== undefined) await this.#fetchOne(peer, index);
        else if (this.#mayBeNeeded(peer)) await pool.pause(IDLE_MS);
        else return;
      }
    } catch (error) {
      // The own disk, or a broken invariant: the others end, too.
      this.#failed = true;
      throw error;
    }
  }

  requireWhole(): void {
    const [first] = [...this.#missing].sort((a, b) => a - b);
    if (first === undefined) return;
    const { roots, pool } = this.#options;
    throw new FastSyncError(
      'incomplete',
      `${this.#missing.size} of ${roots.length} segments are kept by none of the peers (the first is ${first}); what came stays: ` +
        `name more peers and run the command again. ${pool.summary}`,
    );
  }

  #next(peer: SyncPeer): number | undefined {
    const lacking = this.#lacking.get(peer);
    for (const index of this.#missing) if (!this.#underWay.has(index) && lacking?.has(index) !== true) return index;
    return undefined;
  }

  /** Whether a segment that another peer is at may yet fall to this one. */
  #mayBeNeeded(peer: SyncPeer): boolean {
    const lacking = this.#lacking.get(peer);
    return [...this.#missing].some((index) => lacking?.has(index) !== true);
  }

  async #fetchOne(peer: SyncPeer, index: number): Promise<void> {
    const { pool, shelf, roots } = this.#options;
    this.#underWay.add(index);
    try {
      const writer = await shelf.begin(index);
      try {
        const answered = await pool.try(peer, ({ name }) => this.#fetchFrom(name, index, writer));
        // A whole answer without a byte: the peer does not keep it. One that broke off was judged for that.
        if (answered !== undefined && !writer.isFull) return this.#noteLacking(peer, index);
        if (!writer.isFull) return;
        if (await writer.finish(roots[index]!)) this.#missing.delete(index);
        // Whole from one peer and wrong: its lie. Begun by another: who knows, it comes again from the beginning.
        else if (writer.resumedBytes === 0) await this.#banLiar(peer, index);
      } finally {
        await writer.close();
      }
    } finally {
      this.#underWay.delete(index);
      this.#tell(0);
    }
  }

  async #fetchFrom(name: PeerName, index: number, writer: SegmentWriter): Promise<void> {
    const { source, timers } = this.#options;
    const begin = writer.offset;
    const frames = new Pace(timers).watch(source.stream(name, index, begin), ({ length }) => length);
    for await (const frame of frames) {
      await writer.append(frame);
      this.#tell(frame.length);
    }
    if (!writer.isFull && writer.offset > begin)
      throw new TransportError('closed', `segment ${index} broke off at byte ${writer.offset}`);
  }

  #noteLacking(peer: SyncPeer, index: number): void {
    const lacking = this.#lacking.get(peer) ?? new Set();
    this.#lacking.set(peer, lacking.add(index));
  }

  async #banLiar(peer: SyncPeer, index: number): Promise<void> {
    const fault = new PeerFault(peer.name, 'wrong-segment', `segment ${index} does not have its root`);
    await this.#options.pool.judge(peer, fault);
  }

  #tell(bytes: number): void {
    const total = this.#options.roots.length;
    this.#options.onProgress(total - this.#missing.size, total, bytes);
  }
}
