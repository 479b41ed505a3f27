/**
 * The peers of one fast sync: who may be asked, who failed, who lied.
 *
 * A peer is *used*; or *left*, because it is silent, slow, gone, or has not what is wanted (nobody's fault: it may be asked in a later attempt);
 * or *banned*, because it sent what is provably false: then it is remembered across attempts.
 *
 * Invariants
 * - What is held against a peer is its own bytes, never what another sent.
 * - A peer that fails `STRIKES_MAX` times with no success between is left, and one that is busy `REFUSALS_MAX` times; each failure puts it
 *   off for a while. So a peer costs a bounded time, however it fails.
 * - Failures that are not a peer's are thrown on.
 */
import { type LiarList, SyncFault } from '../../../storage/index.ts';
import { FrameFault } from '../../net/frames.ts';
import type { Timers } from '../../net/timers.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import type { Logger } from '../log.ts';

export const STRIKES_MAX = 3;
/** How long a peer is put off by its n-th failure in a row: n times this. */
export const PUT_OFF_MS = 250;
/** A peer that is too busy is put off so long; after so many times in a row (two minutes) it is left. */
export const BUSY_PUT_OFF_MS = 500;
export const REFUSALS_MAX = 240;
/** How exchange.ts words that a peer refused because it is busy. */
const BUSY = '(busy)';
/** Most questions open with one peer. Below what a peer serves at once. */
export const IN_FLIGHT_PER_PEER_MAX = 6;
const IN_FLIGHT_FIRST = 2;

export interface SyncPeer {
  readonly name: PeerName;
  readonly address: string;
  /** Questions open. */
  inFlight: number;
  /** Questions that may be open: grows while answers come fast. */
  window: number;
  strikes: number;
  /** Times that it was too busy, in a row. */
  refusals: number;
  /** Not asked before. */
  putOffUntilMs: number;
  state: 'used' | 'suspected' | 'left' | 'banned';
}

export interface PeerPoolDeps {
  readonly transport: Transport;
  readonly timers: Timers;
  readonly liars: LiarList;
  readonly log: Logger;
}

/** How a peer fell out, for messages. */
export interface PeerVerdict {
  readonly peer: PeerName;
  readonly verdict: 'left' | 'banned';
  readonly why: string;
}

export class PeerPool {
  /** Why each peer that is not used any more is not. */
  readonly verdicts: PeerVerdict[] = [];
  readonly #deps: PeerPoolDeps;
  readonly #peers: SyncPeer[] = [];
  readonly #suspicions = new Map<SyncPeer, PeerFault>();
  #turn = 0;

  constructor(deps: PeerPoolDeps) {
    this.#deps = deps;
  }

