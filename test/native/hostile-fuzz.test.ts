/**
 * Random hostile calls of every kernel on every variant: views of one small pool, so that they overlap in all ways; lengths, offsets and counts around the
 * right ones and far from them; buffers detached or shrunk under their views. A call is refused with a TypeError (a full or damaged table: RangeError) or
 * it works; nothing but its outputs changes; and all variants do the same to the same bytes.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openBinding } from '../../native/binding.ts';
import type { Kernels } from '../../native/kernels.ts';
import { seededBytes, VARIANTS } from './variants.ts';

const ROUNDS = 500;
const POOL_BYTES = 2048;

/** A random stream of integers. */
class Dice {
  readonly #bytes: (count: number) => Uint8Array;

  constructor(seed: number) {
    this.#bytes = seededBytes(seed);
  }

  below(limit: number): number {
    const [a, b, c] = this.#bytes(3) as unknown as [number, number, number];
    return ((a << 16) | (b << 8) | c) % limit;
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

type Kind = 'bytes' | 'words' | 'integers';
/** An argument: a view of `size` elements, one of some numbers, or a list of such. `isOutput`: the kernel writes it. */
type Parameter =
  | { readonly kind: Kind; readonly size: number; readonly isOutput?: boolean }
  | { readonly numbers: readonly number[] }
  | { readonly list: readonly Parameter[] };

const view = (size: number): Parameter => ({ kind: 'bytes', size });
const output = (size: number): Parameter => ({ kind: 'bytes', size, isOutput: true });
const numbers = (...right: readonly number[]): Parameter => ({
  numbers: [...right, ...right, -1, 0.5, Number.NaN, 2 ** 31, 2 ** 32],
});

/** The shapes of a right call with n items. */
const SHAPES: Readonly<Partial<Record<keyof Kernels, (n: number) => readonly Parameter[]>>> = {
  sha256: (n) => [view(50 * n)],
  sha256Chain: () => [output(32), numbers(0, 1, 7)],
  pohVerify: (n) => [view(32 * (n + 1)), { kind: 'words', size: n }, view(n), view(32 * n)],
  sha256Pairs: (n) => [numbers(0, 1, 255), view(64 * n), output(32 * n)],
  sha256Leaves: (n) => [numbers(0, 1), view(40 * n), numbers(40, 1), output(32 * n)],
  sha256Ragged: (n) => [numbers(0, 1), view(20 * n), { kind: 'words', size: n + 1 }, output(32 * n)],
  ed25519Verify: (n) => [view(32 * n), view(64 * n), view(20 * n), { kind: 'words', size: n + 1 }, output(n)],
  aesCbcEncrypt: (n) => [view(32), output(16), view(16 * n), output(16 * n)],
  aesCbcDecrypt: (n) => [view(32), output(16), view(16 * n), output(16 * n)],
  aesCbcEncryptMany: (n) => [view(32 * n), output(16 * n), view(48), output(48 * n)],
  aesCbcSampleMany: (n) => [view(32 * n), output(16 * n), view(32 * n), { kind: 'words', size: 2 * n }, output(16 * n)],
  aesCbcEncryptLeaves: (n) => {
    const list = (of: Parameter): Parameter => ({ list: [of, of].slice(n % 2) });
    const lanes = 2 - (n % 2);
    const hashes = output(32 * n * lanes);
    return [
      ...[view(32 * lanes), output(16 * lanes), list(view(32 * n)), list(output(32 * n))],
      ...[numbers(0, 1), numbers(32, 16), hashes, hashes],
    ];
  },
  crc32c: (n) => [view(30 * n), numbers(0, 77)],
  ripemd160Keys: (n) => [view(32 * n), output(20 * n)],
};

type Typed = Uint8Array | Uint32Array | Int32Array;

interface Case {
  readonly values: unknown[];
  readonly outputs: Typed[];
}

/** Flags, offsets and step counts that mean something; a few that do not. Steps last: views overlap, and large ones would take long. */
function fillSmall(name: string, values: readonly unknown[], dice: Dice): void {
  const flags = values[2];
  if (name === 'pohVerify' && flags instanceof Uint8Array)
    for (let i = 0; i < flags.length; i += 1) flags[i] = dice.below(100) === 0 ? 2 : dice.below(2);
  for (const value of values) {
    if (!(value instanceof Uint32Array)) continue;
    for (let i = 0; i < value.length; i += 1) {
      const isOdd = dice.below(12) === 0;
      if (name === 'pohVerify') value[i] = isOdd ? dice.below(2) : 1 + dice.below(3);
      else value[i] = 20 * i + (isOdd ? dice.below(60) - 20 : 0);
    }
  }
}

function makeView(kind: Kind, size: number, pool: ArrayBuffer, dice: Dice): Typed {
  const width = kind === 'bytes' ? 1 : 4;
  const off = dice.below(6) === 0 ? Math.max(0, size + dice.oneOf([-1, 1, -3, 16, -16, 32, 1000])) : size;
  const length = Math.min(off, POOL_BYTES / width);
  const at = width * dice.below(POOL_BYTES / width - length + 1);
  const fate = dice.below(40);
  if (kind === 'words') return new Uint32Array(pool, at, length);
  if (kind === 'integers') return new Int32Array(pool, at, length);
  if (fate === 0) {
    const detached = new Uint8Array(length);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    return detached;
  }
  return new Uint8Array(pool, at, length);
}

function makeCase(name: keyof typeof SHAPES, pool: ArrayBuffer, dice: Dice): Case {
  const parameters = SHAPES[name]!(dice.oneOf([0, 1, 2, 3, 5, 9]));
  const outputs: Typed[] = [];
  const make = (parameter: Parameter): unknown => {
    if ('numbers' in parameter) return dice.oneOf(parameter.numbers);
    if ('list' in parameter) {
      const made = parameter.list.map(make);
      return dice.below(20) === 0 ? made.slice(1) : made;
    }
    const made = makeView(parameter.kind, parameter.size, pool, dice);
    if (parameter.isOutput === true) outputs.push(made);
    return made;
  };
  const values = parameters.map(make);
  fillSmall(name, values, dice);
  return { values, outputs };
}

/** What the round did to the pool, and how it ended; the bytes outside the outputs are checked against `before`. */
function play(
  kernels: object,
  name: keyof typeof SHAPES,
  round: number,
): { readonly ending: string; readonly digest: string } {
  const dice = new Dice(1000 * round + name.length);
  const bytes = seededBytes(round)(POOL_BYTES);
  if (name.startsWith('table')) bytes.fill(0, 0, POOL_BYTES * dice.oneOf([0, 0.5, 1]));
  const { values, outputs } = makeCase(name, bytes.buffer as ArrayBuffer, dice);
  const before = bytes.slice();
  let ending = 'done';
  try {
    const result = (kernels as Record<string, (...values: unknown[]) => unknown>)[name]!(...values);
    ending = `done ${typeof result === 'number' ? result : ''}`;
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof RangeError && name.startsWith('table'))) throw error;
    ending = error.name;
    // What a refused call leaves in its outputs is not promised, once it has begun.
    if (ending === 'RangeError') for (const each of outputs) each.fill(0);
  }
  const mayChange = new Uint8Array(POOL_BYTES);
  if (ending !== 'TypeError')
    for (const each of outputs)
      if (each.buffer === bytes.buffer) mayChange.fill(1, each.byteOffset, each.byteOffset + each.byteLength);
  let touched = -1;
  for (let i = 0; i < POOL_BYTES; i += 1) if (mayChange[i] === 0 && bytes[i] !== before[i]) touched = i;
  expect(touched, `${name}, round ${round}: a byte outside of the outputs`).toBe(-1);
  return { ending, digest: createHash('sha256').update(bytes).digest('hex') };
}

