/**
 * What each remote address may still do: calls a second (a token bucket), and waiting calls at once.
 *
 * Invariant: at most `remotesMax` addresses are remembered. A full bucket holds nothing worth remembering and is dropped first; when
 * none is full the oldest goes.
 */
import { TokenBucket } from '../net/token-bucket.ts';
import type { RpcLimits } from './limits.ts';

export class Remotes {
  readonly #limits: RpcLimits;
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #waits = new Map<string, number>();
  #waitsTotal = 0;

  constructor(limits: RpcLimits) {
    this.#limits = limits;
  }

  /** Takes `count` calls; false when the address is over its rate. @param now milliseconds */
  takeCalls(remote: string, count: number, now: number): boolean {
    let bucket = this.#buckets.get(remote);
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#limits.remotesMax) this.#forgetSome(now);
      bucket = new TokenBucket(this.#limits.callsPerSecond, this.#limits.callsBurst, now);
      this.#buckets.set(remote, bucket);
    }
    return bucket.take(count, now);
  }

  /** Starts a waiting call; false when there are too many. Each true is followed by one `endWait`. */
  startWait(remote: string): boolean {
    const own = this.#waits.get(remote) ?? 0;
    if (this.#waitsTotal >= this.#limits.waitsMax || own >= this.#limits.waitsPerRemoteMax) return false;
    this.#waits.set(remote, own + 1);
    this.#waitsTotal++;
    return true;
  }

  endWait(remote: string): void {
    const own = (this.#waits.get(remote) ?? 0) - 1;
    if (own <= 0) this.#waits.delete(remote);
    else this.#waits.set(remote, own);
    this.#waitsTotal--;
  }

  #forgetSome(now: number): void {
    for (const [remote, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(remote);
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size >= this.#limits.remotesMax && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
