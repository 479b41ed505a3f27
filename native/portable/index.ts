/**
 * The portable twin: every kernel without a compiler, from node:crypto, noble, plain TypeScript and WebAssembly it writes itself.
 */
import { ripemd160 } from '@noble/hashes/legacy.js';
import { checkedKernels } from '../checked.ts';
import type { KernelPath, Kernels } from '../kernels.ts';
import { encryptThenHash, encryptThenPick, type RawKernels } from '../raw-kernels.ts';
import { decryptChained, encryptChained, encryptMany } from './aes-cbc.ts';
import { type Choice, chooseCbc, chooseEd25519, chooseSha256, type Ed25519Name, pathOf } from './choose.ts';
import { crc32c } from './crc32c.ts';
import { ed25519Verify } from './ed25519.ts';
import type { Ed25519Backend } from './ed25519-backend.ts';
import { pohVerify } from './poh-verify.ts';
import { nodeEngine, type Sha256Engine } from './sha256-engine.ts';
import { plainSipHasher, type SipHasher, wasmSipHasher } from './siphash.ts';
import { tableKernels } from './table.ts';

function ripemd160Keys(keys: Uint8Array, out: Uint8Array): void {
  for (let i = 0; i * 32 < keys.length; i++) out.set(ripemd160(keys.subarray(32 * i, 32 * i + 32)), 20 * i);
}

const plain = (kernel: string, path: string, reason: string): KernelPath => ({ kernel, path, reason });

/** The portable kernels before their argument checks, and the paths that serve them. */
export interface PortableTwin {
  readonly raw: RawKernels;
  readonly paths: readonly KernelPath[];
}

/** The fastest portable kernels that work. @param ed25519 takes exactly that backend */
export function portableRaw(ed25519?: Ed25519Name): PortableTwin {
  return assemble(chooseSha256(), chooseEd25519(ed25519));
}

/**
 * Portable kernels for behind the native ones: quick to load, because the native twin has SHA-256 of its own and mostly Ed25519 too.
 * They also check the native ones at load. @param ed25519 takes exactly that backend
 */
export function fallbackRaw(ed25519?: Ed25519Name): PortableTwin {
  const sha = { backend: nodeEngine(), reason: 'not in use: the native twin has its own' };
  return assemble(sha, chooseEd25519(ed25519));
}

/** SipHash in WebAssembly, else in plain TypeScript. */
function chooseSipHasher(): Choice<SipHasher & { readonly path: string }> {
  try {
    return { backend: { ...wasmSipHasher(), path: 'typescript, wasm hash' }, reason: 'the fastest portable path' };
  } catch {
    return { backend: { ...plainSipHasher(), path: 'typescript' }, reason: 'no WebAssembly here' };
  }
}

function assemble(sha: Choice<Sha256Engine>, signatures: Choice<Ed25519Backend>): PortableTwin {
  const cbc = chooseCbc();
  const sip = chooseSipHasher();
  const engine = sha.backend;
  const both: Pick<RawKernels, 'aesCbcEncrypt' | 'aesCbcEncryptMany' | 'sha256Leaves'> = {
    sha256Leaves: (prefix, data, leafSizeBytes, out) =>
      engine.many(prefix, data, out.length / 32, (i) => Math.min(i * leafSizeBytes, data.length), out),
    aesCbcEncrypt: (key, chain, input, output) => encryptChained(cbc.backend, key, chain, input, output),
    aesCbcEncryptMany: (keys, chains, input, outputs) => encryptMany(cbc.backend, keys, chains, input, outputs),
  };
  const raw: RawKernels = {
    ...both,
    aesCbcEncryptLeaves: encryptThenHash(both),
    aesCbcSampleMany: encryptThenPick(both),
    sha256: engine.hash,
    sha256Chain: engine.chain,
    pohVerify: (hashes, steps, hasMixin, mixins) => pohVerify(engine, hashes, steps, hasMixin, mixins),
    sha256Pairs: engine.pairs,
    sha256Ragged: (prefix, data, offsets, out) => engine.many(prefix, data, out.length / 32, (i) => offsets[i]!, out),
    ed25519Verify: (keys, sigs, messages, offsets, verdicts) =>
      ed25519Verify(signatures.backend, keys, sigs, messages, offsets, verdicts),
    aesCbcDecrypt: (key, chain, input, output) => decryptChained(cbc.backend, key, chain, input, output),
    crc32c,
    ripemd160Keys,
    ...tableKernels(sip.backend),
  };
  const paths = [
    pathOf('sha256', sha),
    pathOf('aes-cbc', cbc),
    pathOf('ed25519', signatures),
    plain('crc32c', 'typescript', 'eight tables'),
    plain('ripemd160', 'noble', 'the only portable path'),
    pathOf('table', sip),
    plain('table-memory', 'array buffers', 'the only portable path'),
  ];
  return { raw, paths };
}

/** The portable twin. @param ed25519 takes exactly that backend, else the fastest that works */
export function portableKernels(ed25519?: Ed25519Name): Kernels {
  const { raw, paths } = portableRaw(ed25519);
  return checkedKernels('portable', paths, raw);
}