const NAMES = Object.keys(SHAPES) as (keyof typeof SHAPES)[];

describe('random hostile calls', () => {
  it.each(NAMES)('of %s end alike on all variants', (name) => {
    let worked = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const [first, ...others] = VARIANTS.map(({ kernels }) => play(kernels, name, round));
      VARIANTS.slice(1).forEach((variant, i) => {
        expect(others[i], `${variant.name}, ${name}, round ${round}`).toEqual(first);
      });
      if (first!.ending.startsWith('done')) worked += 1;
    }
    // Most are wrong somewhere, but not all of them.
    expect(worked).toBeGreaterThan(ROUNDS / 100);
    expect(worked).toBeLessThan(ROUNDS);
  });
});

describe.runIf(VARIANTS.length > 1)('random hostile calls behind the checks', () => {
  const addon = VARIANTS.length > 1 ? openBinding([]) : {};
  // Here overlaps are the caller's own fault and a chain's count may be large: only lengths and types keep memory safe.
  it.each(NAMES.filter((name) => name in addon && name !== 'sha256Chain'))(
    'of %s never touch what is not an output',
    (name) => {
      const extra: Readonly<Record<string, unknown[]>> = {
        sha256: [new Uint8Array(32)],
        tablePut: [new Uint32Array(1)],
      };
      const raw = {
        [name]: (...values: unknown[]) =>
          (addon as Record<string, (...all: unknown[]) => unknown>)[name]!(...values, ...(extra[name] ?? [])),
      };
      for (let round = 0; round < ROUNDS; round += 1) play(raw, name, round);
    },
  );
});

