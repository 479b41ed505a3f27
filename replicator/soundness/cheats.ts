/**
 * The cheats that store less and compute more, by calculation: which checkpoints to keep, what a proof then costs, and how long that takes on
 * the cores given. Always in the cheat's favour: stretches are encrypted at the rate of many chains at once, reading, gathering and
 * hashing are free, and the history itself costs nothing to keep because it is public.
 */
import { CIPHER_BLOCK_SIZE_BYTES, SUBTREE_LEAF_COUNT } from '../geometry.ts';
import { sampleCount } from '../sample.ts';
import type { MachineRates, SoundnessParameters } from './parameters.ts';
import { expectedRegeneration, keptShare, type Spacings } from './regenerate.ts';

const HASH_SIZE_BYTES = 32;
const SPACINGS = [2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 1024, 4096, 16_384, 65_536] as const;

/** One way to keep less. */
export interface Checkpointing {
  readonly spacings: Spacings;
  /** Mode `open`: whether every leaf's hash is kept, or only the subtrees' roots, so that a leaf costs its subtree. */
  readonly keepsLeafHashes: boolean;
  readonly kept: number;
  readonly workBytes: number;
}

/** How many runs of how many blocks one proof opens. */
export function openedRuns(
  parameters: SoundnessParameters,
  keepsLeafHashes: boolean,
): { readonly runCount: number; readonly runBlocks: number } {
  const { mode, segmentSizeBytes, leafSizeBytes, layers, checkCount, sampleBlockSizeBytes } = parameters;
  if (mode === 'stream')
    return { runCount: sampleCount({ replicaSizeBytes: segmentSizeBytes, sampleBlockSizeBytes }), runBlocks: 3 };
  const leavesPerRun = keepsLeafHashes ? 1 : SUBTREE_LEAF_COUNT;
  return {
    runCount: Math.min(
      parameters.sampleCount + checkCount * 2 ** (layers - 1),
      Math.ceil(segmentSizeBytes / leafSizeBytes / leavesPerRun),
    ),
    runBlocks: (leafSizeBytes / CIPHER_BLOCK_SIZE_BYTES) * leavesPerRun,
  };
}

/** Share of a replica that a cheat's part of its tree takes: nothing in mode `stream`, which commits to no openings. */
function treeShare({ mode, leafSizeBytes }: SoundnessParameters, keepsLeafHashes: boolean): number {
  if (mode === 'stream') return 0;
  return HASH_SIZE_BYTES / (leafSizeBytes * (keepsLeafHashes ? 1 : SUBTREE_LEAF_COUNT));
}

function checkpointing(parameters: SoundnessParameters, spacings: Spacings, keepsLeafHashes: boolean): Checkpointing {
  const blockCount = parameters.segmentSizeBytes / CIPHER_BLOCK_SIZE_BYTES;
  const { runCount, runBlocks } = openedRuns(parameters, keepsLeafHashes);
  return {
    spacings,
    keepsLeafHashes,
    kept: keptShare(spacings) + treeShare(parameters, keepsLeafHashes),
    workBytes: expectedRegeneration(blockCount, spacings, runCount, runBlocks) * CIPHER_BLOCK_SIZE_BYTES,
  };
}

/**
 * The cheapest ways to keep less, most kept first: one spacing for the last pass and one for all before it, and no way that another
 * beats in both storage and work.
 */
export function checkpointings(parameters: SoundnessParameters): Checkpointing[] {
  const all = SPACINGS.flatMap((last) =>
    (parameters.layers === 1 ? [last] : SPACINGS).flatMap((inner) => {
      const spacings = Array.from({ length: parameters.layers }, (_, pass) =>
        pass === parameters.layers - 1 ? last : inner,
      );
      const choices = parameters.mode === 'open' ? [true, false] : [false];
      return choices.map((keepsLeafHashes) => checkpointing(parameters, spacings, keepsLeafHashes));
    }),
  ).filter(({ kept }) => kept < 1);
  all.sort((a, b) => b.kept - a.kept || a.workBytes - b.workBytes);
  const best: Checkpointing[] = [];
  for (const each of all) {
    while (best.length > 0 && best.at(-1)!.workBytes >= each.workBytes) best.pop();
    best.push(each);
  }
  return best;
}

/** Time to make the wanted blocks again: bounded by all the work on all cores, and by each pass's longest stretch, one after the other. */
export function regenerationMs(
  { cores, segmentSizeBytes }: SoundnessParameters,
  { oneChain, manyChains }: MachineRates,
  { spacings, workBytes }: Pick<Checkpointing, 'spacings' | 'workBytes'>,
): number {
  const longest = spacings.reduce(
    (sum, spacing) => sum + Math.min(segmentSizeBytes, spacing * CIPHER_BLOCK_SIZE_BYTES),
    0,
  );
  return 1000 * Math.max(workBytes / (manyChains * cores), longest / oneChain);
}

/** Nothing kept: encode everything when asked. */
export function justInTime({ segmentSizeBytes, layers }: SoundnessParameters): Checkpointing {
  return {
    spacings: Array.from({ length: layers }, () => Number.POSITIVE_INFINITY),
    keepsLeafHashes: false,
    kept: 0,
    workBytes: segmentSizeBytes * layers,
  };
}
