/**
 * A block's own view of the state: its writes over a parent reader (the parent block's overlay, or the stored state).
 *
 * Owns the values written since it was made. Invariants:
 * - `ops()` lists each touched key once, in the order of first touch, with its final value: the same on every node that
 *   executes the same transactions on the same parent.
 * - Reads never count as touches, and a refused transaction leaves nothing behind.
 * - Balances stay within 0 .. 2^64 - 1. A deleted account has balance 0; crediting it again in the same block takes the deletion back.
 * - After `settle()` (the block is final and the stored state below holds its ops) an overlay is only a pass-through, so a
 *   chain of overlays never grows with the chain. A branch that finality has left throws instead of reading a wrong state.
 *
 * Keys are held as latin1 strings (one character a byte): V8 hashes them with a secret of the process, so nobody can aim collisions, and
 * their order is the order of the bytes.
 */
import { AMOUNT_MAX, byteKey } from '../../native/index.ts';
import {
  type ActiveOp,
  type BondState,
  RECORD_KEY_SIZE_BYTES_MAX,
  RECORD_VALUE_SIZE_BYTES_MAX,
  type StateOp,
} from '../../storage/state-reader.ts';
import { invariant } from './invariant.ts';
import type { LedgerState } from './ledger-state.ts';
import { mergedEntries, type OwnEntry, sortedEntries } from './overlay-merge.ts';
import { addressKey, addressKeysToBytes } from './state-key.ts';

interface AccountEntry {
  readonly kind: 'account';
  readonly key: string;
  balance: bigint;
  /** The final op is a delete; the balance is 0 then. */
  isDeleted: boolean;
}
interface RecordEntry extends OwnEntry<Uint8Array> {
  readonly kind: 'record';
  value: Uint8Array | null;
}
interface BondEntry extends OwnEntry<BondState> {
  readonly kind: 'bond';
  value: BondState | null;
}
type Entry = AccountEntry | RecordEntry | BondEntry;
/** Takes back one write of a key that was touched before. */
type Undo = () => void;

/** A point to return to; opaque. */
export interface Savepoint {
  readonly depth: number;
  readonly touchedCount: number;
  readonly undoCount: number;
}

export class Overlay implements LedgerState {
  #parent: LedgerState;
  readonly #accounts: Map<string, AccountEntry> = new Map();
  readonly #records: Map<string, RecordEntry> = new Map();
  readonly #bonds: Map<string, BondEntry> = new Map();
  readonly #touched: Entry[] = [];
  readonly #undo: Undo[] = [];
  #savepointDepth = 0;
  #settled = false;
  #superseded = false;

  /** @param parent read, never written; must not change below this overlay except by finality of its ancestors */
  constructor(parent: LedgerState) {
    this.#parent = parent;
  }

  /** Balance of a 20-byte address (borrowed); 0n when there is no such account. */
  balance(address: Uint8Array): bigint {
    return this.#balanceOf(addressKey(address), address);
  }

  /** Sets a balance, 0 .. 2^64 - 1. `address`: 20 bytes, copied. */
  setBalance(address: Uint8Array, balance: bigint): void {
    const key = addressKey(address);
    const entry = this.#accounts.get(key);
    this.#write(key, entry, balance);
  }

  /** Deletes an account; deleting one that is not there is harmless, but still an op. `address`: 20 bytes, copied. */
  deleteAccount(address: Uint8Array): void {
    const key = addressKey(address);
    this.#write(key, this.#accounts.get(key), 0n, true);
  }

  /** Adds to a balance, which must stay at most 2^64 - 1. `address`: 20 bytes, copied. */
  credit(address: Uint8Array, amount: bigint): void {
    const key = addressKey(address);
    const entry = this.#accounts.get(key);
    this.#write(key, entry, (entry === undefined ? this.#parentBalance(key, address) : entry.balance) + amount);
  }

  /** Takes from a balance, which must hold it. `address`: 20 bytes, copied. */
  debit(address: Uint8Array, amount: bigint): void {
    this.credit(address, -amount);
  }

  /** A record's value (borrowed: do not write to it), or undefined. */
  record(key: Uint8Array): Uint8Array | undefined {
    return this.#recordOf(byteKey(key), key);
  }

  /** Writes a record. Key 1 .. 64 bytes, value 0 .. 4096 bytes; both copied. */
  putRecord(key: Uint8Array, value: Uint8Array): void {
    invariant(
      value.length <= RECORD_VALUE_SIZE_BYTES_MAX,
      'argument',
      () => `record value is ${value.length} bytes, at most ${RECORD_VALUE_SIZE_BYTES_MAX} fit`,
    );
    this.#writeRecord(key, value.slice());
  }

