/**
 * Floor 3: replication. Encode a segment under a key that only one identity and one rotation have, commit to it, prove period by
 * period that it is still stored, verify others' proofs, and decode it again. A library: no clock, no network, no ledger.
 */
export { type ByteReader, type ByteSource, memoryReader, readerChunks } from './chunks.ts';
export { decodeRange, type ReplicaDecoder, replicaDecoder } from './decode.ts';
export { type DecodedPiece, type DecodeOptions, decodeReplica } from './decode-stream.ts';
export { type EncodeOptions, type EncodeRoots, type EncodeSink, type EncodeState, encodeSegment } from './encode.ts';
export { type CorruptionCode, CorruptReplicaError, ReplicatorError, type ReplicatorErrorCode } from './errors.ts';
export { geometryProblem, type SegmentGeometry, sampleBlockProblem } from './geometry.ts';
export {
  deriveCipher,
  deriveSampleSeed,
  proveKey,
  proveSamples,
  type ReplicaCipher,
  type ReplicaSubject,
  type SampleSubject,
} from './key.ts';
export { type LayerCount, layerCiphers, layerCount } from './layers.ts';
export { type OpenProofRefusal, type OpenTrust, type OpenVerdict, verifyOpenFile } from './open-check.ts';
export {
  decodeOpenFile,
  encodeOpenFile,
  OPEN_FILE_SIZE_BYTES_MAX,
  type OpenContext,
  type OpenStorageProof,
} from './open-file.ts';
export {
  DEFAULT_CHECK_COUNT,
  DEFAULT_SAMPLE_COUNT,
  drawsFor,
  type OpenParameters,
  openParametersProblem,
  passLog2,
} from './open-plan.ts';
export {
  checkOpening,
  makeOpening,
  type OpenClaim,
  type OpeningRefusal,
  type OpeningTarget,
  type OpenRefusal,
  type OpenShape,
  type OpenSource,
  verifyOpen,
} from './open-proof.ts';
export { memorySource } from './open-source.ts';
export { type ProofRefusal, type ProofVerdict, verifyProofFile } from './proof-check.ts';
export {
  decodeProofFile,
  encodeProofFile,
  PROOF_FILE_SIZE_BYTES,
  type ProofContext,
  type StorageProof,
} from './proof-file.ts';
export { type DesignatedBlock, ProofFileError, type ProofFileErrorCode, proofFileMode } from './proof-head.ts';
export { samplesRoot } from './prove.ts';
export { type PlaintextOptions, REPLICA_READ_SIZE_BYTES_MAX, Replica } from './replica-file.ts';
export type { ReplicaHeader } from './replica-header.ts';
export type { SegmentSource } from './replica-writer.ts';
export { type PlanInput, planReplicas, type ReplicaStatus, type ReplicatorAction } from './rotate.ts';
export { drawOffset, type SampleLayout, SLICE_SIZE_BYTES, sampleCount } from './sample.ts';
export {
  periodOf,
  periodStartSlot,
  proofDeadlineSlot,
  type ReplicationSchedule,
  rotationOf,
  rotationStartPeriod,
} from './schedule.ts';
export { memoryScratch, type Scratch } from './scratch.ts';
export type { AttackRow, AttackVerdict, SoundnessParameters, SoundnessReport } from './soundness/parameters.ts';
export { curves, curvesCsv, curvesSvg } from './soundness/plot.ts';
export { soundnessReport } from './soundness/report.ts';
export { sizeText, soundnessLines } from './soundness/text.ts';
export {
  type DamagedReplica,
  type EncodeSourceRequest,
  type ReencodeRequest,
  type ReplicaId,
  type ReplicaListing,
  ReplicaStore,
  type ReplicaStoreOptions,
} from './store.ts';
export {
  type IdentityRoots,
  type StreamIdentity,
  type StreamRequest,
  type StreamRoots,
  streamRoots,
} from './stream-roots.ts';
export { streamRootsOn } from './stream-threads.ts';
export { inlineThreads, type ReplicaThreads, startReplicaThreads } from './threads/threads.ts';
export {
  type ClaimVerdict,
  type PeriodClaim,
  type RefusalReason,
  type ReplicaClaim,
  type VerifyRequest,
  verifyStream,
} from './verify.ts';
export {
  createVrfKey,
  VRF_OUTPUT_SIZE_BYTES,
  VRF_PROOF_SIZE_BYTES,
  type VrfKey,
  vrfProofToHash,
  vrfVerify,
} from './vrf.ts';
