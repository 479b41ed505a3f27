/**
 * The SHA-256 module of the portable twin: five exported loops over one fixed memory, emitted when first needed.
 *
 * Owns: the memory's layout and the exported functions.
 * - `chain(address, count)`: 32 bytes at `address` become their count-fold hash.
 * - `digest(address, blocks, out)`: hash of an already padded message of `blocks` 64-byte blocks.
 * - `chain4(address, count)`, `digest4(address, stride, blocks, out)`: four at once, side by side.
 * - `pairs4(prefix, address, groups, out)`: Merkle nodes of 4 * groups pairs of 64 bytes.
 * Invariant: addresses lie within the data area; callers pad. Bytes before the data area may be read, never written.
 */
import {
  COMPRESSION_LOCALS,
  compressionLocals,
  emitInitialState,
  emitRounds,
  INITIAL_STATE,
  type Lane,
  type Locals,
  pushWithInitial,
  ROUND_CONSTANTS,
  SCALAR,
  simdLane,
  type Word,
} from './sha256-code.ts';
import { Code, I32, instantiate, moduleBytes, type WasmFunction, type WasmInstance } from './wasm-module.ts';

/** The table of lane constants lies below this address. */
export const DATA_START = 4096;
/** Bytes of the data area. */
export const DATA_BYTES: number = 256 * 1024;
const PAGES = (DATA_BYTES + 65536) / 65536;
const LANES = 4;
const repeat = (type: number, count: number): number[] => new Array<number>(count).fill(type);

/** Pushes the big-endian word whose little-endian value is in `local`. */
function pushSwapped(code: Code, local: number): void {
  code.get(local).i32(8).rotl().i32(0x00ff00ff).and();
  code.get(local).i32(8).rotr().i32(0xff00ff00).and().or();
}

/** Loads a big-endian word at the address in `address` plus `offset` into `target`. */
function loadWord(code: Code, address: number, offset: number, target: number): void {
  code.get(address).load(offset).set(target);
  pushSwapped(code, target);
  code.set(target);
}

function storeWord(code: Code, address: number, offset: number, value: number): void {
  code.get(address);
  pushSwapped(code, value);
  code.store(offset);
}

/** The message of a PoH step: 8 words of state, then the padding of a 32-byte message. */
function stateMessage(locals: Locals): Word[] {
  const padding = [0x80000000 | 0, 0, 0, 0, 0, 0, 0, 256].map((constant) => ({ constant }));
  return [...locals.words.slice(0, 8).map((local) => ({ local })), ...padding];
}

const allWords = (locals: Locals): Word[] => locals.words.map((local) => ({ local }));

/** One step: words 0..7 become the hash of themselves. */
function emitChainStep(code: Code, lane: Lane, locals: Locals): void {
  emitInitialState(code, lane, locals);
  emitRounds(code, lane, locals, stateMessage(locals));
  for (let i = 0; i < 8; i++) {
    pushWithInitial(code, lane, locals, i);
    code.set(locals.words[i]!);
  }
}

function chainFunction(): WasmFunction {
  const [address, count] = [0, 1];
  const locals = compressionLocals(2);
  const code = new Code();
  for (let i = 0; i < 8; i++) loadWord(code, address, 4 * i, locals.words[i]!);
  code.countdown(count, () => emitChainStep(code, SCALAR, locals));
  for (let i = 0; i < 8; i++) storeWord(code, address, 4 * i, locals.words[i]!);
  return { name: 'chain', parameterCount: 2, locals: repeat(I32, COMPRESSION_LOCALS), code };
}

/** Copies the registers to `state`, runs the rounds over `message`, and leaves registers + state in the registers. */
function emitCompression(code: Code, lane: Lane, locals: Locals, state: readonly number[], message: Word[]): void {
  for (let i = 0; i < 8; i++) code.get(locals.registers[i]!).set(state[i]!);
  emitRounds(code, lane, locals, message);
  for (let i = 0; i < 8; i++) {
    code.get(locals.registers[i]!).get(state[i]!);
    lane.add(code);
    code.set(locals.registers[i]!);
  }
}

