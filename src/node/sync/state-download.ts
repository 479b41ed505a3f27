/**
 * Takes a state from several peers at once: pieces from whoever is free, each proven before it is kept.
 *
 * Invariants
 * - At most `IN_FLIGHT_MAX` pieces are asked for or being kept at a time, `IN_FLIGHT_PER_PEER_MAX` with one peer.
 * - A piece that takes longer than `SECOND_ASK_MS` is asked of a second peer when one has nothing else to do; what comes first is kept.
 *   So a slow peer holds nothing up as long as there is another.
 * - A peer is to blame for its own piece alone.
 */
import type { OpSpan, Piece, StateStage } from '../../../storage/index.ts';
import { TransportError } from '../../net/transport.ts';
import { ANSWER_MS_MAX, fetchPiece, type StateQuestions } from './fetch-state.ts';
import { IN_FLIGHT_PER_PEER_MAX, type PeerPool, type SyncPeer } from './peer-pool.ts';

/** Pieces asked for or being kept: 16 MiB of accounts, 64 MiB at most. */
export const IN_FLIGHT_MAX = 16;
/** When an idle peer is asked for a piece that another has not sent yet. */
export const SECOND_ASK_MS = 2_000;
/** An answer faster than this lets a peer have one more question open. */
const FAST_ANSWER_MS: number = ANSWER_MS_MAX / 8;

export interface StateDownloadDeps extends StateQuestions {
  readonly pool: PeerPool;
  readonly stage: StateStage;
  /** Told of each piece kept. */
  readonly onPiece: (piece: Piece) => void;
}

/** One span that is asked for, of one peer or two. */
interface Flight {
  readonly span: OpSpan;
  readonly askers: Map<SyncPeer, AbortController>;
  readonly startedMs: number;
  isAnswered: boolean;
}

/** Downloads until the stage is whole or nobody is left to ask: see `stage.isWhole`. Throws what keeping throws. */
export function downloadState(deps: StateDownloadDeps): Promise<void> {
  return new Promise((resolve, reject) => new Download(deps, resolve, reject).pump());
}

class Download {
  readonly #deps: StateDownloadDeps;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  readonly #flights = new Set<Flight>();
  #isOver = false;
  #cancelWake: (() => void) | undefined;

  constructor(deps: StateDownloadDeps, resolve: () => void, reject: (error: unknown) => void) {
    this.#deps = deps;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Asks whatever can be asked now; comes back when something changes. */
  pump(): void {
    if (this.#isOver) return;
    const { pool, stage } = this.#deps;
    if (stage.isWhole || (pool.used.length === 0 && this.#flights.size === 0)) this.#end(this.#resolve);
    else this.#wakeIn(this.#askAll(pool.used));
  }

  /** Asks everybody who is free for what there is. @returns when to look again at the latest */
  #askAll(peers: readonly SyncPeer[]): number {
    let wakeMs = Number.POSITIVE_INFINITY;
    for (let found = true; found; ) {
      found = false;
      for (const peer of byLoad(peers)) {
        if (peer.state !== 'used' || peer.inFlight >= peer.window) continue;
        const putOffMs = this.#deps.pool.putOffMs(peer);
        if (putOffMs > 0) wakeMs = Math.min(wakeMs, putOffMs);
        else if (this.#askNext(peer)) found = true;
        else if (this.#flights.size > 0) wakeMs = Math.min(wakeMs, SECOND_ASK_MS / 4);
      }
    }
    return wakeMs;
  }

  #askNext(peer: SyncPeer): boolean {
    const flight = this.#fresh() ?? this.#overdue(peer);
    if (flight === undefined) return false;
    void this.#ask(flight, peer);
    return true;
  }

  #fresh(): Flight | undefined {
    if (this.#flights.size >= IN_FLIGHT_MAX) return undefined;
    const span = this.#deps.stage.take();
    if (span === undefined) return undefined;
    const flight = { span, askers: new Map(), startedMs: this.#deps.timers.now(), isAnswered: false };
    this.#flights.add(flight);
    return flight;
  }

  /** A span that one other peer has been asked for long ago. */
  #overdue(peer: SyncPeer): Flight | undefined {
    const before = this.#deps.timers.now() - SECOND_ASK_MS;
    for (const flight of this.#flights)
      if (!flight.isAnswered && flight.askers.size === 1 && !flight.askers.has(peer) && flight.startedMs <= before)
        return flight;
    return undefined;
  }

  async #ask(flight: Flight, peer: SyncPeer): Promise<void> {
    const { pool, stage, timers } = this.#deps;
    const asking = new AbortController();
    const startedMs = timers.now();
    flight.askers.set(peer, asking);
    peer.inFlight += 1;
    try {
      const answer = await pool.try(peer, () =>
        fetchPiece(this.#deps, peer.name, { tree: stage.tree, span: flight.span, signal: asking.signal }).catch(
          (error) => unlessNotNeeded(error, asking),
        ),
      );
      if (answer?.value !== undefined) {
        widen(peer, timers.now() - startedMs);
        await this.#keep(flight, answer.value);
      }
    } catch (error) {
      this.#end(() => this.#reject(error));
    } finally {
      peer.inFlight -= 1;
      flight.askers.delete(peer);
      this.#settle(flight);
      this.pump();
    }
  }

  async #keep(flight: Flight, piece: Piece): Promise<void> {
    if (flight.isAnswered || this.#isOver) return;
    flight.isAnswered = true;
    for (const other of flight.askers.values()) other.abort();
    await this.#deps.stage.keep(flight.span, piece);
    this.#deps.onPiece(piece);
  }

  #settle(flight: Flight): void {
    if (flight.askers.size > 0) return;
    this.#flights.delete(flight);
    if (!flight.isAnswered && !this.#isOver) this.#deps.stage.giveBack(flight.span);
  }

  #wakeIn(delayMs: number): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    if (delayMs === Number.POSITIVE_INFINITY || this.#isOver) return;
    this.#cancelWake = this.#deps.timers.after(delayMs, () => this.pump());
  }

  #end(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelWake?.();
    for (const { askers } of this.#flights) for (const asking of askers.values()) asking.abort();
    settle();
  }
}

/** A question given up because another peer answered it is nobody's failure. */
function unlessNotNeeded(error: unknown, asking: AbortController): undefined {
  if (error instanceof TransportError && error.code === 'aborted' && asking.signal.aborted) return undefined;
  throw error;
}

function widen(peer: SyncPeer, answerMs: number): void {
  if (answerMs <= FAST_ANSWER_MS) peer.window = Math.min(IN_FLIGHT_PER_PEER_MAX, peer.window + 1);
  else peer.window = Math.max(1, Math.floor(peer.window / 2));
}

const byLoad = (peers: readonly SyncPeer[]): SyncPeer[] => [...peers].sort((a, b) => a.inFlight - b.inFlight);
