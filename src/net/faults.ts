/**
 * Fault points and bans: who broke the protocol, how much, and who is refused until when.
 *
 * Invariants
 * - Points fade with time, so rare accidents never add up to a ban.
 * - At most `faultPeersMax` peers are remembered in either list; the one touched longest ago goes first. A peer name costs an attacker a
 *   handshake, so pushing a ban out of the list costs thousands of them.
 * - No clock inside: the caller passes the time in milliseconds.
 */
import type { TransportLimits } from './limits.ts';
import type { PeerName } from './transport.ts';

type FaultLimits = Pick<
  TransportLimits,
  'faultPointsMax' | 'faultPointsForgivenPerSecond' | 'banDurationMs' | 'faultPeersMax'
>;

export class FaultLedger {
  readonly #limits: FaultLimits;
  readonly #points = new Map<PeerName, { points: number; at: number }>();
  readonly #bannedUntil = new Map<PeerName, number>();

  constructor(limits: FaultLimits) {
    this.#limits = limits;
  }

  /** Adds points; true when the peer has reached the maximum and should be banned (its points start again at 0). */
  add(peer: PeerName, points: number, now: number): boolean {
    const total = this.points(peer, now) + points;
    this.#points.delete(peer);
    if (total >= this.#limits.faultPointsMax) return true;
    this.#points.set(peer, { points: total, at: now });
    dropOldest(this.#points, this.#limits.faultPeersMax);
    return false;
  }

  /** Points held against a peer now. */
  points(peer: PeerName, now: number): number {
    const held = this.#points.get(peer);
    if (held === undefined) return 0;
    const forgiven = (Math.max(0, now - held.at) / 1000) * this.#limits.faultPointsForgivenPerSecond;
    return Math.max(0, held.points - forgiven);
  }

  ban(peer: PeerName, now: number): void {
    this.#bannedUntil.delete(peer);
    this.#bannedUntil.set(peer, now + this.#limits.banDurationMs);
    dropOldest(this.#bannedUntil, this.#limits.faultPeersMax);
  }

  isBanned(peer: PeerName, now: number): boolean {
    const until = this.#bannedUntil.get(peer);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#bannedUntil.delete(peer);
    return false;
  }
}

/** A Map iterates in insertion order, so its first key is the one set longest ago. */
function dropOldest<T>(map: Map<PeerName, T>, sizeMax: number): void {
  if (map.size <= sizeMax) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
