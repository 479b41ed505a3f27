/**
 * Leases: which peers are syncing from this node's state, and which segments stay for them.
 *
 * Invariants
 * - A lease ends `LEASE_MS` after its peer's last question, and `LEASE_LIFE_MS_MAX` after its first whatever the peer does: so nobody makes
 *   this node keep garbage for ever.
 * - One lease a peer, at most `LEASES_MAX` in all: the one asked for longest ago is given up first. Whose lease ended may still ask; it is
 *   answered as long as the segments happen to be there.
 */
import type { Timers } from '../../net/timers.ts';
import type { PeerName } from '../../net/transport.ts';

export const LEASE_MS = 60_000;
export const LEASE_LIFE_MS_MAX: number = 6 * 60 * 60_000;
export const LEASES_MAX = 8;

interface Lease {
  readonly fromOp: number;
  readonly release: () => void;
  readonly bornMs: number;
  touchedMs: number;
}

export class SyncLeases {
  readonly #timers: Timers;
  /** By peer, the one touched longest ago first. */
  readonly #leases = new Map<PeerName, Lease>();
  #cancel: (() => void) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Peers that hold a lease. */
  get peers(): readonly PeerName[] {
    return [...this.#leases.keys()];
  }

  /** Gives a peer a lease of ops from `fromOp` on, in place of an earlier one. @param pin keeps the segments; its result lets go */
  grant(peer: PeerName, fromOp: number, pin: (fromOp: number) => () => void): void {
    const held = this.#leases.get(peer);
    if (held?.fromOp === fromOp) {
      this.touch(peer);
      return;
    }
    const now = this.#timers.now();
    // The new one first: letting go of the old one may delete what both need.
    const lease = { fromOp, release: pin(fromOp), bornMs: held?.bornMs ?? now, touchedMs: now };
    this.#end(peer);
    this.#leases.set(peer, lease);
    const oldest = this.#leases.keys().next().value;
    if (this.#leases.size > LEASES_MAX && oldest !== undefined) this.#end(oldest);
    this.#watch();
  }

  /** The peer asked again. */
  touch(peer: PeerName): void {
    const lease = this.#leases.get(peer);
    if (lease === undefined) return;
    lease.touchedMs = this.#timers.now();
    this.#leases.delete(peer);
    this.#leases.set(peer, lease);
  }

  /** Ends every lease. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const peer of this.peers) this.#end(peer);
  }

  #end(peer: PeerName): void {
    this.#leases.get(peer)?.release();
    this.#leases.delete(peer);
  }

  #watch(): void {
    if (this.#cancel !== undefined || this.#leases.size === 0) return;
    this.#cancel = this.#timers.after(LEASE_MS / 4, () => {
      this.#cancel = undefined;
      const now = this.#timers.now();
      for (const [peer, { touchedMs, bornMs }] of [...this.#leases])
        if (now - touchedMs >= LEASE_MS || now - bornMs >= LEASE_LIFE_MS_MAX) this.#end(peer);
      this.#watch();
    });
  }
}
