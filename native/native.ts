/**
 * The native twin: loads the compiled addon, if there is one.
 */
import type { Kernels } from './kernels.ts';
import type { Ed25519Name } from './portable/choose.ts';

/** The twin, or why it cannot be had. */
export type NativeResult = { readonly kernels: Kernels } | { readonly kernels: null; readonly reason: string };

/** Loads and self-tests the addon. Never throws. */
export function nativeKernels(_ed25519: Ed25519Name | undefined): NativeResult {
  return { kernels: null, reason: 'the C++ kernels are not part of this version yet' };
}
