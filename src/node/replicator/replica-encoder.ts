/**
 * Encodes and rotates replicas beside everything else, one at a time, or two where there are threads: what takes as long as reading and writing a segment.
 *
 * Invariants
 * - A segment is worked on once at a time.
 * - A peer is blamed only for bytes that were all its own. When several gave parts of a segment that turned out wrong, it is fetched again from one alone.
 * - What was written before a kill, a lost peer or a stop is gone on with (replica-writer.ts): the source is asked for the rest only.
 * - A segment that nobody gives goes behind the others.
 */
import type { Hash } from '../../../native/index.ts';
import {
  CorruptReplicaError,
  proveKey,
  type ReplicaHeader,
  type ReplicaStore,
  type ReplicatorAction,
  ReplicatorError,
  type ReplicatorErrorCode,
  type SegmentGeometry,
  type VrfKey,
} from '../../../replicator/index.ts';
import { FilesError } from '../../../storage/index.ts';
import { PeerFault, type PeerName, TransportError } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import type { ReplicatorFaults } from './faults.ts';
import type { SegmentSource } from './segment-source.ts';

/** What the encoder says of bytes that are not the segment asked for. */
const WRONG_SEGMENT: readonly string[] = ['segment-root', 'source-long'] satisfies ReplicatorErrorCode[];

export type LongAction = Extract<ReplicatorAction, { readonly kind: 'encode' | 'rotate' }>;

export function isLong(action: ReplicatorAction): action is LongAction {
  return action.kind === 'encode' || action.kind === 'rotate';
}

/** Failures that are the caller's to deal with: a disk that fails, a peer that lies or is gone. */
export function isCallers(error: unknown): boolean {
  return error instanceof FilesError || error instanceof PeerFault || error instanceof TransportError;
}

export interface EncoderDeps {
  readonly store: ReplicaStore;
  readonly vrf: VrfKey;
  readonly geometry: SegmentGeometry;
  readonly segments: SegmentSource;
  readonly faults: ReplicatorFaults;
  /** A rotation's designated hash; undefined while it is not final. */
  readonly rotationHash: (rotation: number) => Hash | undefined;
  /** Whether a rotation of this segment reads the own replica unchecked. Fault injection only. */
  readonly isUnchecked: (segment: number) => boolean;
  readonly log: Logger;
}

/** The encoding under way. */
export interface EncodingNow {
  readonly action: LongAction;
  /** 0 .. 1. */
  readonly progress: number;
}

/** What came of an action. */
export interface Encoded {
  readonly action: LongAction;
  readonly header?: ReplicaHeader;
  /** The own replica that was to be rotated, which turned out to be damaged and was dropped. */
  readonly damaged?: { readonly segment: number; readonly rotation: number };
}

type EncodeRequest = Omit<Parameters<ReplicaStore['encode']>[0], 'source' | 'segmentRoot'>;

export class ReplicaEncoder {
  readonly #deps: EncoderDeps;
  /** By segment. */
  readonly #current = new Map<number, { readonly action: LongAction; encodedSizeBytes: number }>();
  readonly #working = new Set<Promise<void>>();
  #isStopping = false;
  /** What failed since it was last told. */
  #failure: Error | undefined;
  /** When an encoding of a segment last failed, as a running number. */
  readonly #missed = new Map<number, number>();
  #misses = 0;
  /** Segments whose bytes came from several peers and did not fit together. */
  readonly #mixed = new Set<number>();

  constructor(deps: EncoderDeps) {
    this.#deps = deps;
  }

