/**
 * What the ledger reads: the port between execution (floor 4) and the state's storage (this floor).
 * Two kinds of state: account balances (the table) and small keyed records (bonds, replicas), both set by ops of the log.
 */

/** Longest record key and value, in bytes. Enforced by the op encoder and decoder. */
export const RECORD_KEY_SIZE_BYTES_MAX = 64;
export const RECORD_VALUE_SIZE_BYTES_MAX = 4096;

export interface StateReader {
  /** Balance of a 20-byte address; 0n when there is no such account. */
  balance(address: Uint8Array): bigint;
  /** A record's value (borrowed: do not write to it), or undefined. */
  record(key: Uint8Array): Uint8Array | undefined;
  /** Every record whose key starts with `prefix`, in ascending byte order of keys. */
  records(prefix: Uint8Array): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/** A validator's bond. */
export interface BondState {
  /** Units bonded. */
  readonly bond: bigint;
  /** Where its last vote stands: the ledger says in what. */
  readonly lastVote: bigint;
  /** 24 bytes of flags and counters, opaque here. */
  readonly details: Uint8Array;
}

/** Bonds, as the ledger reads them. */
export interface BondReader {
  /** Bond of a 20-byte address, or undefined. */
  bond(address: Uint8Array): BondState | undefined;
  /** Every bond, in ascending order of addresses. */
  bonds(): Iterable<readonly [address: Uint8Array, bond: BondState]>;
}

/**
 * One change of state. A block's ops are put in the order in which its execution first touched each key; no key stands twice.
 */
export type StateOp =
  | { readonly kind: 'putAccount'; readonly address: Uint8Array; readonly balance: bigint }
  | { readonly kind: 'deleteAccount'; readonly address: Uint8Array }
  | { readonly kind: 'putRecord'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'deleteRecord'; readonly key: Uint8Array }
  | ({ readonly kind: 'putBond'; readonly address: Uint8Array } & BondState)
  | { readonly kind: 'deleteBond'; readonly address: Uint8Array };

/** An op of the log that is still its key's latest. */
export interface ActiveOp {
  /** Its number over the whole log. */
  readonly op: number;
  readonly kind: 'account' | 'record' | 'bond';
  /** Address (20 bytes) or record key; borrowed until the next step. */
  readonly key: Uint8Array;
  /** Height of the block that wrote it. */
  readonly height: number;
}

/** Where a batch stands in the log: what its head says besides its own ops. */
export interface BatchPlace {
  readonly height: number;
  /** Bytes of the frame before, 0 for batch 0. */
  readonly previousFrameSizeBytes: number;
  /** Bytes of all frames before, segment headers not counted. */
  readonly frameOffset: number;
  /** The inactivity floor after the batch before, 0 for batch 0. */
  readonly floor: number;
  /** SHA-256('cairn/batch/1' || the batch before); the chain id for batch 0. 32 bytes. */
  readonly previousDigest: Uint8Array;
}

/** What compaction reads of the log after a block: how much of it is garbage, and which live ops are the oldest. */
export interface ActivityReader {
  /** Ops in the log, heads of batches included. */
  readonly opCount: number;
  /** Number of the oldest active op; `opCount` when there is none. */
  readonly floor: number;
  /** Active ops: one for each account, record and bond. */
  readonly activeCount: number;
  /** Where the next batch goes. */
  readonly place: BatchPlace;
  /** The active ops from the floor on, ascending. Stop early; do not change the state while iterating. */
  oldestActive(): Iterable<ActiveOp>;
}
