/**
 * A replicator's answers to those who want history: segments decoded out of its replicas, the roots to check them by, and the headers those hang on.
 *
 * The same protocols as an archive's (archive-service.ts), so whoever fetches history need not know whom it asks.
 *
 * Invariants
 * - A segment's bytes leave here only after their leaves hashed to what was recorded at encode time (replica-file.ts). A damaged replica ends the
 *   answer with a refusal and is reported to the keeper.
 * - Bounded: `SEGMENTS_AT_ONCE_MAX` answers under way over all peers, `SEGMENTS_AT_ONCE_PER_PEER_MAX` for one, a frame of each in memory;
 *   likewise openings, each whole.
 */
import { CorruptReplicaError, type Replica } from '../../../replicator/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { Slots } from '../../net/admission.ts';
import { type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import {
  decodeMessage,
  EmptyRequest,
  FETCH_HEADERS_MAX,
  OPENING_FRAME_SIZE_BYTES,
  OpeningRequest,
  PROTOCOL,
  RangeRequest,
  SEGMENT_ROOTS_MAX,
  SegmentRequest,
} from '../protocols.ts';
import { ROOTS_PER_FRAME, SEGMENT_FRAME_SIZE_BYTES } from './archive-service.ts';

export const SEGMENTS_AT_ONCE_MAX = 16;
export const SEGMENTS_AT_ONCE_PER_PEER_MAX = 4;
/** Whole openings are in memory while they are given: a few for each validator. */
export const OPENINGS_AT_ONCE_MAX = 64;
export const OPENINGS_AT_ONCE_PER_PEER_MAX = 8;

export interface ReplicaServiceDeps {
  readonly transport: Pick<Transport, 'handle'>;
  readonly segmentSizeBytes: number;
  /** Roots of segments 0 .. n - 1, as a final header says. */
  readonly roots: () => readonly Uint8Array[];
  /** The newest proof of finality seen: header, certificate. */
  readonly finality: () => readonly [Uint8Array, Uint8Array] | undefined;
  /** The final header of a height, when it is kept. */
  readonly header: (height: number) => BlockHeader | undefined;
  /** Opens a replica of a segment; undefined when none is held. The service closes it. */
  readonly open: (segment: number) => Promise<Replica | undefined>;
  /** The openings behind a proof this replicator sent; undefined when they are not held. */
  readonly opening: (segment: number, period: number) => Promise<Uint8Array | undefined>;
  /** A replica gave wrong bytes. */
  readonly onDamaged: (segment: number, error: CorruptReplicaError) => void;
}

export class ReplicaService {
  readonly #deps: ReplicaServiceDeps;
  readonly #segments = underWay('segments', SEGMENTS_AT_ONCE_MAX, SEGMENTS_AT_ONCE_PER_PEER_MAX);
  readonly #openings = underWay('openings', OPENINGS_AT_ONCE_MAX, OPENINGS_AT_ONCE_PER_PEER_MAX);
  #bytesServed = 0;

  /** Registers the handlers. */
  constructor(deps: ReplicaServiceDeps) {
    this.#deps = deps;
    const { transport } = deps;
    transport.handle(PROTOCOL.segment, (from, request) => this.#segment(from, request));
    transport.handle(PROTOCOL.segmentRoots, (from, request) => this.#roots(from, request));
    transport.handle(PROTOCOL.opening, (from, request) => this.#opening(from, request));
    transport.handle(PROTOCOL.finality, (from, request) => this.#finality(from, request));
    transport.handle(PROTOCOL.headers, (from, request) => this.#headers(from, request));
  }

  /** Segment bytes given out since the start. */
  get bytesServed(): number {
    return this.#bytesServed;
  }

  async *#segment(peer: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const { index, offset } = decodeMessage(SegmentRequest, request, peer, PROTOCOL.segment);
    const leave = this.#enter(peer, this.#segments);
    try {
      const replica = await this.#deps.open(index);
      if (replica === undefined) return;
      try {
        for (let at = offset; at < this.#deps.segmentSizeBytes; at += SEGMENT_FRAME_SIZE_BYTES)
          yield await this.#piece(replica, index, at);
      } finally {
        await replica.close();
      }
    } finally {
      leave();
    }
  }

  async #piece(replica: Replica, segment: number, offset: number): Promise<Uint8Array> {
    const sizeBytes = Math.min(SEGMENT_FRAME_SIZE_BYTES, this.#deps.segmentSizeBytes - offset);
    try {
      const bytes = await replica.read(offset, sizeBytes);
      this.#bytesServed += bytes.length;
      return bytes;
    } catch (error) {
      if (!(error instanceof CorruptReplicaError)) throw error;
      this.#deps.onDamaged(segment, error);
      throw new TransportError('closed', 'the replica turned out to be damaged', { cause: error });
    }
  }

  async *#roots(peer: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const range = decodeMessage(RangeRequest, request, peer, PROTOCOL.segmentRoots);
    const roots = this.#deps.roots();
    const end = Math.min(roots.length, range.from + Math.min(range.countMax, SEGMENT_ROOTS_MAX));
    for (let first = range.from; first < end; first += ROOTS_PER_FRAME)
      yield Uint8Array.from(Buffer.concat(roots.slice(first, Math.min(end, first + ROOTS_PER_FRAME))));
  }

  async *#opening(peer: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const { segment, period } = decodeMessage(OpeningRequest, request, peer, PROTOCOL.opening);
    const leave = this.#enter(peer, this.#openings);
    try {
      const body = await this.#deps.opening(segment, period);
      for (let at = 0; at < (body?.length ?? 0); at += OPENING_FRAME_SIZE_BYTES)
        yield body!.subarray(at, at + OPENING_FRAME_SIZE_BYTES);
    } finally {
      leave();
    }
  }

  async *#finality(peer: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    decodeMessage(EmptyRequest, request, peer, PROTOCOL.finality);
    yield* this.#deps.finality() ?? [];
  }

  async *#headers(peer: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const { from, countMax } = decodeMessage(RangeRequest, request, peer, PROTOCOL.headers);
    for (let at = from; at < from + Math.min(countMax, FETCH_HEADERS_MAX); at += 1) {
      const header = this.#deps.header(at);
      if (header === undefined) return;
      yield header.bytes;
    }
  }

  #enter(peer: PeerName, under: UnderWay): () => void {
    const { atOnceMax, perPeerMax, slots, what } = under;
    if (under.atOnce >= atOnceMax) throw new TransportError('busy', `many peers ask for ${what}`);
    if (!slots.enter(peer)) throw new TransportError('busy', `over ${perPeerMax} ${what} at once`);
    under.atOnce += 1;
    return () => {
      under.atOnce -= 1;
      slots.leave(peer);
    };
  }
}

/** Answers of one kind that are under way. */
interface UnderWay {
  readonly what: string;
  readonly atOnceMax: number;
  readonly perPeerMax: number;
  readonly slots: Slots;
  atOnce: number;
}

function underWay(what: string, atOnceMax: number, perPeerMax: number): UnderWay {
  return { what, atOnceMax, perPeerMax, slots: new Slots(perPeerMax), atOnce: 0 };
}
