/**
 * The checkpointing cheat: keeps the segment once for all its identities, and of every pass's output one block in `spacing`; makes any
 * other block of the replica again from there. Counts exactly what that costs, and does it.
 *
 * In pass p a wanted block costs its stretch from the checkpoint before it; every block of a stretch wants one block of pass p - 1, and with
 * the transposition each of those lies in another stretch. So the cost multiplies by about half the spacing for each layer, until it is
 * the whole pass: that is all that layers do.
 */
import type { Kernels } from '../../native/index.ts';
import { newBlocks } from '../block-copy.ts';
import type { ReplicaDecoder } from '../decode.ts';
import { CIPHER_BLOCK_SIZE_BYTES } from '../geometry.ts';
import { type BlockMatrix, columnStart } from '../layers.ts';

const BLOCK = CIPHER_BLOCK_SIZE_BYTES;

/** Where the block at place `place` of a pass's input stood in the output of the pass before. */
export function untransposedIndex(matrix: BlockMatrix, place: number): number {
  const { blockCount, columnCount, rowCount } = matrix;
  const long = blockCount - (rowCount - 1) * columnCount;
  const inLong = long * rowCount;
  const column = place < inLong ? Math.floor(place / rowCount) : long + Math.floor((place - inLong) / (rowCount - 1));
  return (place - columnStart(matrix, column)) * columnCount + column;
}

/** Checkpoint spacings, pass 1 first: of each pass's output the last block of every `spacing` is kept; Infinity: none. */
export type Spacings = readonly number[];

/** What is kept of a replica, as a share of it. */
export function keptShare(spacings: Spacings): number {
  return spacings.reduce((sum, spacing) => sum + 1 / spacing, 0);
}

const stretchStart = (block: number, spacing: number): number =>
  spacing === Number.POSITIVE_INFINITY ? 0 : Math.floor(block / spacing) * spacing;

/** The blocks of every pass that must be encrypted to get `wanted` blocks of the replica: 1 in an array for each. */
export function regenerationMarks(matrix: BlockMatrix, spacings: Spacings, wanted: Float64Array): Uint8Array[] {
  const marks = spacings.map(() => new Uint8Array(matrix.blockCount));
  let blocks: Iterable<number> = wanted;
  for (let pass = spacings.length - 1; pass >= 0; pass -= 1) {
    const own = marks[pass]!;
    for (const block of blocks) markStretch(own, block, spacings[pass]!);
    if (pass > 0) blocks = inputsOf(matrix, own);
  }
  return marks;
}

/** Marks from `block` down to its stretch's start; stops at a marked one, because its stretch is marked already. A kept block costs nothing. */
function markStretch(marks: Uint8Array, block: number, spacing: number): void {
  if ((block + 1) % spacing === 0) return;
  const start = stretchStart(block, spacing);
  for (let at = block; at >= start && marks[at] === 0; at -= 1) marks[at] = 1;
}

function* inputsOf(matrix: BlockMatrix, marks: Uint8Array): Generator<number> {
  for (let place = 0; place < marks.length; place += 1) if (marks[place] === 1) yield untransposedIndex(matrix, place);
}

/** How many blocks are marked, over all passes. */
export function markedCount(marks: readonly Uint8Array[]): number {
  let count = 0;
  for (const pass of marks) for (const mark of pass) count += mark;
  return count;
}

/**
 * The same by calculation, for replicas too large to mark: runs of `runBlocks` wanted blocks, `runCount` of them, far apart.
 * Each pass costs no more than all of it.
 */
export function expectedRegeneration(
  blockCount: number,
  spacings: Spacings,
  runCount: number,
  runBlocks: number,
): number {
  let [runs, length] = [runCount, runBlocks];
  let total = 0;
  for (let pass = spacings.length - 1; pass >= 0; pass -= 1) {
    const spacing = Math.min(spacings[pass]!, blockCount);
    if (spacing === blockCount) {
      // No checkpoint: all up to the last block wanted, which is all of it but for a sliver.
      total += blockCount;
      [runs, length] = [blockCount, 1];
      continue;
    }
    // What stands before a run in its first stretch, and the run itself, less the blocks that are kept.
    const perRun = (spacing - 1) / 2 + (length === 1 ? 0 : (length * (spacing - 1)) / spacing);
    // Runs fall where they fall: some into stretches that are paid for already.
    const cost = blockCount * -Math.expm1((-runs * perRun) / blockCount);
    total += cost;
    [runs, length] = [cost, 1];
  }
  return total;
}

/** A pass's kept checkpoints: all of its output here, of which only the kept blocks are looked at. */
export interface KeptPasses {
  readonly outputs: readonly Uint8Array[];
}

/**
 * Makes the marked blocks again out of the segment and the checkpoints alone.
 * @returns the last pass's output, right where marked or kept, and zero elsewhere
 */
export function regenerate(
  kernels: Kernels,
  { matrix, ciphers }: ReplicaDecoder,
  segment: Uint8Array,
  kept: KeptPasses,
  spacings: Spacings,
  marks: readonly Uint8Array[],
): Uint8Array {
  let before = segment;
  for (const [pass, { key, iv }] of ciphers.entries()) {
    const output = newBlocks(matrix.blockCount);
    const own = marks[pass]!;
    const spacing = spacings[pass]!;
    putKept(output, kept.outputs[pass]!, spacing);
    for (let from = 0; from < own.length; from += 1) {
      if (own[from] === 0) continue;
      let to = from + 1;
      while (to < own.length && own[to] === 1 && (to % spacing !== 0 || spacing === Number.POSITIVE_INFINITY)) to += 1;
      const input = pass === 0 ? segment.subarray(from * BLOCK, to * BLOCK) : gathered(matrix, before, from, to);
      const chain = from === 0 ? iv.slice() : kept.outputs[pass]!.slice((from - 1) * BLOCK, from * BLOCK);
      kernels.aesCbcEncrypt(key, chain, input, output.subarray(from * BLOCK, to * BLOCK));
      from = to - 1;
    }
    before = output;
  }
  return before;
}

/** The checkpoints themselves. */
function putKept(output: Uint8Array, from: Uint8Array, spacing: number): void {
  for (let block = spacing - 1; (block + 1) * BLOCK <= output.length; block += spacing)
    output.set(from.subarray(block * BLOCK, (block + 1) * BLOCK), block * BLOCK);
}

function gathered(matrix: BlockMatrix, before: Uint8Array, from: number, to: number): Uint8Array {
  const input = newBlocks(to - from);
  for (let place = from; place < to; place += 1) {
    const at = untransposedIndex(matrix, place) * BLOCK;
    input.set(before.subarray(at, at + BLOCK), (place - from) * BLOCK);
  }
  return input;
}

/** All passes' outputs of a segment in memory: what a cheat picks its checkpoints from. */
export function allPasses(kernels: Kernels, { matrix, ciphers }: ReplicaDecoder, segment: Uint8Array): KeptPasses {
  const outputs: Uint8Array[] = [];
  for (const [pass, { key, iv }] of ciphers.entries()) {
    const input = pass === 0 ? segment : gathered(matrix, outputs[pass - 1]!, 0, matrix.blockCount);
    const output = newBlocks(matrix.blockCount);
    kernels.aesCbcEncrypt(key, iv.slice(), input, output);
    outputs.push(output);
  }
  return { outputs };
}
