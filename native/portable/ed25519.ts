/**
 * The portable kernel `ed25519Verify`: our byte checks, then one backend's verdict on each equation.
 *
 * Invariant: a signature that fails the byte checks never reaches a backend.
 */
import { passesByteChecks } from '../ed25519-rule.ts';
import type { Ed25519Backend } from './ed25519-backend.ts';

/** Writes one verdict for each signature; arguments as in `Kernels`. */
export function ed25519Verify(
  backend: Ed25519Backend,
  publicKeys: Uint8Array,
  signatures: Uint8Array,
  messages: Uint8Array,
  offsets: Uint32Array,
  verdicts: Uint8Array,
): void {
  for (let i = 0; i < verdicts.length; i++) {
    verdicts[i] = 0;
    if (!passesByteChecks(publicKeys, 32 * i, signatures, 64 * i)) continue;
    const key = publicKeys.subarray(32 * i, 32 * i + 32);
    const signature = signatures.subarray(64 * i, 64 * i + 64);
    verdicts[i] = backend.verify(signature, messages.subarray(offsets[i]!, offsets[i + 1]!), key) ? 1 : 0;
  }
}
