/**
 * The port between the RPC server (this floor) and a node (the floor above): what a validator or an archive answers.
 *
 * Invariants
 * - Everything here is in the program's own types: bytes, branded numbers, bigint amounts. Text (base58, bech32m, base64,
 *   decimal strings) exists only in the server and the client.
 * - A call either resolves, or throws `ApiError` with a code that names why. Anything else thrown is an internal error:
 *   the server logs it and tells the caller nothing but "internal error".
 * - Every list in an answer has a maximum, named below; the server checks the request's side of it before calling.
 * - Methods never change what they return afterwards; the server only reads.
 *
 * `T | Promise<T>` is written `Answer<T>`: what is in memory may be answered at once.
 */
import type { Address, Amount, Hash, Height, PohCount, PublicKey, Slot } from '../../native/index.ts';
import type { Block, Certificate, Transaction } from '../codec/model.ts';
import type { PeerName } from '../net/transport.ts';
import type { EvictionsView } from './evictions-view.ts';

export type Answer<T> = T | Promise<T>;

/** Most accounts in one `getMultipleAccounts`, and most ids in one `getSignatureStatuses`. */
export const QUERY_ITEMS_MAX = 1000;
/** Most transactions in one `cairn_sendTransactions`. */
export const SUBMIT_ITEMS_MAX = 512;
/** Most blocks one `cairn_waitFinalized` answers; the caller asks again from the last height it got. */
export const FINALIZED_BLOCKS_MAX = 32;
/** Longest a `cairn_waitFinalized` may wait. */
export const WAIT_TIMEOUT_MS_MAX = 30_000;
/** Most rows of one list in `cairn_getReplication`. */
export const REPLICATION_ROWS_MAX = 1000;

/**
 * How settled a block must be (Solana's words): processed = executed on the best branch, confirmed = justified by more
 * than 2/3 of the bonds, finalized = final.
 */
export type Commitment = 'processed' | 'confirmed' | 'finalized';

export type ApiErrorCode =
  /** No such block, transaction or record. */
  | 'not-found'
  /** It existed, but this node no longer has it (pruned), or never fetched it (fast-synced from a later block). */
  | 'not-available'
  /** This role does not serve the method. */
  | 'not-supported'
  /** The node is syncing or stalled; ask another one. */
  | 'unhealthy'
  /** A queue is full; try again later. */
  | 'busy'
  /** A transaction was refused; `reason` is the ledger's or codec's own code. */
  | 'transaction-refused'
  /** A parameter is well-formed but makes no sense here, e.g. a height above the tip. */
  | 'invalid-parameter';

