/**
 * Floor 2: storage. The op log, the account table, history, commitments and fast-sync staging: what a node keeps, and proves.
 */
export type { Commitment } from './commitment/commitment.ts';
export { CommitmentError, type CommitmentErrorCode } from './commitment/commitment-error.ts';
export { consistencyProof, type TreePair, verifyConsistency } from './commitment/consistency.ts';
export { Frontier } from './commitment/frontier.ts';
export {
  inclusionProof,
  PATH_LENGTH_MAX,
  packHashes,
  rootFromInclusion,
  verifyInclusion,
} from './commitment/inclusion.ts';
export {
  emptyRoot,
  HASH_SIZE_BYTES,
  LEAF_PREFIX,
  leafHash,
  MerkleError,
  type MerkleErrorCode,
  type MerkleKernels,
  merkleRoot,
  NODE_PREFIX,
  nodeHash,
} from './commitment/merkle.ts';
export {
  decodeStateProof,
  encodeStateProof,
  type ProvenEntry,
  STATE_PROOF_SIZE_BYTES_MAX,
  type StateProof,
  StateProofError,
  type StateProofErrorCode,
  type StateProofRefusal,
  type StateProofVerdict,
  verifyStateProof,
} from './commitment/state-proof.ts';
export { emptyCommitment } from './commitment/trees.ts';
export { type Disk, openKeyValues, realDisk } from './disk.ts';
export { DurableRecord, type DurableRecordOptions } from './durable-record.ts';
export { CorruptionError, PrunedError, StorageError, type StorageErrorCode } from './errors.ts';
export { diskFiles } from './files/disk-files.ts';
export {
  type FileLock,
  type Files,
  FilesError,
  type FilesErrorCode,
  makeDurableDirectory,
  type StoredFile,
  writeWhole,
} from './files/files.ts';
export {
  BLOCK_SIZE_BYTES_MAX,
  frameBlock,
  HistoryCursor,
  type HistoryKernels,
  type HistoryShape,
  segmentRootOf,
} from './history/cursor.ts';
export type { BlockPlace, TransactionKey, TransactionPlace } from './history/history-index.ts';
export type { HistoryBlock, HistoryOptions, HistoryStart, SegmentReader } from './history/history-model.ts';
export { HistoryStore } from './history/history-store.ts';
export { type PendingBlock, PendingBlocks } from './history/pending-blocks.ts';
export type { PruneOptions, PruneResult } from './history/pruning.ts';
export {
  type HistorySegment,
  type HistorySummary,
  type InspectHistoryOptions,
  inspectHistory,
} from './inspect/history-summary.ts';
export { type LogFolder, readLogIdentity, type SlotReading } from './inspect/log-folder.ts';
export { inspectLog, type LogSummary, type SegmentSummary, type TornTail } from './inspect/log-summary.ts';
export { type RebuildFigures, type RebuildOptions, rebuildTable } from './inspect/rebuild-table.ts';
export {
  type InspectTableOptions,
  inspectTable,
  type ShardSummary,
  type TableSummary,
} from './inspect/table-summary.ts';
export { type LogFault, type LogFigures, type VerifyLogOptions, verifyLog } from './inspect/verify-log.ts';
export type { KeyRange, KeyValueStore, KeyValues, Table, TableKey, TableShape } from './key-value/key-value.ts';
export { lmdbKeyValues } from './key-value/lmdb-key-values.ts';
export {
  BATCH_SIZE_BYTES_MAX,
  type Batch,
  BatchError,
  type BatchErrorCode,
  type BatchHead,
  checkBatch,
  decodeBatch,
  encodeBatch,
  readBatchHead,
  writeBatchPlace,
} from './oplog/batch.ts';
export { type OpenReport, StateStore, type StateStoreOptions, type StateTip } from './state.ts';
export {
  type ActiveOp,
  type ActivityReader,
  type BatchPlace,
  type BondReader,
  type BondState,
  RECORD_KEY_SIZE_BYTES_MAX,
  RECORD_VALUE_SIZE_BYTES_MAX,
  type StateOp,
  type StateReader,
} from './state-reader.ts';
export { LIARS_MAX, LiarList } from './sync/liar-list.ts';
export {
  type CheckedManifest,
  checkManifest,
  type ManifestCheck,
  type StateManifest,
  type SyncTarget,
} from './sync/manifest.ts';
export {
  type OpsTree,
  PIECE_FRAME_SIZE_BYTES_MAX,
  PIECE_OPS,
  type Piece,
  type PieceKernels,
  readPiece,
  requireWhole,
} from './sync/piece.ts';
export type { OpSpan } from './sync/piece-plan.ts';
export { readPieceFrame, type StateSource } from './sync/state-source.ts';
export { StateStage } from './sync/state-stage.ts';
export { SyncFault, type SyncFaultCode } from './sync/sync-fault.ts';
export { SyncStage, type SyncStageOptions } from './sync/sync-stage.ts';
