/**
 * What a proof of either mode says of the chain, against what the verifier knows of it: its genesis, the designated blocks, the segment's root.
 *
 * Invariant: no field of a proof is believed that the verifier did not bring along or recompute.
 */
import { sameBytes } from '../native/index.ts';
import type { DesignatedBlock, ProofChain, ProofClaim } from './proof-head.ts';
import { rotationOf } from './schedule.ts';

/** How a proof contradicts the chain; the first that applies, in this order. */
export type ChainRefusal =
  | 'chain'
  | 'parameters'
  | 'period-outside-rotation'
  | 'rotation-block'
  | 'period-block'
  | 'segment-root';

export const CHAIN_MESSAGES: Readonly<Record<ChainRefusal, string>> = {
  chain: 'the proof is for another chain',
  parameters: "sizes, layers, draws or schedule are not the chain's",
  'period-outside-rotation': 'the period is not in the rotation the proof names',
  'rotation-block': "the block that designates the rotation's hash is another one on this chain",
  'period-block': "the block that designates the period's hash is another one on this chain",
  'segment-root': "the segment's root is not the one in the chain's headers",
};

/**
 * The first field of a proof that contradicts what the verifier knows.
 * @param sameMode whether the parameters of the mode itself are the chain's
 */
export function chainContradiction(
  proof: ProofChain & ProofClaim,
  trusted: ProofChain,
  sameMode: boolean,
): ChainRefusal | undefined {
  if (!sameBytes(proof.chainId, trusted.chainId)) return 'chain';
  if (!sameMode || !sameSizes(proof, trusted)) return 'parameters';
  if (rotationOf(trusted.schedule, proof.period) !== proof.rotation) return 'period-outside-rotation';
  if (!sameBlock(proof.rotationBlock, trusted.rotationBlock)) return 'rotation-block';
  if (!sameBlock(proof.periodBlock, trusted.periodBlock)) return 'period-block';
  if (!sameBytes(proof.segmentRoot, trusted.segmentRoot)) return 'segment-root';
  return undefined;
}

function sameSizes(a: ProofChain, b: ProofChain): boolean {
  return (
    a.geometry.segmentSizeBytes === b.geometry.segmentSizeBytes &&
    a.geometry.leafSizeBytes === b.geometry.leafSizeBytes &&
    a.schedule.slotsPerPeriod === b.schedule.slotsPerPeriod &&
    a.schedule.periodsPerRotation === b.schedule.periodsPerRotation
  );
}

/** Whether two designate the same hash from the same block. */
function sameBlock(a: DesignatedBlock, b: DesignatedBlock): boolean {
  return a.height === b.height && sameBytes(a.blockHash, b.blockHash) && sameBytes(a.pohHash, b.pohHash);
}
