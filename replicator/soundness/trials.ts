/** The attacks, done: each turns what it kept into a proof and hands it to the real verifier. */
import { CIPHER_BLOCK_SIZE_BYTES, SUBTREE_LEAF_COUNT } from '../geometry.ts';
import { drawNumbers, openPlan } from '../open-plan.ts';
import { drawSlice, sampleBlock, sampleCount } from '../sample.ts';
import type { Checkpointing } from './cheats.ts';
import type { Draw, Lab, LabReplica } from './lab.ts';
import type { Clock } from './machine.ts';
import type { AttackRow } from './parameters.ts';
import { markedCount, regenerate, regenerationMarks } from './regenerate.ts';

type Measured = NonNullable<AttackRow['measured']>;
const BLOCK = CIPHER_BLOCK_SIZE_BYTES;

/** Blocks of the replica that a proof needs, in mode `open` with every touched subtree unless all leaf hashes are kept. */
function wantedBlocks(lab: Lab, own: LabReplica, draw: Draw, keepsLeafHashes: boolean): Float64Array {
  const { parameters, kernels } = lab;
  const { mode, leafSizeBytes, segmentSizeBytes, sampleBlockSizeBytes } = parameters;
  const blocks: number[] = [];
  const add = (start: number, sizeBytes: number): void => {
    const end = Math.min(segmentSizeBytes, start + sizeBytes);
    for (let block = Math.floor(start / BLOCK); block * BLOCK < end; block += 1) blocks.push(block);
  };
  if (mode === 'stream') {
    const layout = { replicaSizeBytes: segmentSizeBytes, sampleBlockSizeBytes };
    for (let index = 0; index < sampleCount(layout); index += 1)
      for (const run of drawSlice(kernels, draw.seed, layout, index)) add(run.replicaOffset, run.sizeBytes);
  } else {
    const plan = openPlan(kernels, own.decoder, parameters, lab.shape.parameters, draw.seed);
    const run = leafSizeBytes * (keepsLeafHashes ? 1 : SUBTREE_LEAF_COUNT);
    let last = -1;
    for (const leaf of plan.replicaLeaves) {
      const start = Math.floor((leaf * leafSizeBytes) / run);
      if (start !== last) add(start * run, run);
      last = start;
    }
  }
  return Float64Array.from(blocks);
}

/** What one regenerated proof came to at the scaled size. */
export interface RegenerationTrial extends Measured {
  readonly blocks: number;
  readonly ms: number;
}

/** Throws the replica away but for the checkpoints, draws a period, makes what it asks for again, and proves. */
export async function tryCheckpointing(
  lab: Lab,
  identities: readonly LabReplica[],
  { spacings, keepsLeafHashes }: Checkpointing,
  now: Clock,
): Promise<RegenerationTrial> {
  const started = now();
  let [passed, blocks] = [0, 0];
  for (const [index, own] of identities.entries()) {
    const draw = lab.draw(own, 40 + index);
    const wanted = wantedBlocks(lab, own, draw, keepsLeafHashes);
    const marks = regenerationMarks(own.decoder.matrix, spacings, wanted);
    blocks += markedCount(marks);
    const bytes = regenerate(lab.kernels, own.decoder, lab.segment, own.passes, spacings, marks);
    if (await lab.accepts(own, bytes, draw)) passed += 1;
  }
  const ms = now() - started;
  const note = `${identities.length} identities, ${Math.round(blocks / identities.length)} blocks each, ${ms.toFixed(0)} ms in all`;
  return { passed, tried: identities.length, note, blocks, ms };
}

/**
 * Erases a share: whole leaves in mode `open`; in mode `stream` a run of every sample block. Proves a few periods for real, and in mode
 * `open` draws many more at full size. @param leafCount of the replica at full size
 */
