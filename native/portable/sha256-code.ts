/**
 * The SHA-256 compression function as WebAssembly instructions, unrolled, in one lane or four.
 *
 * Owns: the round constants, and the rounds written once over an abstract lane (i32, or i32x4 for four messages side by side).
 * Words known when the code is written (padding, lengths) are folded into the constants of their rounds.
 * Source: FIPS 180-4, sections 4.1.2, 4.2.2, 5.3.3 and 6.2.2.
 */
import { type Code, I32, V128 } from './wasm-module.ts';

/** First 32 bits of the fractional parts of the n-th roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3), in exact integers. */
function primeRoots(count: number, degree: 2n | 3n): number[] {
  const words: number[] = [];
  for (let n = 2n; words.length < count; n++) {
    if (!isPrime(n)) continue;
    words.push(Number(integerRoot(n << (32n * degree), degree) & 0xffff_ffffn));
  }
  return words;
}

function isPrime(n: bigint): boolean {
  for (let d = 2n; d * d <= n; d++) if (n % d === 0n) return false;
  return true;
}

function integerRoot(n: bigint, degree: bigint): bigint {
  let low = 0n;
  let high = 1n << 48n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= n) low = middle;
    else high = middle;
  }
  return low;
}

/** The 64 round constants. */
export const ROUND_CONSTANTS: readonly number[] = primeRoots(64, 3n);
/** The initial state, 8 words. */
export const INITIAL_STATE: readonly number[] = primeRoots(8, 2n);

/** A message word: in a local, or known now. */
export type Word = { readonly local: number } | { readonly constant: number };

/** The operations of a lane; each leaves its result on the stack, `rotr` and `shr` read a local. */
export interface Lane {
  readonly type: number;
  constant(code: Code, value: number): void;
  add(code: Code): void;
  and(code: Code): void;
  xor(code: Code): void;
  rotr(code: Code, local: number, bits: number): void;
  shr(code: Code, local: number, bits: number): void;
}

/** One message: 32-bit integers. */
export const SCALAR: Lane = {
  type: I32,
  constant: (code, value) => code.i32(value),
  add: (code) => code.add(),
  and: (code) => code.and(),
  xor: (code) => code.xor(),
  rotr: (code, local, bits) => code.get(local).i32(bits).rotr(),
  shr: (code, local, bits) => code.get(local).i32(bits).shrU(),
};

const SIMD_OR = 80;
const SIMD_SHL = 171;
const SIMD_SHR_U = 173;

/** Four messages: i32x4. Constants are read from a table in memory, which is faster than materializing them. */
export function simdLane(constantAddress: (value: number) => number): Lane {
  return {
    type: V128,
    // v128.load32_splat
    constant: (code, value) => code.i32(constantAddress(value)).simd(9, 2, 0),
    add: (code) => code.simd(174),
    and: (code) => code.simd(78),
    xor: (code) => code.simd(81),
    rotr: (code, local, bits) => {
      code.get(local).i32(bits).simd(SIMD_SHR_U);
      code
        .get(local)
        .i32(32 - bits)
        .simd(SIMD_SHL)
        .simd(SIMD_OR);
    },
    shr: (code, local, bits) => code.get(local).i32(bits).simd(SIMD_SHR_U),
  };
}

/** Locals a compression needs: 8 working registers, 16 message words, 3 temporaries. */
export const COMPRESSION_LOCALS = 27;

/** Where a compression's locals lie: `first` is the first of COMPRESSION_LOCALS consecutive ones. */
export interface Locals {
  readonly registers: readonly number[];
  readonly words: readonly number[];
  readonly temporaries: readonly [number, number, number];
}

/** Lays out COMPRESSION_LOCALS locals from `first`. */
export function compressionLocals(first: number): Locals {
  const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + from + i);
  return { registers: range(0, 8), words: range(8, 16), temporaries: [first + 24, first + 25, first + 26] };
}

const rotateRight = (x: number, bits: number): number => (x >>> bits) | (x << (32 - bits));
const foldSigma = ([r1, r2, shift]: Sigma, x: number): number =>
  rotateRight(x, r1) ^ rotateRight(x, r2) ^ (x >>> shift);

type Sigma = readonly [number, number, number];
const SIGMA_0: Sigma = [7, 18, 3];
const SIGMA_1: Sigma = [17, 19, 10];

/** Pushes the sum of the non-constant terms and returns what the constant ones add up to; false when nothing was pushed. */
function pushSum(
  code: Code,
  lane: Lane,
  terms: readonly (number | (() => void))[],
): { pushed: boolean; constant: number } {
  let constant = 0;
  let pushed = false;
  for (const term of terms) {
    if (typeof term === 'number') {
      constant = (constant + term) | 0;
      continue;
    }
    term();
    if (pushed) lane.add(code);
    pushed = true;
  }
  return { pushed, constant };
}

