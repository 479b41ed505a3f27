/**
 * Segments for checking storage proofs: this node's own, or, of one it has pruned, a copy from a peer that keeps more.
 *
 * A `stream` proof can only be checked with the segment's bytes. If validators that dropped a segment fell silent on its proofs, they would expire and
 * nobody would be paid for the replicas that let it be dropped.
 *
 * Invariants: a fetched copy is given out only with the root that the own history recorded; a peer that sends other bytes is banned; at most
 * `COPIES_SIZE_BYTES_MAX` of copies are kept, in memory.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import { type HistoryShape, segmentRootOf } from '../../../storage/index.ts';
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import type { ChainStore } from '../chain/chain-store.ts';
import type { Logger } from '../log.ts';
import { SegmentSource } from '../replicator/segment-source.ts';

/** Copies are asked for again every period: those that fit here are fetched once. */
const COPIES_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;
/** How many peers are asked for one segment at a look. */
const PEERS_ASKED_MAX = 8;

export interface SegmentCopiesDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly shape: HistoryShape;
  readonly store: Pick<ChainStore, 'segment' | 'segmentRoot' | 'segmentCount'>;
  /** Peers to ask: archives, then replicators. */
  readonly sources: () => readonly PeerName[];
  readonly log: Logger;
}

interface SegmentCopy {
  readonly bytes: Uint8Array;
  readonly root: Uint8Array;
}

export class SegmentCopies {
  readonly #deps: SegmentCopiesDeps;
  readonly #source: SegmentSource;
  /** The one used longest ago first. */
  readonly #copies = new Map<number, SegmentCopy>();

  constructor(deps: SegmentCopiesDeps) {
    this.#deps = deps;
    this.#source = new SegmentSource(deps);
  }

  /** A completed segment and its root; undefined when it is not complete, or nobody gave it. */
  async get(index: number): Promise<SegmentCopy | undefined> {
    const own = await this.#deps.store.segment(index);
    if (own !== undefined) return own;
    if (index >= this.#deps.store.segmentCount) return undefined;
    const copy = this.#copies.get(index) ?? (await this.#fetch(index));
    if (copy !== undefined) this.#keep(index, copy);
    return copy;
  }

  async #fetch(index: number): Promise<SegmentCopy | undefined> {
    const { sources, transport, log } = this.#deps;
    for (const peer of sources().slice(0, PEERS_ASKED_MAX)) {
      try {
        return await this.#fetchFrom(peer, index);
      } catch (error) {
        if (error instanceof PeerFault) transport.ban(peer, `${error.code}: ${error.message}`);
        log.debug({ peer, index, error: (error as Error).message }, 'no copy of a pruned segment from this peer');
      }
    }
    return undefined;
  }

  async #fetchFrom(peer: PeerName, index: number): Promise<SegmentCopy> {
    const { kernels, shape, store } = this.#deps;
    const bytes = new Uint8Array(shape.segmentSizeBytes);
    let size = 0;
    for await (const frame of this.#source.stream(peer, index)) {
      if (size + frame.length > bytes.length)
        throw new PeerFault(peer, 'wrong-segment', 'more bytes than a segment has');
      bytes.set(frame, size);
      size += frame.length;
    }
    if (size < bytes.length) throw new RangeError(`${size} of ${bytes.length} bytes came`);
    const root = store.segmentRoot(index);
    if (!sameBytes(segmentRootOf(kernels, shape, bytes), root))
      throw new PeerFault(peer, 'wrong-segment', `segment ${index} does not have its root`);
    return { bytes, root };
  }

  #keep(index: number, copy: SegmentCopy): void {
    this.#copies.delete(index);
    this.#copies.set(index, copy);
    const countMax = Math.floor(COPIES_SIZE_BYTES_MAX / this.#deps.shape.segmentSizeBytes);
    for (const oldest of this.#copies.keys()) {
      if (this.#copies.size <= countMax) return;
      this.#copies.delete(oldest);
    }
  }
}