export async function tryErasing(
  lab: Lab,
  own: LabReplica,
  share: number,
  leafCount: number,
  periods: number,
): Promise<Measured> {
  const proofs = 3;
  const { mode, leafSizeBytes, segmentSizeBytes, sampleBlockSizeBytes, sampleCount: draws } = lab.parameters;
  const bytes = own.bytes.slice();
  if (mode === 'open')
    bytes.fill(0, 0, Math.max(1, Math.round((share * segmentSizeBytes) / leafSizeBytes)) * leafSizeBytes);
  else eraseRuns(bytes, sampleBlockSizeBytes, share);
  const erasedLeaves = Math.max(1, Math.round(share * leafCount));
  let passed = 0;
  for (let period = 0; period < proofs; period += 1)
    if (await lab.accepts(own, bytes, lab.draw(own, 100 + period))) passed += 1;
  if (mode === 'stream') return { passed, tried: proofs, note: 'real proofs' };
  const state = lab.segmentRoot.slice();
  for (let period = 0; period < periods; period += 1) {
    lab.kernels.sha256Chain(state, 1);
    const drawn = drawNumbers(lab.kernels, state, draws, leafCount);
    if (!drawn.some((leaf) => leaf < erasedLeaves)) passed += 1;
  }
  return { passed, tried: proofs + periods, note: `${proofs} real proofs, ${periods} drawn ones` };
}

function eraseRuns(bytes: Uint8Array, sampleBlockSizeBytes: number, share: number): void {
  const layout = { replicaSizeBytes: bytes.length, sampleBlockSizeBytes };
  for (let index = 0; index < sampleCount(layout); index += 1) {
    const { start, length } = sampleBlock(layout, index);
    bytes.fill(0, start, start + Math.round(share * length));
  }
}

/** Tries `tries` period hashes each time and takes one that misses what was erased: with few draws, so that it can be counted. */
export function tryGrinding(lab: Lab, share: number, draws: number, tries: number, rounds: number): Measured {
  const { segmentSizeBytes, leafSizeBytes } = lab.parameters;
  const leafCount = segmentSizeBytes / leafSizeBytes;
  const state = lab.segmentRoot.slice();
  let passed = 0;
  for (let round = 0; round < rounds; round += 1) {
    let hit = false;
    for (let attempt = 0; attempt < tries && !hit; attempt += 1) {
      lab.kernels.sha256Chain(state, 1);
      hit = !drawNumbers(lab.kernels, state, draws, leafCount).some((leaf) => leaf < share * leafCount);
    }
    if (hit) passed += 1;
  }
  return { passed, tried: rounds, note: `${draws} draws, ${tries} hashes tried` };
}

/** Changes an own VRF proof in every byte: each changed one must be refused, so there is one set of samples and no other. */
export async function trySecondOutput(lab: Lab, own: LabReplica): Promise<Measured> {
  const draw = lab.draw(own, 60);
  let passed = 0;
  const places = Array.from({ length: 20 }, (_, index) => index * 4);
  for (const at of places) {
    const sampleProof = draw.sampleProof.with(at, draw.sampleProof[at]! ^ 1);
    if (await lab.accepts(own, own.bytes, { ...draw, sampleProof })) passed += 1;
  }
  return { passed, tried: places.length, note: 'changed VRF proofs' };
}

/** Commits to another identity's replica and proves out of it. */
export async function tryCopying(lab: Lab, own: LabReplica, victim: LabReplica): Promise<Measured> {
  const cheat = { ...own, source: { ...victim.source, cipher: own.cipher } };
  const passed = await lab.accepts(cheat, victim.bytes, lab.draw(own, 50), victim.replicaRoot);
  return { passed: passed ? 1 : 0, tried: 1, note: 'a real proof' };
}

/** Keeps only what one guessed period asks for, and proves another with it. */
export async function tryPrecomputing(lab: Lab, own: LabReplica): Promise<Measured> {
  const guessed = lab.draw(own, 51);
  const kept = new Uint8Array(own.bytes.length);
  for (const block of wantedBlocks(lab, own, guessed, true))
    kept.set(own.bytes.subarray(block * BLOCK, (block + 1) * BLOCK), block * BLOCK);
  let passed = 0;
  if (await lab.accepts(own, kept, lab.draw(own, 52))) passed += 1;
  // And the guessed period's own proof must be right, or nothing was tried.
  const control = await lab.accepts(own, kept, guessed);
  return { passed, tried: 1, note: control ? 'its guessed period would have passed' : 'CONTROL FAILED' };
}

/** Sends an old period's proof for a new one. */
export async function tryReplaying(lab: Lab, own: LabReplica): Promise<Measured> {
  const [old, current] = [lab.draw(own, 53), lab.draw(own, 54)];
  const passed = await lab.accepts(own, own.bytes, old, undefined, { ...current, sampleProof: old.sampleProof });
  return { passed: passed ? 1 : 0, tried: 1, note: 'a real proof' };
}
