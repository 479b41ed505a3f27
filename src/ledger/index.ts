/**
 * The ledger: genesis, execution of transactions on a state, the recency window, and the rules of replication. Pure: no I/O, no clock, no
 * randomness. Layouts and rules: docs/format/records.md.
 */

export { BlockExecution, type BlockPlace, type ExecutionSavepoint, executeBlock } from './block-execution.ts';
export type { Bond } from './bonds/bond.ts';
export { readBond, readBonds } from './bonds/bond.ts';
export type { Reveal } from './bonds/decoy.ts';
export { electorateAfter } from './bonds/electorate-after.ts';
export {
  decodeElectorateRecord,
  decodeMembers,
  type ElectorateRecord,
  encodeElectorateRecord,
  encodeMembers,
  MEMBER_SIZE_BYTES,
  memberListDigest,
  readElectorateRecord,
  recordOf,
} from './bonds/electorate-record.ts';
export { lateSlotsMax } from './bonds/epoch-opening.ts';
export { type EpochRecord, type Judge, judgeNow, readEpoch } from './bonds/epoch-record.ts';
export { genesisElectorate } from './bonds/genesis-bonds.ts';
export { ELECTORATE_KEY } from './bonds/keys.ts';
export { type BondStage, hasBond, readValidators, type ValidatorOverview } from './bonds/overview.ts';
export { type BlockPoint, type ProgressRecord, readProgress } from './bonds/progress-record.ts';
export { hasSeat, SEATS_MAX } from './bonds/seat-set.ts';
export { type ConsensusFields, epochOf } from './bonds/stake-rules.ts';
export { readTally, type TallyRecord } from './bonds/tally-record.ts';
export { type CompactionOutcome, excessOf } from './compaction.ts';
export type { BlockContext, BlockFacts, TransactionFacts } from './context.ts';
export {
  type BlockEvictions,
  EVICTION_LEAF_SIZE_BYTES,
  EVICTIONS_MAX,
  type Eviction,
  evictionLeaf,
  evictionLeafHashes,
  type MountainPlace,
  mountainOf,
  peakFromPath,
} from './evictions/eviction.ts';
export {
  decodeEvictions,
  EVICTIONS_KEY,
  type EvictionsRecord,
  encodeEvictions,
  isRevived,
  readEvictions,
  revivedKey,
  sameRange,
} from './evictions/evictions-record.ts';
export { checkTransaction, executeTransaction } from './execute.ts';
export { rewardPoolAddress } from './fees.ts';
export {
  canonicalGenesis,
  chainIdOf,
  DEVNET_PARAMETERS,
  GENESIS_SIZE_BYTES_MAX,
  GenesisError,
  type GenesisErrorCode,
  type GenesisIssue,
  genesisBatch,
  genesisDocument,
  genesisFrom,
  genesisHeader,
  genesisOps,
  genesisPlace,
  genesisSupply,
  parseGenesis,
} from './genesis.ts';
export {
  GENESIS_ACCOUNTS_MAX,
  type Genesis,
  type GenesisAccount,
  type GenesisValidator,
  HASHES_PER_SLOT_MAX,
  VALIDATORS_MAX,
} from './genesis-schema.ts';
export { areQuorum, followsDirectly, linkVotesOf } from './hand-overs/finality.ts';
export { type KnownElectorate, knownBy, requireNext, requireQuorum, votesOf } from './hand-overs/follow-hand-over.ts';
export {
  encodeHandOver,
  HAND_OVER_SIZE_BYTES_MAX,
  type HandOver,
  HandOverError,
  type HandOverFault,
  type HandOverParts,
  readHandOver,
} from './hand-overs/hand-over.ts';
export type { IdSecret } from './id-set.ts';
export { type LedgerInvariantCode, LedgerInvariantError } from './invariant.ts';
export type { LedgerKernels, LedgerState } from './ledger-state.ts';
export { Overlay, type Savepoint } from './overlay.ts';
export {
  AppliedTransactions,
  type BlockEnd,
  type RecencyRules,
  type RecentBlock,
  RecentWindow,
  type ReferenceRefusal,
} from './recent.ts';
export type { BlockRefusal, Refusal, RefusalCode } from './refusal.ts';
export { RENT_RATE_MAX, RENTED_SIZE_BYTES, type RentRules, rentUpTo } from './rent.ts';
export { depositFor } from './replication/commit.ts';
export { withdrawPeriod } from './replication/deposits.ts';
export { type DesignatedRecord, readDesignated, readRotationHash } from './replication/designated.ts';
export {
  type FakeSubject,
  fakeOpening,
  fakeOpeningHead,
  fakeSamplesRoot,
  openingDigest,
  openingDigestOf,
  openingRestHash,
} from './replication/fakes.ts';
export { heldUnits, type IdentityRecord, lockedUnits, readIdentities, readIdentity } from './replication/identity.ts';
export { isLapsed, missesOf, slashOf } from './replication/lapse.ts';
export {
  type MarketRules,
  OPENING_SIZE_BYTES_MAX,
  openingSizeBytesBound,
  REPLICAS_PER_SEGMENT_MAX,
  type ReplicationMode,
} from './replication/market-rules.ts';
export {
  type IdentityOverview,
  type OverviewFilter,
  type PendingProof,
  pendingProofs,
  type ReplicaOverview,
  type ReplicationOverview,
  type ReplicationSums,
  replicationOverview,
  replicationSums,
} from './replication/overview.ts';
export { RecordError, type RecordName } from './replication/record-error.ts';
export {
  type ProofState,
  type Replica,
  type ReplicaProof,
  type ReplicaRecord,
  readReplica,
  readReplicas,
} from './replication/replica.ts';
export {
  commitSlots,
  type DeadlineRules,
  firstPeriodOfRotation,
  firstUndecidedPeriod,
  isProofOpen,
  periodOfSlot,
  periodsDue,
  proofLastSlot,
  proofSlots,
  revealSlots,
  rotationOfPeriod,
  rotationOfSlot,
  type ScheduleRules,
  type SlotRange,
  sealLastSlot,
  slotsOfPeriod,
  verdictLastSlot,
} from './replication/schedule.ts';
export { readSeal, type SealRecord, type Word, WordReader } from './replication/seals.ts';
export { seatCount, seatKey, seatOf, totalWeight, weightOf, weightOfSeats } from './replication/seats.ts';
export {
  readAllPlaces,
  readSegmentPlaces,
  type SegmentPlace,
  type SegmentPlaces,
} from './replication/segment-places.ts';
export { provenBySegment, type SegmentStanding, segmentStandings } from './replication/standings.ts';
export { readFaults, readValidatorFaults, type ValidatorFaults } from './replication/validator-faults.ts';
export { type LedgerRules, ledgerRules } from './rules.ts';
export { assertSupplyKept, evictedUnits, supplyChange, totalBonds, totalDeposits, totalSupply } from './supply.ts';
