/**
 * The compiled addon as TypeScript sees it: its functions, its CPU features, and how it is found.
 *
 * Owns: the version of the border. An addon of another version is refused, because its arguments may differ.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { packageRoot } from './worker-url.ts';

/** CPU features a native path may need, in the order of their bits (native/addon/cpu.h). */
export const CPU_FEATURES = ['sha', 'sse42', 'aes', 'vaes', 'avx2', 'avx512', 'ifma'] as const;
/** One of them. */
export type CpuFeature = (typeof CPU_FEATURES)[number];

const BORDER_VERSION = 5;

/** What the addon's table kernels return instead of 0: a shard would pass half full. Any other number: no empty slot at all. */
export const TABLE_FULL = 1;

/** A table's memory and the handle that releases it. */
export interface NativeMemory {
  readonly buffer: ArrayBuffer;
  readonly handle: object;
}

type Bytes = Uint8Array;

/** The addon's functions for one set of CPU features. Absent ones have no native path there. Results and arguments as in `Kernels`, save where noted. */
export interface NativeFunctions {
  /** Path of each group that has a native one. */
  readonly paths: Readonly<Record<string, string>>;
  /** Writes 32 bytes into `out`. */
  sha256(data: Bytes, out: Bytes): void;
  sha256Chain(state: Bytes, count: number): void;
  pohVerify(hashes: Bytes, steps: Uint32Array, hasMixin: Bytes, mixins: Bytes): number;
  sha256Pairs(prefix: number, pairs: Bytes, out: Bytes): void;
  sha256Leaves(prefix: number, data: Bytes, leafSizeBytes: number, out: Bytes): void;
  sha256Ragged(prefix: number, data: Bytes, offsets: Uint32Array, out: Bytes): void;
  readonly aesCbcEncrypt?: (key: Bytes, chain: Bytes, input: Bytes, output: Bytes) => void;
  readonly aesCbcDecrypt?: (key: Bytes, chain: Bytes, input: Bytes, output: Bytes) => void;
  readonly aesCbcEncryptMany?: (keys: Bytes, chains: Bytes, input: Bytes, outputs: Bytes) => void;
  readonly aesCbcSampleMany?: (keys: Bytes, chains: Bytes, input: Bytes, wanted: Uint32Array, out: Bytes) => void;
  readonly aesCbcEncryptLeaves?: (
    keys: Bytes,
    chains: Bytes,
    inputs: readonly Bytes[],
    outputs: readonly Bytes[],
    prefix: number,
    leafSizeBytes: number,
    inputHashes: Bytes,
    outputHashes: Bytes,
  ) => void;
  readonly crc32c?: (data: Bytes, seed: number) => number;
  readonly ed25519Verify?: (
    publicKeys: Bytes,
    signatures: Bytes,
    messages: Bytes,
    offsets: Uint32Array,
    verdicts: Bytes,
  ) => void;
  /**
   * SHA-512(R || A || message) of n signatures, 64 bytes each, eight at a time: the first part of `ed25519Verify`, by itself for tests and the
   * bench. No kernel of `Kernels`: nothing but verification needs SHA-512 in batches.
   */
  readonly ed25519Challenges?: (
    publicKeys: Bytes,
    signatures: Bytes,
    messages: Bytes,
    offsets: Uint32Array,
    digests: Bytes,
  ) => void;
  ripemd160Keys(keys: Bytes, out: Bytes): void;
  /** The table kernels: 0, TABLE_FULL or TABLE_CORRUPT. */
  tableRead(...call: [...TableArguments, ...KeyArguments, at: number, sizeBytes: number, out: Bytes]): number;
  tablePut(...call: [...TableArguments, ...KeyArguments, position: number]): number;
  tableDelete(...call: [...TableArguments, ...KeyArguments]): number;
  tableMissing(...call: [...TableArguments, ...KeyArguments, missing: Uint32Array]): number;
  tableMove(...call: [...TableArguments, shard: number, lines: number]): number;
  /** Zeroed memory, or null. */
  allocateTable(sizeBytes: number): NativeMemory | null;
  releaseTable(handle: object, buffer: ArrayBuffer): void;
  /** Detaches the memory; the number under which any thread takes it, once. */
  giveTable(handle: object, buffer: ArrayBuffer): number;
  takeTable(number: number): NativeMemory;
}

/** A `TableShards`, taken apart. */
export type TableArguments = [
  slotSizeBytes: number,
  secret: Bytes,
  tables: readonly Bytes[],
  olds: readonly Bytes[],
  state: Uint32Array,
];

/** Keys of a table kernel. */
export type KeyArguments = [keys: Bytes, strideBytes: number, count: number];

/** A bare loop (native/limits): does `units` of work, mostly on `memory`, whose size is a power of two of at least 16 KiB. */
export type LimitLoop = (units: number, memory: Uint8Array) => number;

interface Binding {
  readonly version: number;
  /** By name; those this CPU cannot run are absent. */
  readonly limits: Readonly<Record<string, LimitLoop>>;
  /** Mask of the CPU's features. */
  readonly features: number;
  open(mask: number): NativeFunctions;
}

/** Finds and loads the addon. Throws when there is none, or one of another version. */
function loadBinding(): Binding {
  const require = createRequire(import.meta.url);
  const find = require('node-gyp-build') as (directory: string) => unknown;
  const binding = find(packageRoot(fileURLToPath(import.meta.url))) as Binding;
  if (binding.version !== BORDER_VERSION)
    throw new RangeError(`the addon has border version ${binding.version}, this code needs ${BORDER_VERSION}`);
  return binding;
}

/** The addon opened for this CPU, without some of its features. Throws when there is no addon, or one of another version. */
export function openBinding(without: readonly CpuFeature[]): NativeFunctions {
  const binding = loadBinding();
  const refused = without.reduce((mask, name) => mask | (1 << CPU_FEATURES.indexOf(name)), 0);
  return binding.open(binding.features & ~refused);
}

/** The bare loops that say what this machine allows; none without the addon. For `cairn bench`. */
export function limitLoops(): Readonly<Record<string, LimitLoop>> {
  try {
    return loadBinding().limits;
  } catch {
    return {};
  }
}
