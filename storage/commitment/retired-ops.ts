/**
 * Which active ops a batch retires: the latest op, so far, of every key it writes. And the check that it writes no key twice.
 *
 * A key written twice shows in one of two ways. If it has an active op, that is retired twice, and the bitmap finds its bit clear
 * already (`ActivityTree.apply`). If it has none, it is caught here among the keys without one, which are few in a block and all
 * there is in genesis.
 */
import { byteKey } from '../../native/index.ts';
import { BatchError } from '../oplog/batch.ts';
import { ADDRESS_SIZE_BYTES } from '../oplog/op-layout.ts';
import { AddressTable, addressHash } from './address-table.ts';
import { type AddressKeys, addressBytes, type BatchKeys, type BatchWords } from './batch-keys.ts';
import type { KeyIndex, KeyPositions } from './key-index.ts';
import type { PositionSource } from './sources.ts';

const ADDRESS_WORDS: number = ADDRESS_SIZE_BYTES / 4;

/** Finds retired ops in memory that it uses again. */
export class RetiredOps {
  readonly #source: PositionSource;
  #positions = new Float64Array(0);
  #retired = new Float64Array(0);
  #hashes = new Int32Array(0);
  #room = new Int32Array(0);

  constructor(source: PositionSource) {
    this.#source = source;
  }

  /**
   * Numbers of the ops that a batch retires; borrowed until the next call. Throws `BatchError` 'repeated-key' for a key without an active op.
   * @param layers of the unsettled batches below it, the oldest first
   */
  find(keys: BatchKeys, layers: readonly KeyIndex[]): Float64Array {
    const { accounts, bonds, records } = keys;
    const count = accounts.count + bonds.count + records.length;
    this.#makeRoom(count);
    const positions = this.#split(accounts.count, bonds.count, records.length);
    this.#source.accountPositions(addressBytes(accounts), positions.accounts);
    if (bonds.count > 0) this.#source.bondPositions(addressBytes(bonds), positions.bonds);
    for (const [index, key] of records.entries()) positions.records[index] = this.#source.recordPosition(key);
    if (layers.length > 0) this.#overrule(keys, layers, positions);
    const found = this.#found(count);
    if (count - found.length > 1) checkFresh(keys, positions);
    return found;
  }

  #makeRoom(count: number): void {
    if (this.#retired.length >= count) return;
    this.#positions = new Float64Array(count);
    this.#retired = new Float64Array(count);
    this.#hashes = new Int32Array(count);
    this.#room = new Int32Array(count);
  }

  #split(accounts: number, bonds: number, records: number): KeyPositions {
    const all = this.#positions;
    return {
      accounts: all.subarray(0, accounts),
      bonds: all.subarray(accounts, accounts + bonds),
      records: all.subarray(accounts + bonds, accounts + bonds + records),
    };
  }

  /** What unsettled batches have set counts, the newest last. */
  #overrule(keys: BatchKeys, layers: readonly KeyIndex[], positions: KeyPositions): void {
    const { accounts, bonds } = keys;
    const hashes = {
      accounts: this.#hashes.subarray(0, accounts.count),
      bonds: this.#hashes.subarray(accounts.count, accounts.count + bonds.count),
      room: this.#room,
    };
    hashAll(accounts, hashes.accounts);
    hashAll(bonds, hashes.bonds);
    for (const layer of layers) layer.overrule(keys, hashes, positions);
  }

  /** The positions that are there. */
  #found(count: number): Float64Array {
    const [positions, retired] = [this.#positions, this.#retired];
    let found = 0;
    for (let index = 0; index < count; index++) {
      const position = positions[index]!;
      if (position >= 0) retired[found++] = position;
    }
    return retired.subarray(0, found);
  }
}

function hashAll(keys: AddressKeys, hashes: Int32Array): void {
  for (let index = 0; index < keys.count; index++) hashes[index] = addressHash(keys.words, index * ADDRESS_WORDS);
}

/** Throws `BatchError` when two keys without position are equal. */
function checkFresh(keys: BatchKeys, positions: KeyPositions): void {
  if (!allDifferent(keys, keys.accounts, positions.accounts) || !allDifferent(keys, keys.bonds, positions.bonds))
    throw new BatchError('repeated-key', 'two of its ops have the same new address');
  const fresh = keys.records.filter((_, index) => positions.records[index]! < 0).map(byteKey);
  if (new Set(fresh).size < fresh.length)
    throw new BatchError('repeated-key', 'two of its ops have the same new record key');
}

/** True when no two addresses without position are equal. */
function allDifferent(batch: BatchWords, keys: AddressKeys, positions: Float64Array): boolean {
  let fresh = 0;
  for (let index = 0; index < positions.length; index++) if (positions[index]! < 0) fresh += 1;
  if (fresh < 2) return true;
  const table = new AddressTable(batch, fresh);
  for (let index = 0; index < positions.length; index++)
    if (positions[index]! < 0 && !table.add(keys.ops[index]!)) return false;
  return true;
}