function digestFunction(): WasmFunction {
  const [address, blocks, out] = [0, 1, 2];
  const locals = compressionLocals(3);
  const state = Array.from({ length: 8 }, (_, i) => 3 + COMPRESSION_LOCALS + i);
  const code = new Code();
  emitInitialState(code, SCALAR, locals);
  code.countdown(blocks, () => {
    for (let i = 0; i < 16; i++) loadWord(code, address, 4 * i, locals.words[i]!);
    emitCompression(code, SCALAR, locals, state, allWords(locals));
    code.get(address).i32(64).add().set(address);
  });
  for (let i = 0; i < 8; i++) storeWord(code, out, 4 * i, locals.registers[i]!);
  return { name: 'digest', parameterCount: 3, locals: repeat(I32, COMPRESSION_LOCALS + 8), code };
}

const SWAP_EACH_WORD = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

/** i8x16.shuffle: byte-swaps each of the four words of the vector in `local`, onto the stack. */
function pushSwappedLanes(code: Code, local: number): void {
  code
    .get(local)
    .get(local)
    .simd(13, ...SWAP_EACH_WORD);
}

/** Lane j of `target` = big-endian word at addresses[j] + offset. */
function gatherWords(code: Code, addresses: readonly number[], offset: number, target: number): void {
  code.i32(0).simd(17).set(target); // i32x4.splat
  addresses.forEach((address, lane) => {
    // v128.load32_lane
    code
      .get(address)
      .get(target)
      .simd(86, 0, ...lebOffset(offset), lane)
      .set(target);
  });
  pushSwappedLanes(code, target);
  code.set(target);
}

function lebOffset(offset: number): number[] {
  return offset < 128 ? [offset] : [(offset & 0x7f) | 0x80, offset >> 7];
}

/** Stores lane j of `value`, byte-swapped, at the address in `out` plus j * 32 + offset. */
function scatterWord(code: Code, out: number, offset: number, value: number): void {
  pushSwappedLanes(code, value);
  code.set(value);
  for (let lane = 0; lane < LANES; lane++) {
    // v128.store32_lane
    code
      .get(out)
      .get(value)
      .simd(90, 0, ...lebOffset(offset + 32 * lane), lane);
  }
}

/** Sets four address locals to `address` + lane * stride, where `stride` pushes the stride. */
function spreadAddresses(code: Code, address: number, stride: () => void, addresses: readonly number[]): void {
  addresses.forEach((target, lane) => {
    code.get(lane === 0 ? address : addresses[lane - 1]!);
    if (lane > 0) {
      stride();
      code.add();
    }
    code.set(target);
  });
}

const advance = (code: Code, addresses: readonly number[], bytes: number): void => {
  for (const local of addresses) code.get(local).i32(bytes).add().set(local);
};

function chain4Function(lane: Lane): WasmFunction {
  const [address, count] = [0, 1];
  const addresses = [2, 3, 4, 5];
  const locals = compressionLocals(6);
  const code = new Code();
  spreadAddresses(code, address, () => code.i32(32), addresses);
  for (let i = 0; i < 8; i++) gatherWords(code, addresses, 4 * i, locals.words[i]!);
  code.countdown(count, () => emitChainStep(code, lane, locals));
  for (let i = 0; i < 8; i++) scatterWord(code, address, 4 * i, locals.words[i]!);
  return simdFunction('chain4', 2, COMPRESSION_LOCALS, code);
}

function digest4Function(lane: Lane): WasmFunction {
  const [address, stride, blocks, out] = [0, 1, 2, 3];
  const addresses = [4, 5, 6, 7];
  const locals = compressionLocals(8);
  const state = Array.from({ length: 8 }, (_, i) => 8 + COMPRESSION_LOCALS + i);
  const code = new Code();
  spreadAddresses(code, address, () => code.get(stride), addresses);
  emitInitialState(code, lane, locals);
  code.countdown(blocks, () => {
    for (let i = 0; i < 16; i++) gatherWords(code, addresses, 4 * i, locals.words[i]!);
    emitCompression(code, lane, locals, state, allWords(locals));
    advance(code, addresses, 64);
  });
  for (let i = 0; i < 8; i++) scatterWord(code, out, 4 * i, locals.registers[i]!);
  return simdFunction('digest4', 4, COMPRESSION_LOCALS + 8, code);
}

