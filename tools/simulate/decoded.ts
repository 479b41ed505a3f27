/**
 * What bytes say, decoded once however many nodes show the same ones after each other.
 *
 * Invariant: an answer is for exactly the bytes given; whoever asks changes nothing in it.
 */

/** Of so many different byte strings, the last ones seen, the answer is kept. */
const KEPT = 4;

export class Decoded<T> {
  readonly #decode: (bytes: Uint8Array) => T;
  readonly #known: { readonly bytes: Uint8Array; readonly value: T }[] = [];

  /** @param decode a function of the bytes alone; it may keep views of them */
  constructor(decode: (bytes: Uint8Array) => T) {
    this.#decode = decode;
  }

  /** @param bytes borrowed @throws what `decode` throws */
  of(bytes: Uint8Array): T {
    const known = this.#known.find((one) => Buffer.compare(one.bytes, bytes) === 0);
    if (known !== undefined) return known.value;
    const own = new Uint8Array(bytes);
    const value = this.#decode(own);
    this.#known.push({ bytes: own, value });
    if (this.#known.length > KEPT) this.#known.shift();
    return value;
  }
}
