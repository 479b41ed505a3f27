/**
 * SHA-256 through the WebAssembly module: copies into its memory, runs a loop there, copies out.
 *
 * Owns: staging in the module's data area. Large messages go to node:crypto, whose OpenSSL uses the CPU's SHA instructions:
 * from about half a KiB on that beats four WebAssembly lanes (measured on an EPYC with SHA-NI).
 * Invariant: not re-entrant, which one thread of plain functions cannot be.
 */
import { nodeSha256, prefixed, type Sha256Engine } from './sha256-engine.ts';
import { DATA_BYTES, DATA_START, sha256Module } from './sha256-module.ts';

/** Longer messages are hashed by node:crypto. */
const WASM_MESSAGE_BYTES_MAX = 512;
/** Steps in one call: short, so that V8 can switch to optimized code between calls. */
const CHAIN_SLICE = 4096;
const PAIR_BATCH = 1024;
const PAIR_OUT = DATA_START + PAIR_BATCH * 64;
/** Four messages are staged this far apart, their digests right behind them. */
const MESSAGE_STRIDE = 1024;
const MESSAGE_OUT = DATA_START + 4 * MESSAGE_STRIDE;

if (PAIR_OUT + PAIR_BATCH * 32 > DATA_START + DATA_BYTES)
  throw new RangeError('sha256: the pair batch exceeds its memory');

/** 64-byte blocks of a padded message. */
const blockCount = (messageBytes: number): number => Math.ceil((messageBytes + 9) / 64);

/** The WebAssembly engine. Throws when this runtime has no WebAssembly or no SIMD. */
export function wasmEngine(): Sha256Engine {
  const module = sha256Module();
  const { memory } = module;
  const view = new DataView(memory.buffer);
  const [chainLoop, chain4Loop] = [module.call('chain'), module.call('chain4')];
  const [digest, digest4, pairs4] = [module.call('digest'), module.call('digest4'), module.call('pairs4')];

  const run = (loop: typeof chainLoop, states: Uint8Array, count: number): void => {
    memory.set(states, DATA_START);
    for (let left = count; left > 0; left -= CHAIN_SLICE) loop(DATA_START, Math.min(left, CHAIN_SLICE));
    states.set(memory.subarray(DATA_START, DATA_START + states.length));
  };

  /** Pads the message of `length` bytes that already lies at `at`. */
  const pad = (at: number, length: number): void => {
    const end = at + 64 * blockCount(length);
    memory[at + length] = 0x80;
    memory.fill(0, at + length + 1, end - 4);
    view.setUint32(end - 4, length * 8);
  };

  const stage = (at: number, prefix: number, data: Uint8Array, start: number, end: number): void => {
    memory[at] = prefix;
    memory.set(data.subarray(start, end), at + 1);
    pad(at, end - start + 1);
  };

  const hash = (data: Uint8Array): Uint8Array => {
    if (data.length > WASM_MESSAGE_BYTES_MAX) return Uint8Array.from(nodeSha256(data));
    memory.set(data, DATA_START);
    pad(DATA_START, data.length);
    digest(DATA_START, blockCount(data.length), MESSAGE_OUT);
    return memory.slice(MESSAGE_OUT, MESSAGE_OUT + 32);
  };

  const many: Sha256Engine['many'] = (prefix, data, count, start, out) => {
    const sizeAt = (i: number): number => start(i + 1) - start(i) + 1;
    const blocksAt = (i: number): number => (i < count ? blockCount(sizeAt(i)) : -1);
    for (let i = 0; i < count; ) {
      const blocks = blocksAt(i);
      if (sizeAt(i) > WASM_MESSAGE_BYTES_MAX) {
        out.set(nodeSha256(prefixed(prefix, data.subarray(start(i), start(i + 1)))), 32 * i);
        i += 1;
        continue;
      }
      const alike = blocksAt(i + 1) === blocks && blocksAt(i + 2) === blocks && blocksAt(i + 3) === blocks;
      const lanes = alike ? 4 : 1;
      for (let j = 0; j < lanes; j++)
        stage(DATA_START + j * MESSAGE_STRIDE, prefix, data, start(i + j), start(i + j + 1));
      if (alike) digest4(DATA_START, MESSAGE_STRIDE, blocks, MESSAGE_OUT);
      else digest(DATA_START, blocks, MESSAGE_OUT);
      out.set(memory.subarray(MESSAGE_OUT, MESSAGE_OUT + 32 * lanes), 32 * i);
      i += lanes;
    }
  };

  const pairs: Sha256Engine['pairs'] = (prefix, input, out) => {
    const total = input.length / 64;
    const grouped = total - (total % 4);
    for (let i = 0; i < grouped; i += PAIR_BATCH) {
      const batch = Math.min(PAIR_BATCH, grouped - i);
      memory.set(input.subarray(64 * i, 64 * (i + batch)), DATA_START);
      pairs4(prefix, DATA_START, batch / 4, PAIR_OUT);
      out.set(memory.subarray(PAIR_OUT, PAIR_OUT + 32 * batch), 32 * i);
    }
    many(prefix, input.subarray(64 * grouped), total - grouped, (i) => 64 * i, out.subarray(32 * grouped));
  };

  return {
    path: 'wasm',
    hash,
    chain: (state, count) => run(chainLoop, state, count),
    chain4: (states, count) => run(chain4Loop, states, count),
    pairs,
    many,
  };
}
