/**
 * The native twin: the compiled addon behind the common argument checks, with the portable kernels where it has no path.
 *
 * Invariants: a path is used only after its self-test passed; one that fails is refused and the portable kernel serves, or the portable twin
 * altogether when SHA-256 is wrong, on which everything stands. A thread that cannot have a path learns why. Tables' memory is marked so that
 * it cannot be transferred to another thread, where releasing could not reach it.
 */
import { markAsUntransferable } from 'node:worker_threads';
import {
  type CpuFeature,
  type NativeFunctions,
  type NativeMemory,
  openBinding,
  TABLE_FULL,
  type TableArguments,
} from './binding.ts';
import { checkedKernels } from './checked.ts';
import type { KernelPath, Kernels, TableArena, TableShards } from './kernels.ts';
import type { Ed25519Name } from './portable/choose.ts';
import { fallbackRaw } from './portable/index.ts';
import {
  encryptThenHash,
  encryptThenPick,
  type RawKernels,
  TableMemoryError,
  tableCorrupt,
  tableFull,
} from './raw-kernels.ts';
import { failedSelfTest } from './self-test.ts';

/** The twin, or null; and why. */
export type NativeResult = { readonly kernels: Kernels | null; readonly reason: string };

/** Which variant of the twin. */
export interface NativeOptions {
  readonly ed25519?: Ed25519Name | undefined;
  /** CPU features it must not use. */
  readonly without?: readonly CpuFeature[];
}

const partsOf = ({ slotSizeBytes, secret, tables, olds, state }: TableShards): TableArguments => [
  slotSizeBytes,
  secret,
  tables,
  olds,
  state,
];

function settle(status: number): void {
  if (status !== 0) throw status === TABLE_FULL ? tableFull() : tableCorrupt();
}

/** The table kernels over the addon. A key alone is found faster without crossing the border. */
function tablesOver(native: NativeFunctions, portable: RawKernels): RawTables {
  return {
    tableRead: (shards, keys, stride, at, size, out) => {
      if (out.length === size) portable.tableRead(shards, keys, stride, at, size, out);
      else settle(native.tableRead(...partsOf(shards), keys, stride, out.length / size, at, size, out));
    },
    tablePut: (shards, records, stride, count, position) =>
      settle(native.tablePut(...partsOf(shards), records, stride, count, position)),
    tableDelete: (shards, keys, stride, count) => settle(native.tableDelete(...partsOf(shards), keys, stride, count)),
    tableMissing: (shards, keys, stride, count, missing) =>
      settle(native.tableMissing(...partsOf(shards), keys, stride, count, missing)),
    tableMove: (shards, shard, lines) => {
      settle(native.tableMove(...partsOf(shards), shard, lines));
      return shards.state[4 * shard + 3] === shards.olds[shard]!.length / LINE_SIZE_BYTES;
    },
    tableArena: () => arenaOver(native),
  };
}

type RawTables = Pick<
  RawKernels,
  'tableRead' | 'tablePut' | 'tableDelete' | 'tableMissing' | 'tableMove' | 'tableArena'
>;

const LINE_SIZE_BYTES = 64;

function arenaOver(native: NativeFunctions): TableArena {
  const handles = new Map<ArrayBuffer, object>();
  const give = (buffer: ArrayBuffer): void => {
    const handle = handles.get(buffer);
    if (handle !== undefined) native.releaseTable(handle, buffer);
    handles.delete(buffer);
  };
  const hold = ({ buffer, handle }: NativeMemory): Uint8Array => {
    markAsUntransferable(buffer);
    handles.set(buffer, handle);
    return new Uint8Array(buffer);
  };
  return {
    allocate: (sizeBytes) => {
      const memory = native.allocateTable(sizeBytes);
      if (memory === null) throw new TableMemoryError(sizeBytes);
      return hold(memory);
    },
    give: ({ buffer }) => {
      const handle = handles.get(buffer as ArrayBuffer);
      if (handle === undefined) throw new TypeError('bytes must be of this arena');
      const memory = native.giveTable(handle, buffer as ArrayBuffer);
      handles.delete(buffer as ArrayBuffer);
      return { memory, transfer: [] };
    },
    take: (memory) => {
      if (typeof memory !== 'number') throw new TypeError(`memory must be a number, got ${typeof memory}`);
      return hold(native.takeTable(memory));
    },
    release: (bytes) => give(bytes.buffer as ArrayBuffer),
    close: () => [...handles.keys()].forEach(give),
  };
}

/** Where one digest is written: a fresh array of 32 bytes would have to be moved off JavaScript's heap for it, which takes longer than the hash. */
const DIGEST = new Uint8Array(new ArrayBuffer(32));

/** Groups of kernels whose native path is not used, and the reason of each. */
type Refused = ReadonlyMap<string, string>;

