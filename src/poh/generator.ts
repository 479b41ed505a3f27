/**
 * The PoH generator: one hash, one count, and the two steps that move them.
 *
 * Invariants
 * - One step is `h = SHA256(h)`, or with a mixin m `h = SHA256(h || m)`; each adds one to the count.
 * - A step onto a multiple of hashesPerTick is always plain and is always reported as a tick: `advance` stops there, `mixin` refuses to
 *   make it.
 * - Pure: who drives it decides when, and in how long slices.
 */
import { hash, type Kernels, type PohCount, pohCount } from '../../native/index.ts';
import {
  checkPohParameters,
  isTickCount,
  nextTickCount,
  PohError,
  type PohParameters,
  type PohPoint,
} from './parameters.ts';

export class PohGenerator {
  readonly #kernels: Pick<Kernels, 'sha256' | 'sha256Chain'>;
  readonly #parameters: PohParameters;
  readonly #state: Uint8Array;
  #count: number;

  /**
   * @param start where the sequence stands; its hash is copied
   * @throws PohError for parameters out of range or a hash that is not 32 bytes
   */
  constructor(kernels: Pick<Kernels, 'sha256' | 'sha256Chain'>, parameters: PohParameters, start: PohPoint) {
    checkPohParameters(parameters);
    if (start.hash.length !== 32) throw new PohError('hash', `a PoH hash is 32 bytes, found ${start.hash.length}`);
    this.#kernels = kernels;
    this.#parameters = parameters;
    this.#state = start.hash.slice();
    this.#count = pohCount(start.count);
  }

  get count(): PohCount {
    return this.#count as PohCount;
  }

  /** The present point; the hash is a copy. */
  point(): PohPoint {
    return { count: pohCount(this.#count), hash: hash(this.#state.slice()) };
  }

  /** Plain steps left before the next tick's step: 0 when the very next step is the tick. */
  get stepsBeforeTick(): number {
    return nextTickCount(this.#parameters, this.#count) - this.#count - 1;
  }

  /**
   * Makes up to `steps` plain steps, stopping at the next tick.
   * @param steps at least 1 @returns the tick when its step was made, else undefined
   */
  advance(steps: number): PohPoint | undefined {
    if (!Number.isInteger(steps) || steps < 1)
      throw new PohError('steps', `must advance by at least 1, found ${steps}`);
    const made = Math.min(steps, this.stepsBeforeTick + 1);
    this.#kernels.sha256Chain(this.#state, made);
    this.#count += made;
    return isTickCount(this.#parameters, this.#count) ? this.point() : undefined;
  }

  /**
   * Mixes a digest in: one step.
   * @param digest 32 bytes, borrowed @throws PohError `boundary` when the next step must be a tick
   */
  mixin(digest: Uint8Array): PohPoint {
    if (digest.length !== 32) throw new PohError('hash', `a mixin is 32 bytes, found ${digest.length}`);
    if (this.stepsBeforeTick === 0)
      throw new PohError('boundary', `count ${this.#count + 1} is a tick's, not a mixin's`);
    const joined = new Uint8Array(64);
    joined.set(this.#state);
    joined.set(digest, 32);
    this.#state.set(this.#kernels.sha256(joined));
    this.#count += 1;
    return this.point();
  }
}