describe.each(VARIANTS)('numbers in shared memory, for $name', ({ kernels }) => {
  it('are refused: another thread could change them after the checks', () => {
    const shared = (size: number): ArrayBuffer => new SharedArrayBuffer(size) as unknown as ArrayBuffer;
    const offsets = new Uint32Array(shared(8));
    expect(() => kernels.sha256Ragged(0, new Uint8Array(0), offsets, new Uint8Array(32))).toThrow(/shared memory/);
    const verify = (at: Uint32Array): void =>
      kernels.ed25519Verify(new Uint8Array(32), new Uint8Array(64), new Uint8Array(0), at, new Uint8Array(1));
    expect(() => verify(offsets)).toThrow(/shared memory/);
    expect(() => verify(new Uint32Array(2))).not.toThrow();
    const poh = (steps: Uint32Array, flags: Uint8Array): number =>
      kernels.pohVerify(new Uint8Array(64), steps, flags, new Uint8Array(32));
    expect(() => poh(new Uint32Array(shared(4)).fill(1), new Uint8Array(1))).toThrow(/shared memory/);
    expect(() => poh(new Uint32Array(1).fill(1), new Uint8Array(shared(1)))).toThrow(/shared memory/);
    expect(poh(new Uint32Array(1).fill(1), new Uint8Array(1))).toBe(0);
  });
});

describe.each(VARIANTS)('a buffer that shrinks under its views, for $name', ({ kernels }) => {
  it('counts as empty or is refused', () => {
    const shrunk = (): Uint8Array => {
      const buffer = new (ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer)(64, {
        maxByteLength: 128,
      });
      const bytes = new Uint8Array(buffer, 32, 32);
      (buffer as unknown as { resize(size: number): void }).resize(8);
      return bytes;
    };
    expect(() => kernels.sha256Chain(shrunk(), 1)).toThrow(TypeError);
    expect(() => kernels.sha256Pairs(0, new Uint8Array(64), shrunk())).toThrow(TypeError);
    expect(() => kernels.aesCbcEncrypt(shrunk(), new Uint8Array(16), new Uint8Array(16), new Uint8Array(16))).toThrow(
      TypeError,
    );
    expect(() => kernels.sha256(shrunk())).toThrow(TypeError);
  });
});
