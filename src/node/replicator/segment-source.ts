/**
 * Fetches completed segments from whoever keeps them: archives, replicators, validators.
 *
 * Invariants: the list of segment roots is taken only when its Merkle root and count are those of a final header; a segment's bytes are streamed to
 * the encoder, which compares their root with the list's before the replica gets its name. Answers are bounded by the segment's size.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import { HistoryCursor, type HistoryShape } from '../../../storage/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import { encodeMessage, PROTOCOL, SEGMENT_ROOTS_MAX } from '../protocols.ts';
import { ask } from '../relay/ask.ts';

/** Smaller frames than this, on average, no honest peer sends of a segment. */
const FRAME_SIZE_BYTES_MIN = 256;

export interface SegmentSourceDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly shape: HistoryShape;
}

export class SegmentSource {
  readonly #deps: SegmentSourceDeps;
  #roots: Uint8Array[] = [];
  #bytesFetched = 0;

  constructor(deps: SegmentSourceDeps) {
    this.#deps = deps;
  }

  /** Segment bytes fetched since the start. */
  get bytesFetched(): number {
    return this.#bytesFetched;
  }

  /** Roots known so far: of segments 0 .. length - 1. */
  get roots(): readonly Uint8Array[] {
    return this.#roots;
  }

  /** Takes roots that an earlier run of this process had compared with a final header. */
  adoptRoots(roots: readonly Uint8Array[]): void {
    this.#roots = [...roots];
  }

  /** Brings the list of roots up to a final header. Throws `PeerFault` when the peer's list is not the header's. */
  async updateRoots(peer: PeerName, header: BlockHeader): Promise<void> {
    if (header.segmentCount <= this.#roots.length) return;
    const fetched: Uint8Array[] = this.#roots.slice();
    while (fetched.length < header.segmentCount) {
      const countMax = Math.min(SEGMENT_ROOTS_MAX, header.segmentCount - fetched.length);
      const request = encodeMessage({ from: fetched.length, countMax });
      const question = { protocol: PROTOCOL.segmentRoots, request, framesMax: countMax, sizeBytesMax: countMax * 32 };
      const before = fetched.length;
      for await (const frame of ask(this.#deps.transport, peer, question))
        for (const root of split(frame, peer)) fetched.push(root);
      if (fetched.length === before) throw new PeerFault(peer, 'missing-roots', 'no segment roots in the answer');
    }
    const { segmentsRoot } = HistoryCursor.rebuild(
      this.#deps.kernels,
      this.#deps.shape,
      packed(fetched),
      new Uint8Array(0),
    );
    if (fetched.length !== header.segmentCount || !sameBytes(segmentsRoot, header.segmentsRoot))
      throw new PeerFault(peer, 'bad-segment-roots', 'the segment roots are not those of the final header');
    this.#roots = fetched;
  }

  /** Roots in one piece, 32 bytes each. */
  get packedRoots(): Uint8Array {
    return packed(this.#roots);
  }

  /** A segment's bytes from `offset` on as they come, unchecked: who takes them checks them as a whole. */
  async *stream(peer: PeerName, index: number, offset: number = 0): AsyncGenerator<Uint8Array> {
    const sizeBytesMax = this.#deps.shape.segmentSizeBytes - offset;
    const framesMax = Math.ceil(sizeBytesMax / FRAME_SIZE_BYTES_MIN);
    const question = { protocol: PROTOCOL.segment, request: encodeMessage({ index, offset }), framesMax, sizeBytesMax };
    for await (const frame of ask(this.#deps.transport, peer, question)) {
      this.#bytesFetched += frame.length;
      yield frame;
    }
  }

  /**
   * A segment's bytes from `offset` on, from one peer after the other: where one breaks off, the next goes on. Whose bytes came is told by `givers`;
   * when nobody is left it throws the last peer's `TransportError`, or ends early when nobody keeps the segment.
   */
  async *streamFrom(fetch: SegmentFetch, offset: number): AsyncGenerator<Uint8Array> {
    let at = offset;
    let failure: TransportError | undefined;
    for (const peer of fetch.peers) {
      try {
        for await (const frame of this.stream(peer, fetch.index, at)) {
          fetch.givers.add(peer);
          at += frame.length;
          yield frame;
        }
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        failure = error;
      }
      if (at >= this.#deps.shape.segmentSizeBytes) return;
    }
    if (failure !== undefined) throw failure;
  }
}

/** One segment to fetch from several peers. */
export interface SegmentFetch {
  readonly index: number;
  /** In the order they are asked. */
  readonly peers: readonly PeerName[];
  /** Filled in: who gave bytes. */
  readonly givers: Set<PeerName>;
}

function split(frame: Uint8Array, peer: PeerName): Uint8Array[] {
  if (frame.length % 32 !== 0)
    throw new PeerFault(peer, 'malformed-roots', `${frame.length} bytes are no list of roots`);
  return Array.from({ length: frame.length / 32 }, (_, index) => frame.slice(index * 32, index * 32 + 32));
}

function packed(roots: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(roots.length * 32);
  for (let index = 0; index < roots.length; index += 1) bytes.set(roots[index]!, index * 32);
  return bytes;
}
