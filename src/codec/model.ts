/**
 * What travels and what is stored: transactions, entries, votes, headers, blocks. Types only; the byte layouts are in
 * docs/format/packets.md and in the encoders beside this file.
 *
 * Invariants
 * - A decoded value keeps the exact bytes it came from (`bytes`), and every hash is taken over those bytes, never over a re-encoding.
 * - Decoders accept one encoding per value (canonical), check every length, and refuse with a `CodecError` naming the field.
 */
import type { Address, Amount, Hash, Height, PohCount, PublicKey, Signature, Slot } from '../../native/index.ts';
import type { MarketPayload } from './market-model.ts';

/** Transaction kinds; the byte at offset 29. */
export const TransactionKind = {
  transfer: 0,
  timestamp: 1,
  register: 2,
  commit: 3,
  prove: 4,
  revive: 6,
  bond: 8,
  unbond: 9,
  withdraw: 10,
  evidence: 11,
  nominate: 12,
  approve: 13,
  handOver: 14,
  revealDecoy: 15,
  proveOpen: 24,
  validations: 25,
  revealFake: 26,
  addDeposit: 27,
  retire: 28,
  reportLapsed: 29,
  unregister: 30,
  withdrawDeposit: 31,
  unseal: 32,
} as const;
export type TransactionKindName = keyof typeof TransactionKind;

/** Moves `amount` to `to`. 28 bytes of payload; the packet is 176 bytes. */
export interface TransferPayload {
  readonly kind: 'transfer';
  readonly to: Address;
  readonly amount: Amount;
}
/** Puts a digest into the sequence: proves that it existed before the count of its entry. 32 bytes. */
export interface TimestampPayload {
  readonly kind: 'timestamp';
  readonly digest: Hash;
}
/** Registers the sender as a replicator identity with a deposit. 8 bytes. */
export interface RegisterPayload {
  readonly kind: 'register';
  readonly deposit: Amount;
}
/** Commits to a replica of one segment for one rotation. 120 bytes. */
export interface CommitPayload {
  readonly kind: 'commit';
  readonly segment: number;
  readonly rotation: number;
  /** ECVRF proof over the rotation's designated hash and the segment: the replica's key follows from it. 80 bytes. */
  readonly keyProof: Uint8Array;
  /** RFC 9162 root of the whole replica. */
  readonly replicaRoot: Hash;
}
/** Proves storage of one replica in one period. 120 bytes. */
export interface ProvePayload {
  readonly kind: 'prove';
  readonly segment: number;
  readonly period: number;
  /** ECVRF proof over the period's designated hash and the segment: the samples follow from it. 80 bytes. */
  readonly sampleProof: Uint8Array;
  readonly samplesRoot: Hash;
}
/**
 * Gives an evicted balance back to the sender, who must be the account that was evicted. 28 + 32 n bytes, n in 0 .. EVICTION_PATH_LENGTH_MAX.
 */
export interface RevivePayload {
  readonly kind: 'revive';
  /** Number of the eviction, counted from 0 over the chain. */
  readonly index: number;
  /** What was evicted. */
  readonly balance: Amount;
  /** Height of the block that evicted it. */
  readonly height: Height;
  /** Siblings from the eviction's leaf to its mountain's peak, lowest first: n * 32 bytes. */
  readonly path: Uint8Array;
}
/** Locks `amount` as the sender's bond, so that it waits to become a validator. 8 bytes. */
export interface BondPayload {
  readonly kind: 'bond';
  /** 0 only to come back after having left for absence, on the bond that still stands. */
  readonly amount: Amount;
}
/** Asks to leave the validators. No bytes. */
export interface UnbondPayload {
  readonly kind: 'unbond';
}
/** Takes the bond back, once it has left the sets long enough ago. No bytes. */
export interface WithdrawPayload {
  readonly kind: 'withdraw';
}
/** Why a validator is to be slashed, shown by what it signed. 8 bytes and the two votes, two headers, or secret and vote. */
export type Offence =
  /** Two votes of one voter for different targets in one slot. */
  | { readonly kind: 'doubleVote'; readonly first: Vote; readonly second: Vote }
  /** `first` surrounds `second`: its source is older, its target newer. */
  | { readonly kind: 'surroundVote'; readonly first: Vote; readonly second: Vote }
  /** Two headers of one leader for one slot. */
  | { readonly kind: 'doubleProposal'; readonly first: BlockHeader; readonly second: BlockHeader }
  /** A vote for a state that nobody can have computed: its root is the digest of `secret` (`decoyRoot`). */
  | { readonly kind: 'decoyVote'; readonly secret: Uint8Array; readonly vote: Vote };
/** Puts an offence before the chain. */
export interface EvidencePayload {
  readonly kind: 'evidence';
  readonly offence: Offence;
}
/** A leader names who shall follow it. 40 bytes. */
export interface NominatePayload {
  readonly kind: 'nominate';
  readonly secondary: PublicKey;
  /** Last slot in which approvals count. */
  readonly deadlineSlot: Slot;
}
/** A validator agrees with the pending nomination. 32 bytes. */
export interface ApprovePayload {
  readonly kind: 'approve';
  readonly secondary: PublicKey;
}
/** The leader hands its lead over: the next slot is another's. No bytes. */
export interface HandOverPayload {
  readonly kind: 'handOver';
}
/** The leader shows that an invalid block of its own was a decoy. 368 bytes. */
export interface RevealDecoyPayload {
  readonly kind: 'revealDecoy';
  readonly header: BlockHeader;
  /** What the header's state root is the digest of (`decoyRoot`). 32 bytes. */
  readonly secret: Uint8Array;
}
/** The payloads of proof of stake. */
export type StakePayload =
  | BondPayload
  | UnbondPayload
  | WithdrawPayload
  | EvidencePayload
  | NominatePayload
  | ApprovePayload
  | HandOverPayload
  | RevealDecoyPayload;
