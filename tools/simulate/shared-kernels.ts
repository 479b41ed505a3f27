/**
 * The kernels of a whole simulation: the real ones, except that
 * - the keys made here sign with a hash over key and message in place of Ed25519 (1 us for 45): only who holds the key object can make one, as nobody here
 *   tries to break a cipher; whatever these keys did not sign goes to the real check;
 * - a signature is checked once however many nodes ask;
 * - account tables live in JavaScript's memory, because a node that is killed gives nothing back.
 */
import { byteKey, type Kernels, type Signature, sameBytes, signature, type TableArena } from '../../native/index.ts';
import type { SigningKey } from '../../src/codec/index.ts';

/** Verdicts kept in each of two generations. */
const VERDICTS_KEPT = 20_000;

interface Verdict {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly isGood: boolean;
}

export class SharedKernels {
  /** What nodes get. */
  readonly kernels: Kernels;
  /** The same without what is planted: what oracles check with. */
  readonly checking: Kernels;
  readonly #real: Kernels;
  /** Public keys made here. */
  readonly #keys = new Set<string>();
  #young = new Map<string, Verdict>();
  #old = new Map<string, Verdict>();

  /** @param plant changes the kernels that nodes get, to plant a bug */
  constructor(real: Kernels, plant: (kernels: Kernels) => Kernels = (kernels) => kernels) {
    this.#real = real;
    this.checking = {
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
    };
    this.kernels = plant(this.checking);
  }

  /** A key of this simulation: its signatures are hashes. */
  key({ publicKey, address }: Pick<SigningKey, 'publicKey' | 'address'>): SigningKey {
    this.#keys.add(byteKey(publicKey));
    return {
      publicKey,
      address,
      sign: (bytes) => {
        const made = this.#signed(publicKey, bytes);
        this.#keep(made, { publicKey, message: Uint8Array.from(bytes), isGood: true });
        return made;
      },
    };
  }

  #signed(publicKey: Uint8Array, message: Uint8Array): Signature {
    const bytes = new Uint8Array(32 + message.length);
    bytes.set(publicKey);
    bytes.set(message, 32);
    const half = this.#real.sha256(bytes);
    const whole = new Uint8Array(64);
    whole.set(half);
    whole.set(half, 32);
    return signature(whole);
  }

  /** Whether a signature is good, by the real rule, whatever bug is planted. */
  isSigned(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    return this.#isGood(publicKey, signature, message);
  }

  #isGood(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    const name = nameOf(signature);
    const known = this.#young.get(name) ?? this.#old.get(name);
    if (known !== undefined && sameBytes(known.publicKey, publicKey) && sameBytes(known.message, message))
      return known.isGood;
    const isGood = this.#isOwn(publicKey, signature, message) || this.#isReal(publicKey, signature, message);
    this.#keep(signature, { publicKey: publicKey.slice(), message: message.slice(), isGood });
    return isGood;
  }

  /** Made by a key of this simulation, so long ago that it was forgotten. */
  #isOwn(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    return this.#keys.has(byteKey(publicKey)) && sameBytes(this.#signed(publicKey, message), signature);
  }

  #isReal(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    const verdict = new Uint8Array(1);
    this.#real.ed25519Verify(publicKey, signature, message, Uint32Array.of(0, message.length), verdict);
    return verdict[0] === 1;
  }

  #keep(signature: Uint8Array, verdict: Verdict): void {
    if (this.#young.size >= VERDICTS_KEPT) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(nameOf(signature), verdict);
  }
}

/** All of it: many strings of bytes share the point R. */
function nameOf(signature: Uint8Array): string {
  return Buffer.from(signature.buffer, signature.byteOffset, 64).toString('latin1');
}

function heapArena(): TableArena {
  return { allocate: (sizeBytes) => new Uint8Array(sizeBytes), release: () => {}, close: () => {} };
}