/** The addon's functions in the shape of a twin; portable ones where it has none, and for the refused groups. */
function rawOver(native: NativeFunctions, portable: RawKernels, refused: Refused): RawKernels {
  const all = rawOfAll(native, portable);
  const only = <K extends keyof RawKernels>(group: string, names: readonly K[]): Partial<RawKernels> =>
    refused.has(group) ? Object.fromEntries(names.map((name) => [name, portable[name]])) : {};
  const ciphers = only('aes-cbc', ['aesCbcEncrypt', 'aesCbcDecrypt', 'aesCbcEncryptMany']);
  // Without a joined path, or with half of it refused: the best of both, one after the other.
  const sampled = refused.has('aes-cbc') ? undefined : native.aesCbcSampleMany;
  const joined = refused.has('aes-cbc') ? undefined : native.aesCbcEncryptLeaves;
  return {
    ...all,
    ...ciphers,
    aesCbcSampleMany: sampled ?? encryptThenPick({ ...all, ...ciphers }),
    aesCbcEncryptLeaves: joined ?? encryptThenHash({ ...all, ...ciphers }),
    ...only('crc32c', ['crc32c']),
    ...only('ripemd160', ['ripemd160Keys']),
    ...only('ed25519', ['ed25519Verify']),
    ...only('table', ['tableRead', 'tablePut', 'tableDelete', 'tableMissing', 'tableMove', 'tableArena']),
  };
}

function rawOfAll(
  native: NativeFunctions,
  portable: RawKernels,
): Omit<RawKernels, 'aesCbcEncryptLeaves' | 'aesCbcSampleMany'> {
  return {
    sha256: (data) => {
      native.sha256(data, DIGEST);
      return DIGEST.slice();
    },
    sha256Chain: native.sha256Chain,
    pohVerify: native.pohVerify,
    sha256Pairs: native.sha256Pairs,
    sha256Leaves: native.sha256Leaves,
    sha256Ragged: native.sha256Ragged,
    ed25519Verify: native.ed25519Verify ?? portable.ed25519Verify,
    aesCbcEncrypt: native.aesCbcEncrypt ?? portable.aesCbcEncrypt,
    aesCbcDecrypt: native.aesCbcDecrypt ?? portable.aesCbcDecrypt,
    aesCbcEncryptMany: native.aesCbcEncryptMany ?? portable.aesCbcEncryptMany,
    crc32c: native.crc32c ?? portable.crc32c,
    ripemd160Keys: native.ripemd160Keys,
    ...tablesOver(native, portable),
  };
}

/** The portable lines, with the native path where there is one. */
function mergedPaths(
  portable: readonly KernelPath[],
  native: NativeFunctions['paths'],
  refused: Refused,
): KernelPath[] {
  return portable.map((line) => {
    const reason = refused.get(line.kernel);
    if (reason !== undefined) return { ...line, reason };
    const path = native[line.kernel];
    if (path === undefined) return { ...line, reason: `no native path for this CPU or build; ${line.reason}` };
    return { kernel: line.kernel, path, reason: 'compiled, passed its self-test' };
  });
}

/** Loads and self-tests the addon. Throws only when a demanded Ed25519 backend is missing. */
export function nativeKernels({ ed25519, without = [] }: NativeOptions): NativeResult {
  let native: NativeFunctions;
  try {
    native = openBinding(without);
  } catch (error) {
    return { kernels: null, reason: `the C++ kernels cannot be loaded: ${firstLine(error)}` };
  }
  const refused = new Map<string, string>();
  if (ed25519 !== undefined) refused.set('ed25519', `forced by CAIRN_ED25519=${ed25519}`);
  const failures: string[] = [];
  for (;;) {
    const usesNative = native.ed25519Verify !== undefined && !refused.has('ed25519');
    // With a native Ed25519 the fallback only answers the self-test, so the backend that costs nothing to load will do.
    const portable = fallbackRaw(ed25519 ?? (usesNative ? 'node' : undefined));
    const raw = rawOver(native, portable.raw, refused);
    const failed = failedSelfTest(raw, portable.raw);
    if (failed === null) {
      const kernels = checkedKernels('native', mergedPaths(portable.paths, native.paths, refused), raw);
      return { kernels, reason: reasonFor(failures) };
    }
    const { group, kernel } = failed;
    // Wrong although it was refused: then the portable one is wrong, and nothing of ours can be trusted here.
    if (group === 'sha256' || refused.has(group))
      return { kernels: null, reason: `the C++ kernels failed their self-test: ${kernel}` };
    refused.set(group, `the C++ path failed its self-test (${kernel})`);
    failures.push(group);
  }
}

function reasonFor(failures: readonly string[]): string {
  if (failures.length === 0) return 'the C++ kernels are compiled and passed their self-test';
  return `the C++ kernels are compiled; refused after a failed self-test: ${failures.join(', ')}`;
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
