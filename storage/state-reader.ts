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

/** One change of state. A block's ops are put in the order in which its execution first touched each key. */
export type StateOp =
  | { readonly kind: 'putAccount'; readonly address: Uint8Array; readonly balance: bigint }
  | { readonly kind: 'putRecord'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'deleteRecord'; readonly key: Uint8Array };
