/**
 * Who may start now: bounded counts and bytes by peer.
 *
 * `Slots` refuses what is over the count (requests served), `Turns` lets it wait in line (requests made), `ByteBudget` bounds what is held
 * in memory for frames that have not arrived whole.
 */
import { type PeerName, TransportError } from './transport.ts';

export class Slots {
  readonly #perPeerMax: number;
  readonly #held = new Map<PeerName, number>();

  constructor(perPeerMax: number) {
    this.#perPeerMax = perPeerMax;
  }

  /** Takes a slot; false when the peer holds its maximum. */
  enter(peer: PeerName): boolean {
    const held = this.#held.get(peer) ?? 0;
    if (held >= this.#perPeerMax) return false;
    this.#held.set(peer, held + 1);
    return true;
  }

  /** Gives one slot back; only after `enter` said true. */
  leave(peer: PeerName): void {
    const held = this.#held.get(peer) ?? 0;
    if (held <= 1) this.#held.delete(peer);
    else this.#held.set(peer, held - 1);
  }
}

interface Line {
  running: number;
  readonly waiting: (() => void)[];
}

export class Turns {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #lines = new Map<PeerName, Line>();

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  /** Resolves when it is this caller's turn, first come first served. Throws `busy` when too many wait. */
  async enter(peer: PeerName): Promise<void> {
    const line = this.#lines.get(peer) ?? { running: 0, waiting: [] };
    this.#lines.set(peer, line);
    if (line.running < this.#runningMax) {
      line.running++;
      return;
    }
    if (line.waiting.length >= this.#waitingMax)
      throw new TransportError('busy', `${line.waiting.length} requests already wait for peer ${peer}`);
    await new Promise<void>((resolve) => line.waiting.push(resolve));
  }

  /** Ends a turn and starts the next one in line. Exactly once for every `enter` that resolved. */
  leave(peer: PeerName): void {
    const line = this.#lines.get(peer);
    if (line === undefined) return;
    const next = line.waiting.shift();
    if (next !== undefined) next();
    else if (--line.running === 0) this.#lines.delete(peer);
  }
}

export class ByteBudget {
  readonly #perPeerMax: number;
  readonly #totalMax: number;
  readonly #held = new Map<PeerName, number>();
  #total = 0;

  constructor(perPeerMax: number, totalMax: number) {
    this.#perPeerMax = perPeerMax;
    this.#totalMax = totalMax;
  }

  get totalBytes(): number {
    return this.#total;
  }

  /** Accounts for `sizeBytes` more; throws `busy`, and accounts for nothing, when that is over a maximum. */
  take(peer: PeerName, sizeBytes: number): void {
    const held = (this.#held.get(peer) ?? 0) + sizeBytes;
    if (held > this.#perPeerMax || this.#total + sizeBytes > this.#totalMax)
      throw new TransportError('busy', `unfinished requests hold too many bytes (${held} for this peer)`);
    this.#held.set(peer, held);
    this.#total += sizeBytes;
  }

  give(peer: PeerName, sizeBytes: number): void {
    const held = (this.#held.get(peer) ?? 0) - sizeBytes;
    if (held <= 0) this.#held.delete(peer);
    else this.#held.set(peer, held);
    this.#total -= sizeBytes;
  }
}