  /** Deletes a record; deleting one that is not there is harmless, but still an op. `key` is copied. */
  deleteRecord(key: Uint8Array): void {
    this.#writeRecord(key, null);
  }

  /** Every record whose key starts with `prefix`, in ascending byte order. Writes made while iterating may or may not show. */
  records(prefix: Uint8Array): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    this.#assertCurrent();
    const start = byteKey(prefix);
    const own = sortedEntries(this.#records.values(), ({ key }) => key.startsWith(start));
    return mergedEntries(own, this.#parent.records(prefix));
  }

  /** Bond of a 20-byte address (borrowed), or undefined. */
  bond(address: Uint8Array): BondState | undefined {
    const entry = this.#bonds.get(addressKey(address));
    if (entry !== undefined) return entry.value ?? undefined;
    this.#assertCurrent();
    return this.#parent.bond(address);
  }

  /** Every bond, in ascending order of addresses. Writes made while iterating may or may not show. */
  bonds(): Iterable<readonly [address: Uint8Array, bond: BondState]> {
    this.#assertCurrent();
    return mergedEntries(
      sortedEntries(this.#bonds.values(), () => true),
      this.#parent.bonds(),
    );
  }

  /** Sets a bond. `address`: 20 bytes, copied; `bond` is kept. */
  putBond(address: Uint8Array, bond: BondState): void {
    this.#writeBond(address, bond);
  }

  /** Deletes a bond; deleting one that is not there is harmless, but still an op. `address`: 20 bytes, copied. */
  deleteBond(address: Uint8Array): void {
    this.#writeBond(address, null);
  }

  /** Whether this overlay has touched the key of an op. */
  isTouched({ kind, key }: Pick<ActiveOp, 'kind' | 'key'>): boolean {
    if (kind === 'record') return this.#records.has(byteKey(key));
    return (kind === 'account' ? this.#accounts : this.#bonds).has(addressKey(key));
  }

  /** How many keys this overlay has touched. */
  get touchedCount(): number {
    return this.#touched.length;
  }

  /** Every touched key with its final value, in the order of first touch. The bytes are the caller's to keep, not to write to. */
  ops(): StateOp[] {
    invariant(!this.#settled, 'not-on-final-branch', () => 'the ops of a settled overlay are in the stored state');
    const addresses = addressKeysToBytes(this.#accountKeys());
    let account = 0;
    return this.#touched.map((entry): StateOp => {
      if (entry.kind === 'account') {
        const address = addresses.subarray(20 * account, 20 * ++account);
        return entry.isDeleted
          ? { kind: 'deleteAccount', address }
          : { kind: 'putAccount', address, balance: entry.balance };
      }
      const { keyBytes } = entry;
      if (entry.kind === 'record')
        return entry.value === null
          ? { kind: 'deleteRecord', key: keyBytes }
          : { kind: 'putRecord', key: keyBytes, value: entry.value };
      if (entry.value === null) return { kind: 'deleteBond', address: keyBytes };
      return { kind: 'putBond', address: keyBytes, ...entry.value };
    });
  }

  /** Opens a savepoint: close it with `rollback` or `release`, the last opened first. */
  savepoint(): Savepoint {
    return {
      depth: ++this.#savepointDepth,
      touchedCount: this.#touched.length,
      undoCount: this.#undo.length,
    };
  }

  /** Takes back every write made since `savepoint`, the order of first touch included, and closes it. */
  rollback(savepoint: Savepoint): void {
    this.#assertInnermost(savepoint);
    while (this.#undo.length > savepoint.undoCount) this.#undo.pop()!();
    while (this.#touched.length > savepoint.touchedCount) {
      const entry = this.#touched.pop()!;
      this.#mapOf(entry.kind).delete(entry.key);
    }
    this.#savepointDepth--;
  }

  /** Keeps the writes made since `savepoint` and closes it. */
  release(savepoint: Savepoint): void {
    this.#assertInnermost(savepoint);
    this.#savepointDepth--;
    if (this.#savepointDepth === 0) this.#undo.length = 0;
  }

  /**
   * Call once this block is final and the stored state holds its ops: drops them here, and this overlay only passes reads
   * through to the stored state from then on. Blocks settle in the order of the chain; a sibling branch throws when read afterwards.
   */
  settle(): void {
    invariant(!this.#settled, 'not-on-final-branch', () => 'this overlay is settled already');
    invariant(this.#savepointDepth === 0, 'savepoint-order', () => 'an overlay with an open savepoint cannot settle');
    const parent = this.#parent;
    if (parent instanceof Overlay) {
      invariant(
        parent.#settled && !parent.#superseded,
        'not-on-final-branch',
        () => 'the parent of a final block must be the last settled one',
      );
      parent.#superseded = true;
      this.#parent = parent.#parent;
    }
    this.#settled = true;
    this.#accounts.clear();
    this.#records.clear();
    this.#bonds.clear();
    this.#touched.length = 0;
  }

  #balanceOf(key: string, address: Uint8Array): bigint {
    const entry = this.#accounts.get(key);
    return entry === undefined ? this.#parentBalance(key, address) : entry.balance;
  }

  #parentBalance(key: string, address: Uint8Array): bigint {
    this.#assertCurrent();
    const parent = this.#parent;
    return parent instanceof Overlay ? parent.#balanceOf(key, address) : parent.balance(address);
  }

  #recordOf(key: string, keyBytes: Uint8Array): Uint8Array | undefined {
    const entry = this.#records.get(key);
    if (entry !== undefined) return entry.value ?? undefined;
    this.#assertCurrent();
    const parent = this.#parent;
    return parent instanceof Overlay ? parent.#recordOf(key, keyBytes) : parent.record(keyBytes);
  }

  #write(key: string, entry: AccountEntry | undefined, balance: bigint, isDeleted: boolean = false): void {
    invariant(
      balance >= 0n && balance <= AMOUNT_MAX,
      'balance-range',
      () => `balance would be ${balance}, outside 0 .. 2^64 - 1`,
    );
    if (entry !== undefined) {
      if (this.#savepointDepth > 0) this.#undo.push(undoOf(entry));
      entry.balance = balance;
      entry.isDeleted = isDeleted;
      return;
    }
    this.#assertWritable();
    const added: AccountEntry = { kind: 'account', key, balance, isDeleted };
    this.#accounts.set(key, added);
    this.#touched.push(added);
  }

  #writeRecord(keyBytes: Uint8Array, value: Uint8Array | null): void {
    invariant(
      keyBytes.length >= 1 && keyBytes.length <= RECORD_KEY_SIZE_BYTES_MAX,
      'argument',
      () => `record key is ${keyBytes.length} bytes, must be 1 .. ${RECORD_KEY_SIZE_BYTES_MAX}`,
    );
    const key = byteKey(keyBytes);
    const entry = this.#records.get(key);
    if (entry !== undefined) {
      if (this.#savepointDepth > 0) this.#undo.push(undoOf(entry));
      entry.value = value;
      return;
    }
    this.#assertWritable();
    const added: RecordEntry = { kind: 'record', key, keyBytes: keyBytes.slice(), value };
    this.#records.set(key, added);
    this.#touched.push(added);
  }

  #writeBond(address: Uint8Array, value: BondState | null): void {
    const key = addressKey(address);
    const entry = this.#bonds.get(key);
    if (entry !== undefined) {
      if (this.#savepointDepth > 0) this.#undo.push(undoOf(entry));
      entry.value = value;
      return;
    }
    this.#assertWritable();
    const added: BondEntry = { kind: 'bond', key, keyBytes: address.slice(), value };
    this.#bonds.set(key, added);
    this.#touched.push(added);
  }

  #mapOf(kind: Entry['kind']): Map<string, Entry> {
    const maps = { account: this.#accounts, record: this.#records, bond: this.#bonds };
    return maps[kind] as Map<string, Entry>;
  }

  #accountKeys(): string[] {
    const keys: string[] = [];
    for (const entry of this.#touched) if (entry.kind === 'account') keys.push(entry.key);
    return keys;
  }

  #assertCurrent(): void {
    invariant(!this.#superseded, 'not-on-final-branch', () => 'finality has moved past the block this state builds on');
  }

  #assertWritable(): void {
    invariant(!this.#settled, 'not-on-final-branch', () => 'a settled overlay is read-only');
  }

  #assertInnermost(savepoint: Savepoint): void {
    invariant(
      savepoint.depth === this.#savepointDepth && savepoint.depth > 0,
      'savepoint-order',
      () => `savepoint ${savepoint.depth} closed while ${this.#savepointDepth} are open`,
    );
  }
}

/** What sets an entry back to what it holds now. */
function undoOf(entry: Entry): Undo {
  if (entry.kind === 'account') {
    const { balance, isDeleted } = entry;
    return () => {
      entry.balance = balance;
      entry.isDeleted = isDeleted;
    };
  }
  const { value } = entry;
  return () => {
    (entry as { value: typeof value }).value = value;
  };
}