function sigmaTerm(code: Code, lane: Lane, word: Word, sigma: Sigma): number | (() => void) {
  if ('constant' in word) return foldSigma(sigma, word.constant);
  return () => {
    lane.rotr(code, word.local, sigma[0]);
    lane.rotr(code, word.local, sigma[1]);
    lane.xor(code);
    lane.shr(code, word.local, sigma[2]);
    lane.xor(code);
  };
}

const plainTerm = (code: Code, word: Word): number | (() => void) =>
  'constant' in word ? word.constant : () => void code.get(word.local);

/** W[t] of the message schedule for t >= 16, kept in the local of slot t mod 16, or folded. */
function scheduleWord(code: Code, lane: Lane, words: readonly Word[], locals: Locals, t: number): Word {
  const at = (i: number): Word => words[i & 15]!;
  const { pushed, constant } = pushSum(code, lane, [
    plainTerm(code, at(t - 16)),
    sigmaTerm(code, lane, at(t - 15), SIGMA_0),
    plainTerm(code, at(t - 7)),
    sigmaTerm(code, lane, at(t - 2), SIGMA_1),
  ]);
  if (!pushed) return { constant };
  if (constant !== 0) {
    lane.constant(code, constant);
    lane.add(code);
  }
  const local = locals.words[t & 15]!;
  code.set(local);
  return { local };
}

function pushBigSigma(code: Code, lane: Lane, local: number, [r1, r2, r3]: readonly [number, number, number]): void {
  lane.rotr(code, local, r1);
  lane.rotr(code, local, r2);
  lane.xor(code);
  lane.rotr(code, local, r3);
  lane.xor(code);
}

/** One round. The two xor temporaries alternate: a round leaves its a ^ b where the next one looks for b ^ c. */
function round(
  code: Code,
  lane: Lane,
  r: readonly number[],
  word: Word,
  t: number,
  temporaries: Locals['temporaries'],
) {
  const [a, b, , d, e, f, g, h] = r as readonly [number, number, number, number, number, number, number, number];
  const [ab, bc] = t % 2 === 0 ? [temporaries[0], temporaries[1]] : [temporaries[1], temporaries[0]];
  const roundConstant = ROUND_CONSTANTS[t]!;
  code.get(h);
  if ('constant' in word) lane.constant(code, (roundConstant + word.constant) | 0);
  else {
    lane.constant(code, roundConstant);
    code.get(word.local);
    lane.add(code);
  }
  lane.add(code);
  code.get(g).get(e).get(f).get(g);
  lane.xor(code);
  lane.and(code);
  lane.xor(code);
  lane.add(code);
  pushBigSigma(code, lane, e, [6, 11, 25]);
  lane.add(code);
  code.tee(temporaries[2]).get(d);
  lane.add(code);
  code.set(d);
  // Maj(a, b, c) = b ^ ((a ^ b) & (b ^ c)); this round's a ^ b is the next one's b ^ c.
  code.get(b).get(a).get(b);
  lane.xor(code);
  code.tee(ab).get(bc);
  lane.and(code);
  lane.xor(code);
  code.get(temporaries[2]);
  lane.add(code);
  pushBigSigma(code, lane, a, [2, 13, 22]);
  lane.add(code);
  code.set(h);
}

/**
 * Emits the 64 rounds. On entry the registers hold the state; on exit the working variables, to which the caller adds the state.
 * @param message 16 words; locals among them must be `locals.words` of the same slot
 */
export function emitRounds(code: Code, lane: Lane, locals: Locals, message: readonly Word[]): void {
  const words = [...message];
  const registers = [...locals.registers];
  code.get(registers[1]!).get(registers[2]!);
  lane.xor(code);
  code.set(locals.temporaries[1]);
  for (let t = 0; t < 64; t++) {
    if (t >= 16) words[t & 15] = scheduleWord(code, lane, words, locals, t);
    round(code, lane, registers, words[t & 15]!, t, locals.temporaries);
    registers.unshift(registers.pop()!);
  }
}

/** Sets the registers to the initial state. */
export function emitInitialState(code: Code, lane: Lane, locals: Locals): void {
  INITIAL_STATE.forEach((word, i) => {
    lane.constant(code, word);
    code.set(locals.registers[i]!);
  });
}

/** Pushes register i plus its word of the initial state. */
export function pushWithInitial(code: Code, lane: Lane, locals: Locals, i: number): void {
  code.get(locals.registers[i]!);
  lane.constant(code, INITIAL_STATE[i]!);
  lane.add(code);
}
