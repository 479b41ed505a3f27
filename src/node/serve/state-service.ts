/**
 * Answers of a node to peers that fast-sync: the manifest of a recent height, and pieces of the op log with their proofs.
 *
 * Invariants
 * - Only durable ops are served. What is not kept (any more) is answered by 'pruned' or by no frame, never by an error.
 * - Bounded: `PIECES_AT_ONCE_MAX` pieces in memory over all peers, `PIECES_AT_ONCE_PER_PEER_MAX` for one, `QUESTIONS_PER_SECOND` each;
 *   more are refused as busy.
 * - A peer that asks keeps the segments it reads (sync-leases.ts).
 */
import { PIECE_OPS, readPieceFrame, type StateSource, StorageError } from '../../../storage/index.ts';
import { Slots } from '../../net/admission.ts';
import { realTimers, type Timers } from '../../net/timers.ts';
import { TokenBucket } from '../../net/token-bucket.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import { decodeMessage, encodeMessage, HeightRequest, PieceRequest, PROTOCOL } from '../protocols.ts';
import { SyncLeases } from './sync-leases.ts';

export const PIECES_AT_ONCE_MAX = 32;
export const PIECES_AT_ONCE_PER_PEER_MAX = 8;
/** Questions of one peer: sustained, and at once. A piece a question: more than a fast link carries. */
export const QUESTIONS_PER_SECOND = 512;
/** Peers whose rate is remembered. */
const PEERS_REMEMBERED_MAX = 4096;

export interface StateServiceDeps {
  readonly transport: Pick<Transport, 'handle'>;
  readonly source: StateSource;
  /** The process's clock unless given. */
  readonly timers?: Timers;
}

/** Registers the handlers. `close` ends the leases. */
export class StateService {
  readonly leases: SyncLeases;
  readonly #source: StateSource;
  readonly #timers: Timers;
  readonly #serving = new Slots(PIECES_AT_ONCE_PER_PEER_MAX);
  readonly #rates = new Map<PeerName, TokenBucket>();
  #piecesAtOnce = 0;

  constructor({ transport, source, timers }: StateServiceDeps) {
    this.#source = source;
    this.#timers = timers ?? realTimers;
    this.leases = new SyncLeases(this.#timers);
    transport.handle(PROTOCOL.stateManifest, (from, request) => this.#manifest(from, request));
    transport.handle(PROTOCOL.statePiece, (from, request) => this.#piece(from, request));
  }

  /** Lets go of every segment. */
  close(): void {
    this.leases.close();
  }

  async *#manifest(from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const { height } = decodeMessage(HeightRequest, request, from, PROTOCOL.stateManifest);
    this.#requireRate(from);
    const served = await orUndefined(() => this.#readManifest(from, height));
    if (served === undefined) yield encodeMessage({ ...this.#pruned() });
    else yield* served;
  }

  async #readManifest(from: PeerName, height: number): Promise<Uint8Array[] | undefined> {
    const manifest = this.#source.manifest(height);
    if (manifest === undefined) return undefined;
    const { firstOp, opCount } = manifest;
    this.leases.grant(from, firstOp, (op) => this.#source.pin(op));
    const start = await readPieceFrame(this.#source, { from: firstOp, to: firstOp + 1 }, opCount);
    return [encodeMessage({ kind: 'manifest', ...manifest }), start];
  }

  #pruned(): { kind: 'pruned'; first: number; last: number } {
    const { first, last } = this.#source.heights() ?? { first: 0, last: 0 };
    return { kind: 'pruned', first, last };
  }

  async *#piece(peer: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const { size, from, to } = decodeMessage(PieceRequest, request, peer, PROTOCOL.statePiece);
    if (from >= to || to - from > PIECE_OPS || to > size)
      throw new PeerFault(peer, 'bad-piece-request', `ops ${from} .. ${to} of ${size}`);
    this.#requireRate(peer);
    if (from < this.#source.firstOp || size > this.#source.opCount) return;
    const leave = this.#enter(peer);
    try {
      this.leases.touch(peer);
      const frame = await orUndefined(() => readPieceFrame(this.#source, { from, to }, size));
      if (frame !== undefined) yield frame;
    } finally {
      leave();
    }
  }

  #enter(peer: PeerName): () => void {
    if (this.#piecesAtOnce >= PIECES_AT_ONCE_MAX) throw new TransportError('busy', 'many peers ask for pieces');
    if (!this.#serving.enter(peer))
      throw new TransportError('busy', `over ${PIECES_AT_ONCE_PER_PEER_MAX} pieces at once`);
    this.#piecesAtOnce += 1;
    return () => {
      this.#piecesAtOnce -= 1;
      this.#serving.leave(peer);
    };
  }

  #requireRate(peer: PeerName): void {
    const now = this.#timers.now();
    let bucket = this.#rates.get(peer);
    if (bucket === undefined) {
      if (this.#rates.size >= PEERS_REMEMBERED_MAX) this.#rates.clear();
      bucket = new TokenBucket(QUESTIONS_PER_SECOND, QUESTIONS_PER_SECOND, now);
      this.#rates.set(peer, bucket);
    }
    if (!bucket.take(1, now)) throw new TransportError('busy', `over ${QUESTIONS_PER_SECOND} questions a second`);
  }
}

/** What went away while it was read is not there. */
async function orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StorageError && error.code === 'not-found') return undefined;
    throw error;
  }
}