/** The one error an implementation throws on purpose; its message is shown to the caller as it stands. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** A finer, machine-readable reason, e.g. `stale-last-valid-hash`; undefined when `code` says it all. */
  readonly reason: string | undefined;
  constructor(code: ApiErrorCode, message: string, reason?: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

/** A block's place: how every answer says which state it was read from. */
export interface BlockPoint {
  readonly height: Height;
  readonly slot: Slot;
  readonly hash: Hash;
}

export type NodeRole = 'validator' | 'archive' | 'replicator';

export interface NodeHealth {
  readonly ok: boolean;
  /** Empty when ok; else one sentence, e.g. `finality is 41 slots behind`. */
  readonly reason: string;
}

export interface NodeVersion {
  /** The package's version. */
  readonly version: string;
  readonly kernels: 'native' | 'portable';
}

export interface NodeIdentity {
  readonly role: NodeRole;
  readonly peer: PeerName;
  /** The validator's or replicator's ledger key; null for a node that signs nothing. */
  readonly publicKey: PublicKey | null;
}

/** What a wallet puts into `lastValidHash` / `lastValidCount`. */
export interface LatestBlockhash {
  /** PoH hash at the end of the block (all 32 bytes; a transaction holds its first 20). */
  readonly pohHash: Hash;
  readonly pohCount: PohCount;
  readonly height: Height;
  readonly slot: Slot;
  /** Last slot whose block may still include a transaction that refers to this hash. */
  readonly lastValidSlot: Slot;
}

export interface Balances {
  /** Slot of the block whose state was read. */
  readonly slot: Slot;
  /** In the order asked; 0n for an account that does not exist. */
  readonly balances: readonly bigint[];
}

/** What became of one submitted transaction; one already pending or included here is ok. `code`: the refusal's own code. */
export type SubmitOutcome =
  | { readonly ok: true; readonly id: Hash }
  | { readonly ok: false; readonly id: Hash | null; readonly code: string; readonly message: string };

/** Where a transaction stands; null in a list of these means "never seen here". */
export type TransactionStatus =
  /** Accepted, waiting for a block. */
  | { readonly state: 'pending' }
  /** Accepted, then thrown out, e.g. it expired. `code` as in `SubmitOutcome`. */
  | { readonly state: 'dropped'; readonly code: string; readonly message: string }
  /** In a block. */
  | { readonly state: Commitment; readonly height: Height; readonly slot: Slot };

export interface TransactionStatuses {
  /** Slot of the best block when this was read. */
  readonly slot: Slot;
  /** In the order asked. */
  readonly statuses: readonly (TransactionStatus | null)[];
}

/** A transaction in a finalized block. */
export interface TransactionLocation {
  readonly block: BlockPoint;
  /** Index of the entry in its block, and of the transaction in its entry. */
  readonly entry: number;
  readonly index: number;
  /** PoH count of that entry: the transaction existed before it. */
  readonly pohCount: PohCount;
  readonly transaction: Transaction;
}

export type BlockSelector = { readonly height: Height } | { readonly slot: Slot } | { readonly hash: Hash };

export interface VoteAccount {
  readonly publicKey: PublicKey;
  readonly bond: Amount;
  /** Target slot of its last vote seen; null when none was. */
  readonly lastVoteSlot: Slot | null;
  /** False when it has missed so many votes that tools should show it as delinquent. */
  readonly current: boolean;
}

export interface Supply {
  readonly slot: Slot;
  /** All units in existence: accounts, bonds, deposits and what was evicted. */
  readonly total: bigint;
  /** Held by replicator identities. */
  readonly deposits: bigint;
  /** Held as validators' bonds. */
  readonly bonds: bigint;
  /** Evicted from accounts that could not pay their rent, and not revived. */
  readonly evicted: bigint;
  /** Balance of the reward pool account. */
  readonly rewardPool: bigint;
}

export interface ClusterNode {
  readonly peer: PeerName;
  /** Dialable addresses, as far as known. */
  readonly addresses: readonly string[];
  readonly self: boolean;
  /** What the peer's status message said; null when it has said nothing yet. */
  readonly role: NodeRole | null;
  readonly publicKey: PublicKey | null;
  readonly rpc: string | null;
  readonly version: string | null;
  readonly finalizedHeight: Height | null;
}

/** One page of what an operator, a dashboard or the devnet wants to see. Counters count since the process started. */
export interface NodeStatus {
  readonly role: NodeRole;
  readonly peer: PeerName;
  readonly addresses: readonly string[];
  readonly publicKey: PublicKey | null;
  readonly chainId: Hash;
  readonly kernels: 'native' | 'portable';
  readonly uptimeMs: number;
  readonly health: NodeHealth;
  readonly peers: number;
  /** Best, justified and final block, and the state root after the final one. */
  readonly head: BlockPoint;
  readonly justified: BlockPoint;
  readonly finalized: BlockPoint & { readonly stateRoot: Hash };
  /** The generator expected for the next slot; null when not known. */
  readonly leader: PublicKey | null;
  readonly isLeader: boolean;
  readonly consensus: ConsensusStatus;
  readonly poh: {
    readonly count: PohCount;
    /** Steps a second over the last seconds; 0 when this node is not generating. */
    readonly hashesPerSecond: number;
    /** How far the generator is behind its schedule; 0 when on time. */
    readonly behindMs: number;
  };
  readonly transactions: {
    /** In finalized blocks, since genesis (0 .. 2^53 - 1), votes not counted. */
    readonly final: number;
    /** Waiting for a block here. */
    readonly pending: number;
    readonly received: number;
    readonly refused: number;
  };
  readonly blocks: { readonly produced: number; readonly received: number; readonly refused: number };
  /** From a block's first sight here to its finality, over the last blocks; null before there are any. */
  readonly finalityMs: { readonly p50: number; readonly p99: number } | null;
  readonly history: HistoryStatus;
  readonly replication: ReplicationTotals;
  /** Set while this node is catching up or fast-syncing. */
  readonly sync: { readonly fromHeight: Height; readonly targetHeight: Height; readonly bytes: number } | null;
}

/** Who judges and leads after the best block, and how this node stands to it. */
export interface ConsensusStatus {
  readonly epoch: number;
  readonly era: number;
  /** Members of the electorate, and how many of them are excluded for absence. */
  readonly members: number;
  readonly excluded: number;
  /** Some are excluded: a quorum needs more than half of all, too. */
  readonly majorityFloor: boolean;
  readonly secondary: PublicKey | null;
  /** Whether this node's key is a member: only then it votes and leads. */
  readonly isMember: boolean;
  /** Why it neither votes nor leads all the same, and which slot must be final before it does again (null: for good, or not known yet). */
  readonly silence: { readonly reason: 'twin' | 'votesLost' | 'conflict'; readonly untilSlot: Slot | null } | null;
  /** Another block of this slot was made final by others: finality has split. */
  readonly conflict: { readonly slot: Slot; readonly hash: Hash } | null;
  /** Misbehaviour found by this process; decoys it has sent out as a leader. */
  readonly evidence: number;
  readonly decoys: number;
  /** Leaders not followed for now. */
  readonly distrusted: readonly PublicKey[];
}

/** A bond as the ledger shows it after the last final block. */
export interface ValidatorRow {
  readonly publicKey: PublicKey;
  readonly address: Address;
  /** What it holds now, and what it weighs (0 unless in a set). */
  readonly units: bigint;
  readonly weight: bigint;
  readonly stage: 'waiting' | 'active' | 'leaving' | 'left';
  readonly slashed: boolean;
  /** It asked to leave. */
  readonly asked: boolean;
  /** Has missed so many epochs that it leaves, or has left, the sets. */
  readonly stale: boolean;
  readonly excluded: boolean;
  readonly missedEpochs: number;
  /** First era in the sets, and the first no more; null: not fixed yet. */
  readonly fromEra: number | null;
  readonly untilEra: number | null;
  /** Epoch from which on it can be withdrawn; null while that is not known. */
  readonly freeEpoch: number | null;
  /** Target slot of its last vote seen here; null when none was. */
  readonly lastVoteSlot: Slot | null;
}

export interface ValidatorsView {
  readonly slot: Slot;
  readonly epoch: number;
  readonly era: number;
  readonly majorityFloor: boolean;
  readonly secondary: PublicKey | null;
  /** Whose key leads the slot after the best block. */
  readonly leader: PublicKey | null;
  /** By weight, the heaviest first. */
  readonly validators: readonly ValidatorRow[];
}

/** The history stream, and what of it this node still keeps. */
export interface HistoryStatus {
  /** `pruned`: old bodies go once enough replicas of their segment are proven. */
  readonly mode: 'archive' | 'pruned';
  /** First block kept, and the first segment of which bytes are. */
  readonly startHeight: Height;
  readonly firstSegment: number;
  /** Bytes of the whole stream, of what is kept here, and of what pruning took away here. */
  readonly lengthBytes: number;
  readonly keptBytes: number;
  readonly prunedBytes: number;
  readonly segmentSizeBytes: number;
  /** Completed segments. */
  readonly segments: number;
  /** Segments kept only because the ledger shows too few proven replicas of the first of them. */
  readonly waitingSegments: number;
  /** Segments not kept here of which the ledger now shows fewer proven replicas than it took to let them go. */
  readonly segmentsAtRisk: number;
}

/** Sums over the ledger's replication records, and this node's own verification work. */
export interface ReplicationTotals {
  readonly period: number;
  readonly rotation: number;
  readonly identities: number;
  readonly replicas: number;
  /** Resolved on the ledger, since genesis. */
  readonly proofsAccepted: number;
  readonly proofsRejected: number;
  readonly proofsExpired: number;
  /** Re-encrypted by this process. */
  readonly verifiedHere: number;
  readonly invalidHere: number;
  /** Complete segments with fewer proven replicas than the target, and with none. */
  readonly segmentsBelowTarget: number;
  readonly segmentsUnproven: number;
}

export interface ReplicaRow {
  readonly identity: Address;
  readonly segment: number;
  /** Rotation of the current commit. */
  readonly rotation: number;
  /** How many commits this replica has had: 1 + its key rotations. */
  readonly commits: number;
  readonly replicaRoot: Hash;
  readonly accepted: number;
  readonly rejected: number;
  readonly expired: number;
  /** Period of the last proof; null before the first. */
  readonly lastPeriod: number | null;
  /** State of that last proof. */
  readonly proof: 'none' | 'pending' | 'accepted' | 'rejected' | 'revealed';
  /** Why the last rejected proof was; `unstated` when none was or nobody said. */
  readonly reason: string;
  /** Rewards paid for it so far. */
  readonly paid: number;
  /** Slot of its first commit: the oldest are paid. */
  readonly since: number;
  /** Periods missed in a row. */
  readonly misses: number;
  /** More of them than it survives: anybody may report it. */
  readonly isLapsed: boolean;
}

export interface IdentityRow {
  readonly address: Address;
  readonly publicKey: PublicKey;
  readonly deposit: Amount;
  /** Slot in which it registered. */
  readonly slot: Slot;
  /** Replicas it has committed to. */
  readonly replicas: number;
  /** Rewards that are not released yet. */
  readonly locked: Amount;
  /** Rewards since it registered, units. */
  readonly paid: Amount;
  readonly accepted: number;
  readonly fakes: number;
  /** The first period in which the deposit can be withdrawn; null while it is registered. */
  readonly freePeriod: number | null;
}

/** How one completed segment stands against the replication target. */
export interface StandingView {
  readonly segment: number;
  /** Proven replicas wanted. */
  readonly target: number;
  /** Replicas proven now, committed, and with a proof that waits for verdicts. */
  readonly proven: number;
  readonly replicas: number;
  readonly pending: number;
  /** Most periods that one of its replicas has missed in a row. */
  readonly misses: number;
  /** Rewards paid for its present replicas. */
  readonly paid: number;
  /** Identities that are paid for it. */
  readonly places: number;
  /** Periods since the newest accepted proof of it; null when there is none. */
  readonly proofAgePeriods: number | null;
  /** Fewer proven replicas than the target. */
  readonly isBelowTarget: boolean;
  /** No proven replica at all. */
  readonly isAtRisk: boolean;
}

/** `cairn_getStandings`. */
export interface StandingsView {
  readonly slot: Slot;
  readonly period: number;
  readonly target: number;
  /** Complete segments; below the target; without any proven replica. */
  readonly segments: number;
  readonly belowTarget: number;
  readonly atRisk: number;
  readonly standings: readonly StandingView[];
}

/** `cairn_getReplication`'s filter; both absent: all, up to REPLICATION_ROWS_MAX rows a list. */
export interface ReplicationFilter {
  readonly segment?: number;
  readonly identity?: Address;
}

export interface ReplicationView {
  readonly slot: Slot;
  readonly totals: ReplicationTotals;
  readonly identities: readonly IdentityRow[];
  readonly replicas: readonly ReplicaRow[];
  /** True when rows were left out. */
  readonly truncated: boolean;
}

export interface FinalizedBlock {
  readonly height: Height;
  readonly slot: Slot;
  readonly hash: Hash;
  readonly pohCount: PohCount;
  /** Ids of its transactions, in execution order. */
  readonly ids: readonly Hash[];
}

/** A proof that an account stands in the state after a block. */
export interface AccountProofFile {
  readonly block: BlockPoint;
  readonly bytes: Uint8Array;
}

export interface NodeApi {
  health(): Answer<NodeHealth>;
  version(): Answer<NodeVersion>;
  /** The chain id. */
  genesisHash(): Answer<Hash>;
  identity(): Answer<NodeIdentity>;
  /** The best, justified or final block. */
  point(commitment: Commitment): Answer<BlockPoint>;
  latestBlockhash(commitment: Commitment): Answer<LatestBlockhash>;
  /** `confirmed` may be answered from the finalized state; `slot` says from which block. */
  balances(addresses: readonly Address[], commitment: Commitment): Answer<Balances>;
  /** Checks and queues transactions; one outcome each, in order. Bytes are borrowed until it resolves. */
  submit(transactions: readonly Uint8Array[]): Answer<readonly SubmitOutcome[]>;
  transactionStatuses(ids: readonly Hash[]): Answer<TransactionStatuses>;
  /** A finalized transaction; null when there is none. */
  transaction(id: Hash): Answer<TransactionLocation | null>;
  /** Slot of the first block that `block` can answer; 0 while there is none. */
  firstAvailableSlot(): Answer<Slot>;
  /** A finalized block. Throws `not-found` or `not-available` (before the first one kept). A slot without a block is `not-found`. */
  block(where: BlockSelector): Answer<Block>;
  /** A finalized block's exact bytes. Throws as `block`. */
  blockBytes(height: Height): Answer<Uint8Array>;
  /** The votes that made the block at this height justified or final. Throws `not-found` or `not-available`. */
  certificate(height: Height): Answer<Certificate>;
  voteAccounts(): Answer<readonly VoteAccount[]>;
  validators(): Answer<ValidatorsView>;
  supply(): Answer<Supply>;
  /** Evictions of an address, from number `fromIndex` on. */
  evictions(owner: Address, fromIndex: number): Answer<EvictionsView>;
  /** Proof file (docs/format/proofs.md) of an account in the newest finalized state. Throws `not-found` when there is no such account. */
  accountProof(address: Address): Answer<AccountProofFile>;
  clusterNodes(): Answer<readonly ClusterNode[]>;
  status(): Answer<NodeStatus>;
  replication(filter: ReplicationFilter): Answer<ReplicationView>;
  /** Segments `from` .. `from + count - 1`, at most REPLICATION_ROWS_MAX. */
  standings(from: number, count: number): Answer<StandingsView>;
  /** The proof file (docs/format) for a finalized timestamp transaction. Throws `not-found` or `not-available`. */
  timestampProof(id: Hash): Answer<Uint8Array>;
  /**
   * Finalized blocks above `afterHeight`, ascending and without gaps, at most FINALIZED_BLOCKS_MAX; waits for the first one up to
   * `timeoutMs` (0 .. WAIT_TIMEOUT_MS_MAX), then resolves to an empty list. `signal` aborts when the caller has gone:
   * resolve to whatever is there. Throws `not-available` when `afterHeight + 1` is before this node's history.
   */
  waitFinalized(afterHeight: Height, timeoutMs: number, signal: AbortSignal): Promise<readonly FinalizedBlock[]>;
}