  /** Adds a connected peer; one that lied in an earlier attempt is banned at once. */
  add(name: PeerName, address: string): void {
    if (this.#peers.some((peer) => peer.name === name)) return;
    const peer: SyncPeer = {
      name,
      address,
      inFlight: 0,
      window: IN_FLIGHT_FIRST,
      strikes: 0,
      refusals: 0,
      putOffUntilMs: 0,
      state: 'used',
    };
    this.#peers.push(peer);
    const code = this.#deps.liars.codes.get(name);
    if (code !== undefined) this.#drop(peer, 'banned', `lied in an earlier attempt (${code})`);
  }

  /** Peers that may be asked, now or after a while. */
  get used(): readonly SyncPeer[] {
    return this.#peers.filter(({ state }) => state === 'used');
  }

  get bannedCount(): number {
    return this.#peers.filter(({ state }) => state === 'banned').length;
  }

  /** How long until a peer that is put off may be asked; 0 when it may now. */
  putOffMs({ putOffUntilMs }: SyncPeer): number {
    return Math.max(0, putOffUntilMs - this.#deps.timers.now());
  }

  /** Waits; not at all for 0. */
  async pause(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => void this.#deps.timers.after(ms, resolve));
  }

  /**
   * Asks peers in turn until one answers well; undefined when none is left. Each question goes to the next peer in the round.
   * Throws what is not a peer's failure.
   */
  async first<T>(question: (peer: SyncPeer) => Promise<T>): Promise<T | undefined> {
    for (;;) {
      const used = this.used;
      if (used.length === 0) return undefined;
      const soonest = Math.min(...used.map((peer) => this.putOffMs(peer)));
      await this.pause(soonest);
      const ready = used.filter((peer) => this.putOffMs(peer) === 0);
      if (ready.length === 0) continue;
      this.#turn += 1;
      const answer = await this.try(ready[this.#turn % ready.length]!, question);
      if (answer !== undefined) return answer.value;
    }
  }

  /** Asks one peer; undefined when it failed (and was judged). Throws what is not a peer's failure. */
  async try<T>(peer: SyncPeer, question: (peer: SyncPeer) => Promise<T>): Promise<{ readonly value: T } | undefined> {
    try {
      const value = await question(peer);
      peer.strikes = 0;
      peer.refusals = 0;
      return { value };
    } catch (error) {
      await this.judge(peer, error);
      return undefined;
    }
  }

  /** Holds a failure against a peer: bans it for a lie, else a strike. Throws what is not a peer's failure. */
  async judge(peer: SyncPeer, error: unknown): Promise<void> {
    if (error instanceof PeerFault || error instanceof SyncFault) return this.ban(peer, error.code, error.message);
    if (error instanceof FrameFault) return this.ban(peer, error.code, error.message);
    if (!(error instanceof TransportError)) throw error;
    await this.strike(peer, error);
  }

  /** Bans a peer, and remembers it; durable when resolved. */
  async ban(peer: SyncPeer, code: string, why: string): Promise<void> {
    if (peer.state === 'banned') return;
    this.#drop(peer, 'banned', why);
    await this.#deps.liars.add(peer.name, code);
  }

  /** Leaves a peer for this attempt. */
  leave(peer: SyncPeer, why: string): void {
    if (peer.state === 'used') this.#drop(peer, 'left', why);
  }

  /** A failure that proves nothing. A lost connection is dialled anew. */
  async strike(peer: SyncPeer, error: TransportError): Promise<void> {
    // One lost connection fails all questions that were open: that is one failure.
    if (peer.state !== 'used' || this.putOffMs(peer) > 0) return;
    const isBusy = error.code === 'refused' && error.message.includes(BUSY);
    if (isBusy) peer.refusals += 1;
    else peer.strikes += 1;
    peer.window = 1;
    peer.putOffUntilMs = this.#deps.timers.now() + (isBusy ? BUSY_PUT_OFF_MS : peer.strikes * PUT_OFF_MS);
    const { name, strikes, refusals } = peer;
    this.#deps.log.debug({ peer: name, strikes, refusals, error: error.message }, 'peer failed');
    if (strikes >= STRIKES_MAX || refusals >= REFUSALS_MAX) this.leave(peer, error.message);
    else if (error.code === 'unreachable' || error.code === 'closed') await this.#redial(peer);
  }

  /**
   * Does not ask a peer any more that contradicts the trusted hash, which may be wrong itself: it is banned once `confirm` says that the
   * hash is right, and left otherwise.
   */
  suspect(peer: SyncPeer, fault: PeerFault): void {
    if (peer.state !== 'used') return;
    peer.state = 'suspected';
    this.#suspicions.set(peer, fault);
  }

  /** The trusted hash is real: those who contradicted it lied. */
  async confirm(): Promise<void> {
    for (const [peer, { code, message }] of [...this.#suspicions]) {
      this.#suspicions.delete(peer);
      await this.ban(peer, code, message);
    }
  }

  /** Why nobody is left to ask, in one line. */
  get summary(): string {
    const suspected = [...this.#suspicions].map(([{ name }, { message }]) => `${name}: ${message}`);
    return [...this.verdicts.map(({ peer, verdict, why }) => `${peer} ${verdict}: ${why}`), ...suspected].join('; ');
  }

  #drop(peer: SyncPeer, verdict: 'left' | 'banned', why: string): void {
    peer.state = verdict;
    this.verdicts.push({ peer: peer.name, verdict, why });
    this.#deps.log.warn({ peer: peer.name, verdict, why }, 'peer dropped');
    if (verdict === 'banned') this.#deps.transport.ban(peer.name, why);
  }

  async #redial(peer: SyncPeer): Promise<void> {
    if (this.#deps.transport.peers().includes(peer.name)) return;
    await this.#deps.transport.dial(peer.address).catch(() => undefined);
  }
}
