/** Every kernel but the tables' (hostile-tables.test.ts) refuses hostile arguments with a TypeError, on every variant; and so does the addon behind the checks. */
import { describe, expect, it } from 'vitest';
import { openBinding } from '../../native/binding.ts';
import type { Kernels } from '../../native/kernels.ts';
import { seededBytes, VARIANTS } from './variants.ts';

type Call = readonly [name: keyof Kernels, () => unknown[]];

const bytes = (size: number): Uint8Array => seededBytes(size)(size);
/** What follows the inputs of two chains of two leaves: outputs, prefix, size of a leaf, hashes. */
const encodeOutputs = () => [
  [new Uint8Array(96), new Uint8Array(96)],
  ...[1, 48, new Uint8Array(128), new Uint8Array(128)],
];
/** Valid arguments of every kernel, fresh each time. */
const CALLS: readonly Call[] = [
  ['sha256', () => [bytes(70)]],
  ['sha256Chain', () => [bytes(32), 3]],
  ['pohVerify', () => [bytes(96), Uint32Array.of(1, 2), Uint8Array.of(0, 1), bytes(64)]],
  ['sha256Pairs', () => [1, bytes(192), new Uint8Array(96)]],
  ['sha256Leaves', () => [0, bytes(100), 30, new Uint8Array(128)]],
  ['sha256Ragged', () => [0, bytes(100), Uint32Array.of(0, 10, 100), new Uint8Array(64)]],
  ['ed25519Verify', () => [bytes(64), bytes(128), bytes(20), Uint32Array.of(0, 10, 20), new Uint8Array(2)]],
  ['aesCbcEncrypt', () => [bytes(32), bytes(16), bytes(48), new Uint8Array(48)]],
  ['aesCbcDecrypt', () => [bytes(32), bytes(16), bytes(48), new Uint8Array(48)]],
  ['aesCbcEncryptMany', () => [bytes(96), bytes(48), bytes(32), new Uint8Array(96)]],
  ['aesCbcSampleMany', () => [bytes(96), bytes(48), bytes(64), Uint32Array.of(0, 2, 3, 1), new Uint8Array(32)]],
  ['aesCbcEncryptLeaves', () => [...[bytes(64), bytes(32), [bytes(96), bytes(96)]], ...encodeOutputs()]],
  ['crc32c', () => [bytes(50), 7]],
  ['ripemd160Keys', () => [bytes(64), new Uint8Array(40)]],
];

const WRONG_TYPES: readonly unknown[] = [
  undefined,
  null,
  'text',
  true,
  1n,
  {},
  [1, 2, 3],
  () => 0,
  new ArrayBuffer(32),
  new DataView(new ArrayBuffer(32)),
  new Float64Array(4),
  new Int8Array(32),
  new Uint8ClampedArray(32),
  Symbol('s'),
];
const WRONG_NUMBERS: readonly unknown[] = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32, 2 ** 53, '3'];

type Typed = Uint8Array | Uint32Array | Int32Array;
const isTyped = (value: unknown): value is Typed => ArrayBuffer.isView(value);

function detached<T extends Typed>(array: T): T {
  const buffer = array.buffer as ArrayBuffer;
  structuredClone(buffer, { transfer: [buffer] });
  return array;
}

/** The wrong values to try in place of one argument. Sizes one short and one long are wrong wherever the right size is fixed. */
function replacements(name: string, position: number, value: unknown): unknown[] {
  if (!isTyped(value)) return [...WRONG_TYPES, ...WRONG_NUMBERS];
  const resized = (size: number): unknown => new (value.constructor as new (size: number) => Typed)(size);
  const anySize = (name === 'sha256' || name === 'crc32c' || name === 'sha256Leaves') && position < 2;
  const canGrow = (name === 'sha256Ragged' && position === 1) || (name.startsWith('ed25519') && position === 2);
  const sizes = anySize ? [] : canGrow ? [value.length - 1] : [value.length - 1, value.length + 1];
  return [...WRONG_TYPES, ...sizes.map(resized)];
}

