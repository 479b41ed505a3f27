/** Cuts batches into parts for several threads, and says which buffers can be given away with them. */
import type { SignatureBatch } from '../../codec/index.ts';

/** Signatures below this many a part are not worth a thread's round trip. */
export const SIGNATURES_PER_PART_MIN = 32;
/** PoH steps below this many a part are not worth a thread's round trip (about 2 ms in WebAssembly). */
export const STEPS_PER_PART_MIN = 20_000;

/** How many parts to make of `size` items for `threads` threads. */
export function partCount(size: number, partSizeMin: number, threads: number): number {
  return Math.max(1, Math.min(threads, Math.floor(size / partSizeMin)));
}

/** Cuts a batch into `parts` consecutive ones of about equal count, each in arrays of its own; one part is the batch itself. */
export function splitSignatures(batch: SignatureBatch, parts: number): SignatureBatch[] {
  if (parts === 1) return [batch];
  const count = batch.offsets.length - 1;
  return Array.from({ length: parts }, (_, part) =>
    sliceSignatures(batch, Math.floor((part * count) / parts), Math.floor(((part + 1) * count) / parts)),
  );
}

function sliceSignatures(batch: SignatureBatch, first: number, end: number): SignatureBatch {
  const start = batch.offsets[first]!;
  return {
    publicKeys: batch.publicKeys.slice(first * 32, end * 32),
    signatures: batch.signatures.slice(first * 64, end * 64),
    messages: batch.messages.slice(start, batch.offsets[end]!),
    offsets: batch.offsets.slice(first, end + 1).map((offset) => offset - start),
  };
}

/** Joins the parts' verdicts in order. */
export function joinVerdicts(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const verdicts = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    verdicts.set(part, offset);
    offset += part.length;
  }
  return verdicts;
}

type PackedArray = Uint8Array | Uint32Array;

/** The arrays as they are where each fills its own buffer, copied where one is a view of a larger one: fit to be transferred. */
export function owned<T extends Readonly<Record<string, PackedArray>>>(
  arrays: T,
): { readonly arrays: T; readonly transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = [];
  const entries = Object.entries(arrays).map(([name, array]) => {
    const mine = fillsItsBuffer(array) ? array : array.slice();
    transfer.push(mine.buffer as ArrayBuffer);
    return [name, mine] as const;
  });
  return { arrays: Object.fromEntries(entries) as T, transfer };
}

function fillsItsBuffer(array: PackedArray): boolean {
  return array.buffer instanceof ArrayBuffer && array.byteLength === array.buffer.byteLength;
}
