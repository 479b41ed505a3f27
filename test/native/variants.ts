/**
 * Every variant of the kernels that this machine can run, so that one suite covers all paths.
 */
import { CPU_FEATURES, type CpuFeature } from '../../native/binding.ts';
import type { Kernels } from '../../native/kernels.ts';
import { nativeKernels } from '../../native/native.ts';
import { portableKernels } from '../../native/portable/index.ts';

/** A named variant. */
export interface Variant {
  readonly name: string;
  readonly kernels: Kernels;
}

const NATIVE_WITHOUT: readonly (readonly CpuFeature[])[] = [
  [],
  ['sha'],
  ['vaes', 'avx512', 'ifma'],
  ['avx2', 'avx512', 'ifma', 'vaes'],
  CPU_FEATURES,
];

function nativeVariants(): Variant[] {
  const variants: Variant[] = [];
  for (const without of NATIVE_WITHOUT) {
    const { kernels, reason } = nativeKernels({ without });
    if (kernels === null) {
      console.warn(`native kernels are not tested: ${reason}`);
      return [];
    }
    variants.push({ name: `native${without.length === 0 ? '' : ` without ${without.join(',')}`}`, kernels });
  }
  return variants;
}

/** The portable twin, and the native one under several sets of CPU features. */
export const VARIANTS: readonly Variant[] = [
  { name: 'portable', kernels: portableKernels() },
  ...(process.env.CAIRN_KERNELS === 'portable' ? [] : nativeVariants()),
];

/** Hexadecimal of bytes. */
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** Bytes of hexadecimal. */
export const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** A stream of bytes that is the same for the same seed (xorshift32). */
export function seededBytes(seed: number): (count: number) => Uint8Array {
  let state = Math.imul(seed + 1, 0x9e3779b1) || 1;
  return (count) =>
    Uint8Array.from({ length: count }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 8) & 255;
    });
}