/** The first block of prefix || pair: word 0 holds the prefix and 3 bytes, the others start one byte early. */
function gatherFirstBlock(code: Code, lane: Lane, prefix: number, addresses: readonly number[], locals: Locals): void {
  const first = locals.words[0]!;
  gatherWords(code, addresses, 0, first);
  lane.shr(code, first, 8);
  code.get(prefix).i32(24).shl().simd(17).simd(80).set(first); // i32x4.splat, v128.or
  for (let i = 1; i < 16; i++) gatherWords(code, addresses, 4 * i - 1, locals.words[i]!);
}

/** The second block: the pair's last byte, the padding bit, and the length of 65 bytes in bits. */
function gatherSecondBlock(code: Code, addresses: readonly number[], locals: Locals): Word[] {
  const first = locals.words[0]!;
  gatherWords(code, addresses, 60, first);
  code.get(first).i32(24).simd(171).i32(0x00800000).simd(17).simd(80).set(first);
  const padding = Array.from({ length: 15 }, (_, i) => ({ constant: i === 14 ? 65 * 8 : 0 }));
  return [{ local: first }, ...padding];
}

function pairs4Function(lane: Lane): WasmFunction {
  const [prefix, address, groups, out] = [0, 1, 2, 3];
  const addresses = [4, 5, 6, 7];
  const locals = compressionLocals(8);
  const state = Array.from({ length: 8 }, (_, i) => 8 + COMPRESSION_LOCALS + i);
  const code = new Code();
  code.countdown(groups, () => {
    spreadAddresses(code, address, () => code.i32(64), addresses);
    emitInitialState(code, lane, locals);
    gatherFirstBlock(code, lane, prefix, addresses, locals);
    emitCompression(code, lane, locals, state, allWords(locals));
    emitCompression(code, lane, locals, state, gatherSecondBlock(code, addresses, locals));
    for (let i = 0; i < 8; i++) scatterWord(code, out, 4 * i, locals.registers[i]!);
    advance(code, [address], 64 * LANES);
    advance(code, [out], 32 * LANES);
  });
  return simdFunction('pairs4', 4, COMPRESSION_LOCALS + 8, code);
}

/** A function whose parameters are followed by four address locals, then vectors. */
function simdFunction(name: string, parameterCount: number, vectorCount: number, code: Code): WasmFunction {
  return { name, parameterCount, locals: [...repeat(I32, LANES), ...repeat(0x7b, vectorCount)], code };
}

/** Gives each lane constant an address below DATA_START, and writes them all into a memory. */
class ConstantTable {
  readonly #addresses = new Map<number, number>();

  address(value: number): number {
    const found = this.#addresses.get(value | 0);
    if (found !== undefined) return found;
    const fresh = 4 * this.#addresses.size;
    if (fresh + 4 > DATA_START - 64) throw new RangeError('too many lane constants for their table');
    this.#addresses.set(value | 0, fresh);
    return fresh;
  }

  writeTo(memory: Uint8Array): void {
    const view = new DataView(memory.buffer, memory.byteOffset);
    for (const [value, address] of this.#addresses) view.setInt32(address, value, true);
  }
}

let cached: WasmInstance | undefined;

/** The module's one instance of this thread. Compiles in a few milliseconds, once. */
export function sha256Module(): WasmInstance {
  if (cached !== undefined) return cached;
  const table = new ConstantTable();
  for (const value of [...ROUND_CONSTANTS, ...INITIAL_STATE]) table.address(value);
  const lane = simdLane((value) => table.address(value));
  const functions = [
    chainFunction(),
    digestFunction(),
    chain4Function(lane),
    digest4Function(lane),
    pairs4Function(lane),
  ];
  cached = instantiate(moduleBytes(functions, PAGES));
  table.writeTo(cached.memory);
  return cached;
}
