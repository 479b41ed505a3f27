/**
 * The checks of single arguments that `checked.ts` is made of. Each throws a `TypeError` naming the argument, what was found and what is wanted.
 */

export function fail(what: string, wanted: string, found: unknown): never {
  throw new TypeError(`${what} must be ${wanted}, got ${String(found)}`);
}

/** Whether the buffer is gone, or has shrunk from under the view. Either reports length 0; only the methods of an array tell it from an empty one. */
function isDetached(view: Uint8Array | Uint32Array): boolean {
  if (view.length !== 0) return false;
  try {
    view.indexOf(0);
    return false;
  } catch {
    return true;
  }
}

export function bytes(value: Uint8Array, what: string): number {
  if (!(value instanceof Uint8Array)) fail(what, 'a Uint8Array', typeof value);
  if (isDetached(value)) fail(what, 'attached to its buffer', 'a detached one');
  return value.length;
}

export function sized(value: Uint8Array, sizeBytes: number, what: string): void {
  const found = bytes(value, what);
  if (found !== sizeBytes) fail(what, `${sizeBytes} bytes`, found);
}

/** Number of items of `itemBytes` in `value`. */
export function items(value: Uint8Array, itemBytes: number, what: string): number {
  const found = bytes(value, what);
  if (found % itemBytes !== 0) fail(what, `a multiple of ${itemBytes} bytes`, found);
  return found / itemBytes;
}

export function integer(value: number, min: number, max: number, what: string): void {
  if (!Number.isInteger(value) || value < min || value > max) fail(what, `an integer within ${min} .. ${max}`, value);
}

/** Numbers that are checked once and then trusted must not lie where another thread can change them meanwhile. */
export function unshared(value: ArrayBufferView, what: string): void {
  if (value.buffer instanceof SharedArrayBuffer) fail(what, 'in memory of this thread alone', 'shared memory');
}

/** Checks n + 1 ascending offsets into `data` and returns n. */
export function ranges(offsets: Uint32Array, dataBytes: number): number {
  if (!(offsets instanceof Uint32Array)) fail('offsets', 'a Uint32Array', typeof offsets);
  unshared(offsets, 'offsets');
  if (offsets.length === 0) fail('offsets', 'at least one element long (n + 1 of them)', 0);
  let previous = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i]!;
    if (offset < previous) fail(`offsets[${i}]`, `at least ${previous}, the one before`, offset);
    previous = offset;
  }
  if (previous > dataBytes) fail('the last offset', `at most ${dataBytes}, the data's length`, previous);
  return offsets.length - 1;
}

export function overlap(a: ArrayBufferView, b: ArrayBufferView): boolean {
  if (a.byteLength === 0 || b.byteLength === 0 || a.buffer !== b.buffer) return false;
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}

export const partlyOverlap = (a: Uint8Array, b: Uint8Array): boolean => overlap(a, b) && a.byteOffset !== b.byteOffset;

/** Outputs written while inputs are still being read must not share bytes with them. */
export function apart(output: ArrayBufferView, input: ArrayBufferView, what: string): void {
  if (overlap(output, input)) fail(what, 'apart from the inputs', 'an overlap');
}

export function words(value: Uint32Array, length: number, what: string): void {
  if (!(value instanceof Uint32Array)) fail(what, 'a Uint32Array', typeof value);
  if (isDetached(value)) fail(what, 'attached to its buffer', 'a detached one');
  if (value.length !== length) fail(what, `${length} elements long`, value.length);
}