export type Payload =
  | TransferPayload
  | TimestampPayload
  | RegisterPayload
  | CommitPayload
  | ProvePayload
  | RevivePayload
  | StakePayload
  | MarketPayload;

/** Most siblings in a revival's path: the tallest mountain of 2^43 evictions, as many as the bitmaps of revived ones can number. */
export const EVICTION_PATH_LENGTH_MAX = 43;
/** Bytes of an ECVRF-EDWARDS25519-SHA512-TAI proof (RFC 9381), as `commit` and `prove` carry it. */
export const VRF_PROOF_SIZE_BYTES = 80;
/** Bytes of a decoy's secret. */
export const DECOY_SECRET_SIZE_BYTES = 32;
/** Bytes of a truncated hash (`lastValidHash`, the PoH packet's hashes). */
export const SHORT_HASH_SIZE_BYTES = 20;

/** What a sender decides before signing. */
export interface TransactionDraft {
  /** First 20 bytes of the PoH hash at the end of a recent slot of this chain. */
  readonly lastValidHash: Uint8Array;
  /** The count of that hash. */
  readonly lastValidCount: PohCount;
  readonly payload: Payload;
  /** The sender's own uniqueness value, u64. */
  readonly counter: bigint;
  readonly fee: Amount;
}
/** A signed transaction. */
export interface Transaction extends TransactionDraft {
  readonly from: PublicKey;
  readonly signature: Signature;
  /** The exact bytes, signature included. */
  readonly bytes: Uint8Array;
  /** SHA-256 of all bytes before the signature: the transaction's one name. */
  readonly id: Hash;
}

/** What an entry mixes in. */
export const EntryKind = { tick: 0, parent: 1, transactions: 2, votes: 3 } as const;

/**
 * One recorded point of the PoH sequence. Its mixin follows from its content:
 * tick: none; parent: the parent block's hash; transactions / votes: RFC 9162 root over the items' bytes.
 */
export type Entry =
  | { readonly kind: 'tick'; readonly count: PohCount; readonly hash: Hash }
  | { readonly kind: 'parent'; readonly count: PohCount; readonly hash: Hash }
  | {
      readonly kind: 'transactions';
      readonly count: PohCount;
      readonly hash: Hash;
      readonly transactions: readonly Transaction[];
    }
  | { readonly kind: 'votes'; readonly count: PohCount; readonly hash: Hash; readonly votes: readonly Vote[] };

/** What a yes vote says: "I re-executed `target`, and `source` is the highest justified block I build on". */
export interface VoteDraft {
  readonly sourceSlot: Slot;
  readonly sourceHash: Hash;
  readonly targetSlot: Slot;
  readonly targetHash: Hash;
  /** PoH count at the end of the target block. */
  readonly pohCount: PohCount;
  readonly stateRoot: Hash;
  /** Slot and hash of the voter's last vote on a branch this vote leaves; zero when it leaves none. */
  readonly leavesSlot: Slot;
  readonly leavesHash: Hash;
}
/** A yes vote of one validator. */
export interface Vote extends VoteDraft {
  readonly voter: PublicKey;
  readonly signature: Signature;
  readonly bytes: Uint8Array;
}

/** What a leader puts into a header before signing it. */
export interface BlockHeaderDraft {
  readonly chainId: Hash;
  readonly height: Height;
  readonly slot: Slot;
  readonly parentHash: Hash;
  /** PoH count and hash at the end of the block: count = slot * hashesPerTick * ticksPerSlot. */
  readonly pohCount: PohCount;
  readonly pohHash: Hash;
  /** RFC 9162 root over the entries' leaves. */
  readonly entriesRoot: Hash;
  readonly transactionCount: number;
  /** State root after executing this block. */
  readonly stateRoot: Hash;
  /** Bytes of the history stream before this block (blocks 1 .. height - 1). */
  readonly historyLength: number;
  /** How many segments those bytes complete, and the RFC 9162 root over those segments' roots. */
  readonly segmentCount: number;
  readonly segmentsRoot: Hash;
}
/** A block's signed header. */
export interface BlockHeader extends BlockHeaderDraft {
  readonly leader: PublicKey;
  /** The leader's, over all fields before it. */
  readonly signature: Signature;
  readonly bytes: Uint8Array;
  /** SHA-256 over a domain tag and all of the header's bytes: one hash, one string of bytes. */
  readonly hash: Hash;
}

/** A block: header and entries, the first of which is the parent entry, the last the slot's final tick. */
export interface Block {
  readonly header: BlockHeader;
  readonly entries: readonly Entry[];
  readonly bytes: Uint8Array;
}

/** What a leader announces at the end of a slot, 132 bytes; the full hashes stand in the block's header. */
export interface PohPacketDraft {
  /** First 20 bytes of the PoH hash at the end of the slot. */
  readonly pohHash: Uint8Array;
  readonly pohCount: PohCount;
  /** First 20 bytes of the block's entries root. */
  readonly entriesRoot: Uint8Array;
  /** First 20 bytes of the state root. */
  readonly stateRoot: Uint8Array;
}
/** A signed announcement. It does not name its signer: the receiver tries the leader it expects. */
export interface PohPacket extends PohPacketDraft {
  readonly signature: Signature;
  readonly bytes: Uint8Array;
}

/** Votes that together show a block justified or, by the two-chain rule, its parent final. */
export interface Certificate {
  readonly header: BlockHeader;
  readonly votes: readonly Vote[];
}