function expectTypeError(kernels: object, name: string, values: unknown[]): void {
  const call = (kernels as Record<string, (...values: unknown[]) => unknown>)[name]!;
  expect(() => call(...values), `${name}(${values.map((value) => typeof value).join(', ')})`).toThrow(TypeError);
}

const encodeCall = (): unknown[] => CALLS.find(([name]) => name === 'aesCbcEncryptLeaves')![1]();

/** Two lists of arrays, of which one (argument `at`) is spoilt. */
const WRONG_LISTS: readonly ((good: unknown[], at: number) => unknown[])[] = [
  (good, at) => good.with(at, []),
  (good, at) => good.with(at, [bytes(96)]),
  (good, at) => good.with(at, [bytes(96), bytes(96), bytes(96)]),
  ...[...WRONG_TYPES, bytes(95), bytes(48), bytes(144), new Uint32Array(24)].flatMap((odd) =>
    [0, 1].map((index) => (good: unknown[], at: number) => good.with(at, (good[at] as unknown[]).with(index, odd))),
  ),
  (good, at) => good.with(at, [bytes(96), detached(bytes(96))]),
  (good, at) => good.with(at, { length: 2, 0: bytes(96), 1: bytes(96) }),
  (good, at) => good.with(at, Array(2)),
];

describe.each(VARIANTS)('hostile arguments to $name', ({ kernels }) => {
  it.each(CALLS)('%s takes the right ones', (name, make) => {
    const call = kernels[name] as (...values: unknown[]) => unknown;
    expect(() => call(...make())).not.toThrow();
  });

  it.each(CALLS)('%s refuses each wrong one', (name, make) => {
    for (const position of make().keys()) {
      for (const wrong of replacements(name, position, make()[position])) {
        if (name === 'crc32c' && position === 1 && wrong === undefined) continue; // the seed is optional
        const values = make();
        values[position] = wrong;
        expectTypeError(kernels, name, values);
      }
    }
  });

  it.each(CALLS)('%s refuses each detached buffer, empty ones too', (name, make) => {
    for (const [position, value] of make().entries()) {
      if (!isTyped(value)) continue;
      const values = make();
      values[position] = detached(values[position] as Typed);
      expectTypeError(kernels, name, values);
    }
    expectTypeError(kernels, 'sha256', [detached(new Uint8Array(0))]);
  });

  it('refuses offsets that descend or leave the data', () => {
    for (const offsets of [[0, 11, 10], [0, 50, 101], [0, 2 ** 32 - 1, 3], []]) {
      expectTypeError(kernels, 'sha256Ragged', [0, bytes(100), Uint32Array.from(offsets), new Uint8Array(64)]);
      expectTypeError(kernels, 'ed25519Verify', [
        bytes(64),
        bytes(128),
        bytes(100),
        Uint32Array.from(offsets),
        new Uint8Array(2),
      ]);
    }
  });

  it('refuses outputs that overlap inputs still being read', () => {
    const pool = bytes(400);
    expectTypeError(kernels, 'sha256Pairs', [0, pool.subarray(0, 128), pool.subarray(100, 164)]);
    expectTypeError(kernels, 'sha256Leaves', [0, pool.subarray(0, 100), 50, pool.subarray(99, 163)]);
    expectTypeError(kernels, 'aesCbcEncrypt', [bytes(32), bytes(16), pool.subarray(0, 64), pool.subarray(1, 65)]);
    expectTypeError(kernels, 'aesCbcDecrypt', [
      bytes(32),
      pool.subarray(8, 24),
      pool.subarray(0, 64),
      pool.subarray(0, 64),
    ]);
    expectTypeError(kernels, 'ripemd160Keys', [pool.subarray(0, 64), pool.subarray(60, 100)]);
  });

  it('refuses lists of chains that do not fit together', () => {
    const name = 'aesCbcEncryptLeaves';
    const call = kernels[name] as (...values: unknown[]) => unknown;
    for (const wrong of WRONG_LISTS) for (const at of [2, 3]) expectTypeError(kernels, name, wrong(encodeCall(), at));
    const shared = bytes(96);
    expect(() => call(...encodeCall().with(2, [shared, shared]))).not.toThrow();
    expectTypeError(kernels, name, encodeCall().with(3, [shared, shared]));
    expectTypeError(
      kernels,
      name,
      encodeCall()
        .with(2, [shared, bytes(96)])
        .with(3, [shared, bytes(96)]),
    );
    expectTypeError(
      kernels,
      name,
      encodeCall()
        .with(2, [shared, bytes(96)])
        .with(3, [bytes(96), shared]),
    );
    const hashes = new Uint8Array(192);
    expectTypeError(kernels, name, encodeCall().with(6, hashes.subarray(0, 128)).with(7, hashes.subarray(64)));
    const many = Array.from({ length: 17 }, () => new Uint8Array(0));
    const empty = new Uint8Array(0);
    expectTypeError(kernels, name, [bytes(17 * 32), bytes(17 * 16), many, many, 1, 48, empty, empty]);
  });

  it('refuses counts and flags out of range', () => {
    expectTypeError(kernels, 'pohVerify', [bytes(64), Uint32Array.of(0), Uint8Array.of(0), bytes(32)]);
    expectTypeError(kernels, 'pohVerify', [bytes(64), Uint32Array.of(2 ** 31), Uint8Array.of(0), bytes(32)]);
    expectTypeError(kernels, 'pohVerify', [bytes(64), Uint32Array.of(1), Uint8Array.of(2), bytes(32)]);
    expectTypeError(kernels, 'sha256Leaves', [0, bytes(64), 0, new Uint8Array(0)]);
    expectTypeError(kernels, 'sha256Pairs', [256, bytes(64), new Uint8Array(32)]);
  });

  it('works on shared memory and on views into the middle of a buffer', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(96), 32, 32);
    shared.set(bytes(32));
    const plain = bytes(32);
    kernels.sha256Chain(shared, 4);
    kernels.sha256Chain(plain, 4);
    expect([...shared]).toEqual([...plain]);
  });
});

