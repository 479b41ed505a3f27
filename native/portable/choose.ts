/**
 * Which backend serves each group of the portable twin on this machine, and why.
 *
 * Each candidate must answer known questions correctly before it is taken; the first that does wins, in order of speed
 * as measured on an EPYC with Node 20: WebAssembly before node:crypto before noble; libsodium (23 k/s) before node:crypto (15 k/s) before noble (1 k/s).
 */
import type { KernelPath } from '../kernels.ts';
import { CBC_ANSWER, ED25519_ANSWER, fromHex, SHA256_CHAIN_ANSWER } from '../known-answers.ts';
import { type CbcBackend, nobleCbc, nodeCbc } from './aes-cbc.ts';
import { type Ed25519Backend, nobleEd25519, nodeEd25519, sodiumEd25519 } from './ed25519-backend.ts';
import { nobleEngine, nodeEngine, type Sha256Engine } from './sha256-engine.ts';
import { wasmEngine } from './sha256-wasm.ts';

/** A chosen backend and the sentence for `cairn doctor`. */
export interface Choice<T> {
  readonly backend: T;
  readonly reason: string;
}

/** A candidate: made when asked; null or an exception means it cannot be had here. */
interface Candidate<T> {
  readonly name: string;
  make(): T | null;
}

function firstThatWorks<T>(candidates: readonly Candidate<T>[], passes: (backend: T) => boolean): Choice<T> {
  const refused: string[] = [];
  for (const { name, make } of candidates) {
    try {
      const backend = make();
      if (backend !== null && passes(backend)) {
        return { backend, reason: refused.length === 0 ? 'fastest portable path' : `${refused.join('; ')}` };
      }
      refused.push(backend === null ? `${name} is not installed` : `${name} failed its self-test`);
    } catch (error) {
      refused.push(`${name} cannot run here (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  throw new RangeError(`no portable backend works: ${refused.join('; ')}`);
}

const sameBytes = (found: Uint8Array, hex: string): boolean => Buffer.from(found).toString('hex') === hex;

function passesSha256(engine: Sha256Engine): boolean {
  const { start, count, end } = SHA256_CHAIN_ANSWER;
  const state = fromHex(start);
  engine.chain(state, count);
  return sameBytes(state, end);
}

function passesCbc(backend: CbcBackend): boolean {
  const [key, iv, plain] = [fromHex(CBC_ANSWER.key), fromHex(CBC_ANSWER.iv), fromHex(CBC_ANSWER.plain)];
  const out = new Uint8Array(plain.length);
  backend.encrypt(key, iv, plain, out);
  if (!sameBytes(out, CBC_ANSWER.cipher)) return false;
  const back = new Uint8Array(plain.length);
  backend.decrypt(key, iv, out, back);
  return sameBytes(back, CBC_ANSWER.plain);
}

function passesEd25519(backend: Ed25519Backend): boolean {
  const [key, message, signature] = [
    fromHex(ED25519_ANSWER.publicKey),
    fromHex(ED25519_ANSWER.message),
    fromHex(ED25519_ANSWER.signature),
  ];
  const other = Uint8Array.from(message, (byte) => byte ^ 1);
  return backend.verify(signature, message, key) && !backend.verify(signature, other, key);
}

/** SHA-256. */
export function chooseSha256(): Choice<Sha256Engine> {
  const candidates = [
    { name: 'WebAssembly', make: wasmEngine },
    { name: 'node:crypto', make: nodeEngine },
    { name: 'noble', make: nobleEngine },
  ];
  return firstThatWorks(candidates, passesSha256);
}

/** AES-256-CBC. */
export function chooseCbc(): Choice<CbcBackend> {
  const candidates = [
    { name: 'node:crypto', make: () => nodeCbc },
    { name: 'noble', make: () => nobleCbc },
  ];
  return firstThatWorks(candidates, passesCbc);
}

/** Names `CAIRN_ED25519` may give. */
export type Ed25519Name = 'sodium' | 'node' | 'noble';

/** Ed25519; `forced` takes exactly that backend or throws. */
export function chooseEd25519(forced?: Ed25519Name): Choice<Ed25519Backend> {
  const all: readonly (Candidate<Ed25519Backend> & { key: Ed25519Name })[] = [
    { key: 'sodium', name: 'sodium-native', make: sodiumEd25519 },
    { key: 'node', name: 'node:crypto', make: nodeEd25519 },
    { key: 'noble', name: 'noble', make: nobleEd25519 },
  ];
  if (forced === undefined) return firstThatWorks(all, passesEd25519);
  const { backend } = firstThatWorks(
    all.filter(({ key }) => key === forced),
    passesEd25519,
  );
  return { backend, reason: `forced by CAIRN_ED25519=${forced}` };
}

/** The line of `KernelPath` for a choice. */
export const pathOf = (kernel: string, choice: Choice<{ readonly path: string }>): KernelPath => ({
  kernel,
  path: choice.backend.path,
  reason: choice.reason,
});
