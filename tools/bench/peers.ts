/**
 * What a user would pick instead of our kernels. noble and node:crypto are always here; the others live in tools/bench-peers, which
 * `npm ci --prefix tools/bench-peers` installs.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../native/worker-url.ts';

/** The part of sodium-native we measure. */
interface Sodium {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  crypto_hash_sha512(output: Uint8Array, input: Uint8Array): void;
}

/** The part of @chainsafe/hashtree we measure: SHA-256 of 64 bytes each, without a prefix. */
interface Hashtree {
  hashInto(input: Uint8Array, output: Uint8Array): void;
}

/** A hash-wasm hasher. */
interface WasmHasher {
  init(): WasmHasher;
  update(data: Uint8Array): WasmHasher;
  digest(encoding: 'binary'): Uint8Array;
}

export interface Peers {
  readonly sodium: Sodium | undefined;
  readonly hashtree: Hashtree | undefined;
  readonly wasmSha256: WasmHasher | undefined;
  readonly wasmSha512: WasmHasher | undefined;
  /** Names of those that are not installed. */
  readonly missing: readonly string[];
}

/** Loads the peers that are installed. */
export async function loadPeers(): Promise<Peers> {
  const folder = join(packageRoot(fileURLToPath(import.meta.url)), 'tools/bench-peers');
  const require = createRequire(join(folder, 'package.json'));
  const missing: string[] = [];
  const find = <T>(name: string): T | undefined => {
    try {
      return require(name) as T;
    } catch {
      missing.push(name);
      return undefined;
    }
  };
  const wasm = find<{ createSHA256(): Promise<WasmHasher>; createSHA512(): Promise<WasmHasher> }>('hash-wasm');
  return {
    sodium: find<Sodium>('sodium-native'),
    hashtree: find<Hashtree>('@chainsafe/hashtree'),
    wasmSha256: await wasm?.createSHA256(),
    wasmSha512: await wasm?.createSHA512(),
    missing,
  };
}
