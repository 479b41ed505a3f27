/**
 * Picks the twin: the one place that decides which kernels a process runs, and why.
 *
 * `CAIRN_KERNELS=portable|native|auto` (default auto: native when it was built and passes its self-test, else portable).
 * `CAIRN_ED25519=sodium|node|noble` forces one signature backend.
 * `CAIRN_CPU_WITHOUT=sha,vaes,...` keeps the native twin from using those CPU features, to compare its paths.
 * Wrong values and a demanded twin that is not there are errors.
 * Invariant: decided once a thread; every later call returns the same object.
 */
import { CPU_FEATURES, type CpuFeature } from './binding.ts';
import type { KernelPath, Kernels } from './kernels.ts';
import { nativeKernels } from './native.ts';
import type { Ed25519Name } from './portable/choose.ts';
import { portableKernels } from './portable/index.ts';

/** Why kernels could not be loaded. */
export class KernelLoadError extends Error {
  override readonly name = 'KernelLoadError';
  /** `BAD_SETTING`: an environment variable has a value we do not know; `NATIVE_UNAVAILABLE`: native was demanded and is not there. */
  readonly code: 'BAD_SETTING' | 'NATIVE_UNAVAILABLE';

  constructor(code: KernelLoadError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A twin. */
export type KernelsName = Kernels['name'];

/** The settings `loadKernels` reads from the environment. */
export interface KernelSettings {
  readonly kernels: 'portable' | 'native' | 'auto';
  readonly ed25519: Ed25519Name | undefined;
  /** CPU features the native twin must not use. */
  readonly without: readonly CpuFeature[];
}

function oneOf<T extends string>(name: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  if (value === undefined || value === '') return undefined;
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined)
    throw new KernelLoadError('BAD_SETTING', `${name} is '${value}'; it must be one of ${allowed.join(', ')}`);
  return found;
}

function features(value: string | undefined): CpuFeature[] {
  const names = (value ?? '').split(',').filter((name) => name !== '');
  return names.map((name) => oneOf('a name in CAIRN_CPU_WITHOUT', name, CPU_FEATURES)!);
}

/** Reads and checks the settings. Throws KernelLoadError `BAD_SETTING`. */
export function kernelSettings(environment: Readonly<Record<string, string | undefined>>): KernelSettings {
  return {
    kernels: oneOf('CAIRN_KERNELS', environment.CAIRN_KERNELS, ['portable', 'native', 'auto'] as const) ?? 'auto',
    ed25519: oneOf('CAIRN_ED25519', environment.CAIRN_ED25519, ['sodium', 'node', 'noble'] as const),
    without: features(environment.CAIRN_CPU_WITHOUT),
  };
}

/** Chooses a twin for the settings given; not cached. Throws KernelLoadError `NATIVE_UNAVAILABLE`. */
export function chooseKernels(settings: KernelSettings): Kernels {
  if (settings.kernels === 'portable') return withReason(portableKernels(settings.ed25519), 'CAIRN_KERNELS=portable');
  const native = nativeKernels(settings);
  if (native.kernels !== null) return withReason(native.kernels, native.reason);
  if (settings.kernels === 'native')
    throw new KernelLoadError(
      'NATIVE_UNAVAILABLE',
      `CAIRN_KERNELS=native, but ${native.reason}; run 'npm run build:addon' or unset CAIRN_KERNELS`,
    );
  return withReason(portableKernels(settings.ed25519), native.reason);
}

/** Adds the line that says why this twin runs. */
function withReason(kernels: Kernels, reason: string): Kernels {
  const twin: KernelPath = { kernel: 'twin', path: kernels.name, reason };
  return { ...kernels, paths: [twin, ...kernels.paths] };
}

/** The kernels of one twin, with everything else as the environment says: for a thread that helps another. Throws as `chooseKernels`. */
export function kernelsOf(name: KernelsName): Kernels {
  return chooseKernels({ ...kernelSettings(process.env), kernels: name });
}

let loaded: Kernels | undefined;

/** This thread's kernels. The first call takes some milliseconds (self-tests, WebAssembly); later ones nothing. */
export function loadKernels(): Kernels {
  loaded ??= chooseKernels(kernelSettings(process.env));
  return loaded;
}
