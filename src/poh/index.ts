/**
 * Proof of History: the generator, the rules of recorded sequences, their verification (whole, in slices, over stretches of blocks), and
 * timestamp proofs. Pure: who drives the generator in time is src/node/threads.
 *
 * What PoH shows is order and a minimum amount of sequential work, not wall time.
 */
export { PohGenerator } from './generator.ts';
export { type MerklePath, merklePath, PATH_STEPS_MAX, pathRoot } from './merkle-path.ts';
export {
  checkPohParameters,
  hashesPerSlot,
  isTickCount,
  nextTickCount,
  PohError,
  type PohParameters,
  type PohPoint,
  slotEndCount,
} from './parameters.ts';
export {
  type BlockPohFault,
  type PreparedPoh,
  prepareBlockPoh,
  type StretchFault,
  type StretchFigures,
  type StretchResult,
  type StretchStart,
  verifyBlockPoh,
  verifyStretch,
} from './stretch.ts';
export { checkStructure, type StructureError, type StructureFault } from './structure.ts';
export {
  buildTimestampProof,
  decodeTimestampProof,
  encodeTimestampProof,
  type TimestampFault,
  type TimestampProof,
  type TimestampResult,
  verifyTimestamp,
} from './timestamp.ts';
export {
  batchSteps,
  joinSliceResults,
  type PohBatch,
  type PohSlice,
  packPoh,
  splitPoh,
  verifyPohBatch,
} from './verify.ts';
