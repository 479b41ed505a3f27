/**
 * Checking recorded PoH: entries packed into the kernels' parallel arrays, whole or in slices for several threads.
 *
 * Each entry needs only the one before it, so a sequence splits anywhere. Packing assumes entries that passed `checkStructure`: then no
 * stretch is longer than hashesPerTick and the work is bounded.
 */
import type { Kernels } from '../../native/index.ts';
import type { Entry } from '../codec/index.ts';
import { PohError } from './parameters.ts';

/** n consecutive stretches, as `kernels.pohVerify` takes them. */
export interface PohBatch {
  /** (n + 1) * 32 bytes: stretch i runs from hash i to hash i + 1 */
  readonly hashes: Uint8Array;
  /** n, each >= 1 */
  readonly steps: Uint32Array;
  /** n, 1 where the last step mixes in */
  readonly hasMixin: Uint8Array;
  /** n * 32 bytes, zero where nothing is mixed in */
  readonly mixins: Uint8Array;
}

/** A part of a batch, with the index its first stretch has in the whole. */
export interface PohSlice extends PohBatch {
  readonly firstIndex: number;
}

/**
 * Packs entries into arrays of their own (all copied, so they may go to another thread).
 * @param start count and hash before the first entry @param mixins the entries' mixins, packed (codec's `entryMixins`)
 * @throws PohError `steps` when counts do not ascend by 1 .. 2^32 - 1
 */
export function packPoh(
  start: { readonly count: number; readonly hash: Uint8Array },
  entries: readonly Pick<Entry, 'kind' | 'count' | 'hash'>[],
  mixins: Uint8Array,
): PohBatch {
  const hashes = new Uint8Array((entries.length + 1) * 32);
  const steps = new Uint32Array(entries.length);
  const hasMixin = new Uint8Array(entries.length);
  hashes.set(start.hash);
  let previous = start.count;
  entries.forEach((entry, index) => {
    const made = entry.count - previous;
    if (made < 1 || made > 0xffff_ffff)
      throw new PohError('steps', `entry ${index} is ${made} steps after the one before`);
    steps[index] = made;
    hasMixin[index] = entry.kind === 'tick' ? 0 : 1;
    hashes.set(entry.hash, (index + 1) * 32);
    previous = entry.count;
  });
  return { hashes, steps, hasMixin, mixins: mixins.slice() };
}

/** Total steps of a batch: what checking it costs. */
export function batchSteps(batch: PohBatch): number {
  return batch.steps.reduce((sum, steps) => sum + steps, 0);
}

/**
 * Splits a batch into at most `parts` consecutive slices of about equal work, each in arrays of its own.
 * @returns at least one slice, unless the batch is empty
 */
export function splitPoh(batch: PohBatch, parts: number): PohSlice[] {
  const slices: PohSlice[] = [];
  const total = batchSteps(batch);
  let [first, made] = [0, 0];
  for (let index = 0; index < batch.steps.length; index++) {
    made += batch.steps[index]!;
    const isLast = index === batch.steps.length - 1;
    if (isLast || (slices.length < parts - 1 && made * parts >= total * (slices.length + 1))) {
      slices.push(slicePoh(batch, first, index + 1));
      first = index + 1;
    }
  }
  return slices;
}

/** Stretches `first` .. `end - 1` of a batch, copied. */
function slicePoh(batch: PohBatch, first: number, end: number): PohSlice {
  return {
    firstIndex: first,
    hashes: batch.hashes.slice(first * 32, (end + 1) * 32),
    steps: batch.steps.slice(first, end),
    hasMixin: batch.hasMixin.slice(first, end),
    mixins: batch.mixins.slice(first * 32, end * 32),
  };
}

/** Checks a batch on this thread. @returns index of the first wrong stretch, or -1 */
export function verifyPohBatch(kernels: Pick<Kernels, 'pohVerify'>, batch: PohBatch): number {
  return kernels.pohVerify(batch.hashes, batch.steps, batch.hasMixin, batch.mixins);
}

/** The first wrong stretch of the whole from the slices' results (-1: all right), given in the slices' order. */
export function joinSliceResults(
  slices: readonly { readonly firstIndex: number }[],
  results: readonly number[],
): number {
  const wrong = results.findIndex((result) => result >= 0);
  return wrong < 0 ? -1 : slices[wrong]!.firstIndex + results[wrong]!;
}
