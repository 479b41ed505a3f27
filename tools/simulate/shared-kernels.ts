/**
 * The kernels of a whole simulation: the real ones, except that a signature is checked once however many nodes ask, and that account tables live in
 * JavaScript's memory, because a node that is killed gives nothing back.
 */
import type { Kernels, TableArena } from '../../native/index.ts';
import type { SigningKey } from '../../src/codec/index.ts';

/** Verdicts kept in each of two generations. */
const VERDICTS_KEPT = 20_000;

interface Verdict {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly isGood: boolean;
}

export class SharedKernels {
  readonly kernels: Kernels;
  readonly #real: Kernels;
  #young = new Map<string, Verdict>();
  #old = new Map<string, Verdict>();

  /** @param plant changes the kernels that nodes get, to plant a bug */
  constructor(real: Kernels, plant: (kernels: Kernels) => Kernels = (kernels) => kernels) {
    this.#real = real;
    this.kernels = plant({
      ...real,
      tableArena: () => heapArena(),
      ed25519Verify: (publicKeys, signatures, messages, offsets, verdicts) => {
        for (let at = 0; at < verdicts.length; at += 1)
          verdicts[at] = this.#isGood(
            publicKeys.subarray(at * 32, at * 32 + 32),
            signatures.subarray(at * 64, at * 64 + 64),
            messages.subarray(offsets[at]!, offsets[at + 1]!),
          )
            ? 1
            : 0;
      },
    });
  }

  /** The kernels without what is shared or planted: what oracles check with. */
  get real(): Kernels {
    return this.#real;
  }

  /** A key whose signatures need no check. */
  trusted(key: SigningKey): SigningKey {
    return {
      publicKey: key.publicKey,
      address: key.address,
      sign: (bytes) => {
        const signature = key.sign(bytes);
        this.#keep(signature, { publicKey: key.publicKey, message: Uint8Array.from(bytes), isGood: true });
        return signature;
      },
    };
  }

  /** Whether a signature is good, by the real rule, whatever bug is planted. */
  isSigned(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    return this.#isGood(publicKey, signature, message);
  }

  #isGood(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    const name = nameOf(signature);
    const known = this.#young.get(name) ?? this.#old.get(name);
    if (known !== undefined && equal(known.publicKey, publicKey) && equal(known.message, message)) return known.isGood;
    const verdict = new Uint8Array(1);
    this.#real.ed25519Verify(publicKey, signature, message, Uint32Array.of(0, message.length), verdict);
    const isGood = verdict[0] === 1;
    this.#keep(signature, { publicKey: publicKey.slice(), message: message.slice(), isGood });
    return isGood;
  }

  #keep(signature: Uint8Array, verdict: Verdict): void {
    if (this.#young.size >= VERDICTS_KEPT) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(nameOf(signature), verdict);
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** All of it: many strings of bytes share the point R. */
function nameOf(signature: Uint8Array): string {
  return Buffer.from(signature.buffer, signature.byteOffset, 64).toString('latin1');
}

function heapArena(): TableArena {
  return { allocate: (sizeBytes) => new Uint8Array(sizeBytes), release: () => {}, close: () => {} };
}
