/**
 * The payloads of the replication market (kinds 24 .. 32 in model.ts): types only. Layouts: docs/format/packets.md and market-payload.ts.
 */
import type { Address, Amount, Hash, Signature } from '../../native/index.ts';

/** Why a proof is invalid, as `unseal` and replica records name it; the byte is the place in this list. `unstated`: 0, the only one of a valid proof. */
export const VERDICT_REASONS = [
  'unstated',
  /** The key proof is not the identity's for this segment and rotation: another's replica, for one. */
  'key-proof',
  'sample-proof',
  /** The segment encrypted under the identity's key does not have the committed root. */
  'replica-root',
  'samples-root',
  /** Nobody gave the openings that the digest names. */
  'not-available',
  'opening-length',
  'replica-opening',
  'segment-opening',
  'encoding',
  /** The proof reached the ledger after its deadline: said by the ledger itself, never by a validator. */
  'late',
] as const;
export type VerdictReason = (typeof VERDICT_REASONS)[number];

/** Names one replica. */
export interface ReplicaName {
  readonly segment: number;
  readonly identity: Address;
}

/** Proves storage of one replica in one period where the mode has openings. 152 bytes. */
export interface ProveOpenPayload {
  readonly kind: 'proveOpen';
  readonly segment: number;
  readonly period: number;
  /** ECVRF proof over the period's designated hash and the segment. 80 bytes. */
  readonly sampleProof: Uint8Array;
  /** As in `prove`; zero in mode `open`. */
  readonly samplesRoot: Hash;
  /** Digest of the openings' bytes, which travel outside the ledger. */
  readonly openingDigest: Hash;
}

/** What one validator says of a packet's entries, sealed and signed (validation.ts, seal.ts): nobody can read it before its secret is shown. */
export interface SealedFindings {
  /** The validator's seat. */
  readonly seat: number;
  /** Digest of the secret that will open its findings of this period. */
  readonly seal: Hash;
  /** Bit i % 8 of byte i / 8: it says something of entry i. ceil(entries / 8) bytes. */
  readonly spoken: Uint8Array;
  /** Likewise, where it does: whether entry i is valid, XOR the entry's mask. Zero elsewhere. */
  readonly sealed: Uint8Array;
  readonly signature: Signature;
}

/**
 * The validation packet: sealed findings of many validators on proofs of many identities for one period, gathered outside the ledger.
 * 8 + 24 n + m (98 + 2 ceil(n / 8)) bytes.
 */
export interface ValidationsPayload {
  readonly kind: 'validations';
  readonly period: number;
  /** 1 .. VALIDATION_ENTRIES_MAX, ascending by segment, then identity, each once. */
  readonly entries: readonly ReplicaName[];
  /** 1 .. VALIDATION_VOTERS_MAX, ascending by seat, each once. */
  readonly voters: readonly SealedFindings[];
}

/** What opens the findings of one seat in one period. */
export interface SeatSecret {
  readonly seat: number;
  readonly secret: Hash;
}

/** A proof to be settled by the findings that are open, and why it is invalid if its sender is one of those who say so. */
export interface SettledName extends ReplicaName {
  readonly reason: VerdictReason;
}

/** Opens findings of one period, and has proofs settled by those that are open. 8 + 34 m + 25 n bytes. */
export interface UnsealPayload {
  readonly kind: 'unseal';
  readonly period: number;
  /** 0 .. VALIDATION_VOTERS_MAX, ascending by seat, each once. */
  readonly secrets: readonly SeatSecret[];
  /** 0 .. VALIDATION_ENTRIES_MAX, ascending by segment, then identity, each once. Not none of both. */
  readonly entries: readonly SettledName[];
}

/** Shows that the sender's own last proof was made to be wrong. 72 bytes. */
export interface RevealFakePayload {
  readonly kind: 'revealFake';
  readonly segment: number;
  readonly period: number;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** SHA-256 of the openings' bytes from 32 on; zero in mode `stream`. */
  readonly restHash: Hash;
}

/** Adds to the sender's deposit. 8 bytes. */
export interface AddDepositPayload {
  readonly kind: 'addDeposit';
  readonly amount: Amount;
}

/** Gives up the sender's replica of a segment. 4 bytes. */
export interface RetirePayload {
  readonly kind: 'retire';
  readonly segment: number;
}

/** Names replicas that have missed too many periods. 4 + 24 n bytes, entries ascending, each once. */
export interface ReportLapsedPayload {
  readonly kind: 'reportLapsed';
  /** 1 .. LAPSED_MAX. */
  readonly entries: readonly ReplicaName[];
}

/** The sender, who holds no replica any more, wants its deposit back. No bytes. */
export interface UnregisterPayload {
  readonly kind: 'unregister';
}

/** Takes the deposit and what is locked after the lockout, and ends the registration. No bytes. */
export interface WithdrawDepositPayload {
  readonly kind: 'withdrawDeposit';
}

export type MarketPayload =
  | ProveOpenPayload
  | ValidationsPayload
  | UnsealPayload
  | RevealFakePayload
  | AddDepositPayload
  | RetirePayload
  | ReportLapsedPayload
  | UnregisterPayload
  | WithdrawDepositPayload;

/** Most proofs in one validation packet. */
export const VALIDATION_ENTRIES_MAX = 64;
/** Most validators in one validation packet: two packets hold any supermajority of 1024. */
export const VALIDATION_VOTERS_MAX = 512;
/** Seats are numbers below this. */
export const SEATS_MAX = 1024;
/** Most replicas in one report. */
export const LAPSED_MAX = 64;