  /** What is under way. */
  get current(): readonly EncodingNow[] {
    const { segmentSizeBytes } = this.#deps.geometry;
    return [...this.#current.values()].map(({ action, encodedSizeBytes }) => ({
      action,
      progress: encodedSizeBytes / segmentSizeBytes,
    }));
  }

  /** Whether another one may begin. */
  get isFree(): boolean {
    return this.#current.size < this.#deps.store.encodingsAtOnce;
  }

  /** Begins as many of the actions as may be under way. @param peers serve a segment, in the order they are asked @param onDone told what came of it */
  begin(actions: readonly LongAction[], peers: readonly PeerName[], onDone: (encoded: Encoded) => void): void {
    if (this.#isStopping) return;
    for (const action of [...actions].sort((a, b) => this.#missedAt(a) - this.#missedAt(b))) {
      if (!this.isFree) return;
      if (this.#current.has(action.segment)) continue;
      this.#current.set(action.segment, { action, encodedSizeBytes: 0 });
      const working = this.#attempt(action, peers, onDone).finally(() => {
        this.#current.delete(action.segment);
        this.#working.delete(working);
      });
      this.#working.add(working);
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#working);
  }

  /** Throws what failed since the last time. */
  tellFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  /** Ends what is under way at its next chunk. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#working);
  }

  #missedAt({ segment }: LongAction): number {
    return this.#missed.get(segment) ?? 0;
  }

  async #attempt(action: LongAction, peers: readonly PeerName[], onDone: (encoded: Encoded) => void): Promise<void> {
    try {
      const encoded = await this.#perform(action, peers);
      this.#missed.delete(action.segment);
      if (encoded !== undefined) onDone({ action, ...encoded });
    } catch (error) {
      this.#misses += 1;
      this.#missed.set(action.segment, this.#misses);
      if (isCallers(error)) this.#failure ??= error as Error;
      else this.#deps.log.warn({ ...action, error: (error as Error).message }, 'action failed, planned again');
    }
  }

  #perform(action: LongAction, peers: readonly PeerName[]): Promise<Omit<Encoded, 'action'> | undefined> {
    const request = this.#request(action);
    if (request === undefined) return Promise.resolve(undefined);
    // Who lost parts of a replica on purpose cannot read the segment out of it.
    if (action.kind === 'encode' || this.#deps.faults.erases) return this.#encode(request, peers);
    return this.#rotate(request, action.fromRotation);
  }

  async #encode(request: EncodeRequest, peers: readonly PeerName[]): Promise<Pick<Encoded, 'header'> | undefined> {
    const { store, segments, faults } = this.#deps;
    const { segment } = request;
    const segmentRoot = segments.roots[segment];
    if (segmentRoot === undefined) return undefined;
    // After bytes of several peers did not fit together, one is asked alone: then it is known who lied.
    const asked = this.#mixed.has(segment) ? peers.slice(0, 1) : peers;
    const fetch = { index: segment, peers: asked, givers: new Set<PeerName>() };
    let begunAt = 0;
    const source = (offset: number): AsyncIterable<Uint8Array> => {
      begunAt = offset;
      return segments.streamFrom(fetch, offset);
    };
    try {
      const header = await store.encode({ ...request, source, segmentRoot });
      await faults.afterEncode(store, header);
      this.#mixed.delete(segment);
      return { header };
    } catch (error) {
      if (!(error instanceof ReplicatorError)) throw error;
      throw this.#sourceFailure(error, segment, begunAt === 0 ? [...fetch.givers] : []);
    }
  }

  /** Who is to blame for bytes that are not the segment: the one who gave all of them; nobody when there were several. */
  #sourceFailure(error: ReplicatorError, segment: number, givers: readonly PeerName[]): Error {
    if (error.code === 'source-short') return new TransportError('closed', error.message);
    if (!WRONG_SEGMENT.includes(error.code)) return error;
    const [only] = givers;
    if (only !== undefined && givers.length === 1) return new PeerFault(only, 'wrong-segment', error.message);
    this.#mixed.add(segment);
    return new TransportError('closed', `${error.message}: of several peers, one sent wrong bytes`);
  }

  async #rotate(request: EncodeRequest, fromRotation: number): Promise<Omit<Encoded, 'action'>> {
    const { store, log, isUnchecked } = this.#deps;
    const { segment } = request;
    try {
      return { header: await store.reencode({ ...request, fromRotation, unchecked: isUnchecked(segment) }) };
    } catch (error) {
      if (!(error instanceof CorruptReplicaError)) throw error;
      log.warn({ segment, fromRotation, error: error.message }, 'own replica is damaged: fetching the segment again');
      await store.drop({ segment, rotation: fromRotation });
      return { damaged: { segment, rotation: fromRotation } };
    }
  }

  #request({ segment, rotation }: LongAction): EncodeRequest | undefined {
    const rotationHash = this.#deps.rotationHash(rotation);
    if (rotationHash === undefined) return undefined;
    const keyProof = proveKey(this.#deps.vrf, { segment, rotation, rotationHash });
    const onProgress = (encodedSizeBytes: number): void => {
      if (this.#isStopping) throw new TransportError('aborted', 'the replicator stops');
      const current = this.#current.get(segment);
      if (current !== undefined) current.encodedSizeBytes = encodedSizeBytes;
    };
    return { segment, rotation, rotationHash, keyProof, onProgress };
  }
}
