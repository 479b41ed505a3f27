/**
 * The native twin: the compiled addon behind the common argument checks, with the portable kernels where it has no path.
 *
 * Invariants: a path is used only after its self-test passed; one that fails is refused and the portable kernel serves, or the portable twin
 * altogether when SHA-256 is wrong, on which everything stands. A thread that cannot have a path learns why. Mapped buffers are marked so that
 * they cannot be transferred to another thread, where closing could not reach them.
 */
import { getSystemErrorName } from 'node:util';
import { markAsUntransferable } from 'node:worker_threads';
import { type CpuFeature, type NativeFunctions, openBinding, TABLE_CORRUPT, TABLE_FULL } from './binding.ts';
import { checkedKernels } from './checked.ts';
import type { KernelPath, Kernels, MappedFile } from './kernels.ts';
import { MappedFileError } from './mapped-file-error.ts';
import type { Ed25519Name } from './portable/choose.ts';
import { fallbackRaw } from './portable/index.ts';
import { type RawKernels, tableCorrupt, tableFull } from './raw-kernels.ts';
import { failedSelfTest } from './self-test.ts';

/** The twin, or null; and why. */
export type NativeResult = { readonly kernels: Kernels | null; readonly reason: string };

/** Which variant of the twin. */
export interface NativeOptions {
  readonly ed25519?: Ed25519Name | undefined;
  /** CPU features it must not use. */
  readonly without?: readonly CpuFeature[];
}

function systemError(negativeErrno: number, path: string, what: string): MappedFileError {
  return new MappedFileError(getSystemErrorName(negativeErrno), path, what);
}

function mapFile(native: NativeFunctions, path: string, sizeBytes: number, create: boolean): MappedFile {
  const mapping = native.mapFile(path, sizeBytes, create);
  if (typeof mapping === 'number')
    throw systemError(mapping, path, `cannot map ${sizeBytes} bytes${create ? '' : ' (is the file that long?)'}`);
  const { buffer, handle } = mapping;
  markAsUntransferable(buffer);
  return {
    bytes: new Uint8Array(buffer),
    sync: () => {
      const result = native.syncMapping(handle);
      if (result !== 0) throw systemError(result, path, 'cannot sync');
    },
    close: () => native.closeMapping(handle, buffer),
  };
}

function tablePut(
  native: NativeFunctions,
  table: Uint8Array,
  log2: number,
  secret: Uint8Array,
  used: number,
  entries: Uint8Array,
): number {
  const added = new Uint32Array(1);
  const status = native.tablePut(table, log2, secret, used, entries, added);
  if (status === TABLE_FULL) throw tableFull(used + added[0]!, 2 ** log2);
  if (status === TABLE_CORRUPT) throw tableCorrupt(2 ** log2);
  return added[0]!;
}

/** Groups of kernels whose native path is not used, and the reason of each. */
type Refused = ReadonlyMap<string, string>;

/** The addon's functions in the shape of a twin; portable ones where it has none, and for the refused groups. */
function rawOver(native: NativeFunctions, portable: RawKernels, refused: Refused): RawKernels {
  const all = rawOfAll(native, portable);
  const only = <K extends keyof RawKernels>(group: string, names: readonly K[]): Partial<RawKernels> =>
    refused.has(group) ? Object.fromEntries(names.map((name) => [name, portable[name]])) : {};
  return {
    ...all,
    ...only('aes-cbc', ['aesCbcEncrypt', 'aesCbcDecrypt', 'aesCbcEncryptMany']),
    ...only('crc32c', ['crc32c']),
    ...only('ripemd160', ['ripemd160Keys']),
    ...only('ed25519', ['ed25519Verify']),
    ...only('table', ['tableFind', 'tablePut']),
  };
}

function rawOfAll(native: NativeFunctions, portable: RawKernels): RawKernels {
  return {
    sha256: (data) => {
      const out = new Uint8Array(32);
      native.sha256(data, out);
      return out;
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
    tableFind: (table, log2, secret, addresses, slots) => {
      if (native.tableFind(table, log2, secret, addresses, slots) !== 0) throw tableCorrupt(2 ** log2);
    },
    tablePut: (table, log2, secret, used, entries) => tablePut(native, table, log2, secret, used, entries),
    mapFile: (path, sizeBytes, { create }) => mapFile(native, path, sizeBytes, create),
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