const CHALLENGES: readonly [string, () => unknown[]] = [
  'ed25519Challenges',
  () => [bytes(64), bytes(128), bytes(20), Uint32Array.of(0, 10, 20), new Uint8Array(128)],
];

describe.runIf(VARIANTS.length > 1)('the addon behind the checks', () => {
  it('refuses lists of chains that do not fit together, and looks at memory only when every getter has run', () => {
    for (const wrong of WRONG_LISTS)
      for (const at of [2, 3]) expectTypeError(addon, 'aesCbcEncryptLeaves', wrong(encodeCall(), at));
    const call = encodeCall();
    const list = call[3] as Uint8Array[];
    const last = list[1]!;
    const get = (): Uint8Array => {
      for (const each of [call[0] as Uint8Array, list[0]!]) detached(each);
      return last;
    };
    Object.defineProperty(list, 1, { get });
    expectTypeError(addon, 'aesCbcEncryptLeaves', call);
  });

  // The body runs also when the suite is skipped: without an addon there is nothing to open.
  const addon = VARIANTS.length > 1 ? openBinding([]) : ({} as ReturnType<typeof openBinding>);
  /** What the checks let through in the form the addon takes. */
  const raw: readonly (readonly [string, () => unknown[]])[] = [
    ...CALLS.filter(([name]) => name in addon && name !== 'sha256'),
    ['sha256', () => [bytes(70), new Uint8Array(32)]],
    ...(addon.ed25519Challenges === undefined ? [] : [CHALLENGES]),
  ];

  it.each(raw)('%s refuses wrong types, sizes and detached buffers by itself', (name, make) => {
    expectTypeError(addon, name, []);
    for (const [position, value] of make().entries()) {
      for (const wrong of isTyped(value) ? replacements(name, position, value) : WRONG_TYPES) {
        const values = make();
        values[position] = wrong;
        expectTypeError(addon, name, values);
      }
      // Where any size fits, a detached array is a harmless empty one to the addon; the checks in front refuse it.
      const anySize = position === 0 && (name === 'sha256' || name === 'crc32c');
      if (!isTyped(value) || anySize) continue;
      const values = make();
      values[position] = detached(values[position] as Typed);
      expectTypeError(addon, name, values);
    }
  });
});
