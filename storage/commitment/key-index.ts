/**
 * Which op of one unsettled batch set a key: looked up by the blocks on top of it. Built when the first of them comes, so a block that
 * is settled at once (a node catching up) costs nothing.
 */
import { byteKey } from '../../native/index.ts';
import {
  ADDRESS_SIZE_BYTES,
  KIND_DELETE_ACCOUNT,
  KIND_DELETE_BOND,
  KIND_DELETE_RECORD,
  KIND_PUT_ACCOUNT,
  KIND_PUT_RECORD,
  OP_HEAD_SIZE_BYTES,
} from '../oplog/op-layout.ts';
import { AddressTable } from './address-table.ts';
import { type AddressKeys, type BatchKeys, wordsOf } from './batch-keys.ts';

const ADDRESS_WORDS: number = ADDRESS_SIZE_BYTES / 4;

/** The positions of a batch's keys, in its order. */
export interface KeyPositions {
  readonly accounts: Float64Array;
  readonly bonds: Float64Array;
  readonly records: Float64Array;
}

/** `addressHash` of a batch's addresses, in its order: made once, for all the layers below it. */
export interface KeyHashes {
  readonly accounts: Int32Array;
  readonly bonds: Int32Array;
  /** Memory to work in, as long as the longer of the two. */
  readonly room: Int32Array;
}

export class KeyIndex {
  readonly #batch: Uint8Array;
  readonly #offsets: Uint32Array;
  readonly #firstOp: number;
  readonly #accounts: AddressTable;
  readonly #bonds: AddressTable;
  readonly #records: Map<string, number> = new Map();

  /** @param batch a checked one, which writes no key twice; borrowed, as its offsets are @param firstOp number of its head */
  constructor(batch: Uint8Array, offsets: Uint32Array, firstOp: number) {
    this.#batch = batch;
    this.#offsets = offsets;
    this.#firstOp = firstOp;
    const words = { words: wordsOf(batch), offsets };
    const counts = countKinds(batch, offsets);
    this.#accounts = new AddressTable(words, counts.accounts);
    this.#bonds = new AddressTable(words, counts.bonds);
    for (let op = 1; op < offsets.length - 1; op++) this.#add(op);
  }

  #add(op: number): void {
    const at = this.#offsets[op]!;
    const kind = this.#batch[at]!;
    if (isAccount(kind)) this.#accounts.add(op);
    else if (isRecord(kind)) {
      const keyAt = at + OP_HEAD_SIZE_BYTES;
      this.#records.set(byteKey(this.#batch.subarray(keyAt, keyAt + this.#batch[at + 1]!)), op);
    } else this.#bonds.add(op);
  }

  /** Overwrites the positions of those keys that this batch has set or deleted. */
  overrule(keys: BatchKeys, hashes: KeyHashes, positions: KeyPositions): void {
    const { room } = hashes;
    this.#overruleAddresses(this.#accounts, keys.accounts, hashes.accounts, room, positions.accounts);
    this.#overruleAddresses(this.#bonds, keys.bonds, hashes.bonds, room, positions.bonds);
    if (this.#records.size === 0) return;
    for (const [index, key] of keys.records.entries()) {
      const op = this.#records.get(byteKey(key));
      if (op !== undefined) positions.records[index] = this.#positionOf(op);
    }
  }

  #overruleAddresses(
    table: AddressTable,
    keys: AddressKeys,
    hashes: Int32Array,
    room: Int32Array,
    positions: Float64Array,
  ): void {
    const count = table.sift(hashes, room);
    for (let at = 0; at < count; at++) {
      const index = room[at]!;
      const op = table.find(keys.words, index * ADDRESS_WORDS, hashes[index]!);
      if (op !== 0) positions[index] = this.#positionOf(op);
    }
  }

  /** Where the key of an op stands after it; -1 when it deletes it. */
  #positionOf(op: number): number {
    return isDelete(this.#batch[this.#offsets[op]!]!) ? -1 : this.#firstOp + op;
  }
}

const isAccount = (kind: number): boolean => kind === KIND_PUT_ACCOUNT || kind === KIND_DELETE_ACCOUNT;
const isRecord = (kind: number): boolean => kind === KIND_PUT_RECORD || kind === KIND_DELETE_RECORD;
const isDelete = (kind: number): boolean =>
  kind === KIND_DELETE_ACCOUNT || kind === KIND_DELETE_RECORD || kind === KIND_DELETE_BOND;

function countKinds(batch: Uint8Array, offsets: Uint32Array): { accounts: number; bonds: number } {
  let [accounts, records] = [0, 0];
  const opCount = offsets.length - 2;
  for (let op = 1; op <= opCount; op++) {
    const kind = batch[offsets[op]!]!;
    if (isAccount(kind)) accounts += 1;
    else if (isRecord(kind)) records += 1;
  }
  return { accounts, bonds: opCount - accounts - records };
}
