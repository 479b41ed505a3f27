/**
 * Which active ops a batch retires: the latest op, so far, of every key it writes. And the check that it writes no key twice.
 *
 * A key written twice shows in one of two ways. If it has an active op, that is retired twice, and the bitmap finds its bit clear
 * already (`ActivityTree.apply`). If it has none, it is caught here among the keys without one, which are few in a block and all
 * there is in genesis.
 */
import { byteKey } from '../../native/index.ts';
import { BatchError } from '../oplog/batch.ts';
import { AddressTable, type TableKernels } from './address-table.ts';
import type { AddressKeys, BatchKeys } from './batch-keys.ts';
import { addressBytes } from './batch-keys.ts';
import type { KeyIndex, KeyPositions } from './key-index.ts';
import type { PositionSource } from './sources.ts';

const ADDRESS_WORDS = 5;
/** Keys without an active op that are checked against each other at a time; more are sorted by their first byte before. */
const FRESH_AT_ONCE = 65_536;

/** Finds retired ops in memory that it uses again. */
export class RetiredOps {
  readonly #kernels: TableKernels;
  readonly #source: PositionSource;
  #positions = new Float64Array(0);
  #retired = new Float64Array(0);

  constructor(kernels: TableKernels, source: PositionSource) {
    this.#kernels = kernels;
    this.#source = source;
  }

  /**
   * Numbers of the ops that a batch retires; borrowed until the next call. Throws `BatchError` 'repeated-key' for a key without an active op.
   * @param layers of the unsettled batches below it, the oldest first
   */
  find(keys: BatchKeys, layers: readonly KeyIndex[]): Float64Array {
    const { accounts, bonds, records } = keys;
    const count = accounts.count + bonds.count + records.keys.length;
    if (this.#retired.length < count) {
      this.#positions = new Float64Array(count);
      this.#retired = new Float64Array(count);
    }
    const positions = this.#split(accounts.count, bonds.count, records.keys.length);
    this.#source.accountPositions(addressBytes(accounts), positions.accounts);
    if (bonds.count > 0) this.#source.bondPositions(addressBytes(bonds), positions.bonds);
    for (const [index, key] of records.keys.entries()) positions.records[index] = this.#source.recordPosition(key);
    for (const layer of layers) layer.overrule(keys, positions);
    const found = this.#found(count);
    if (count - found.length > 1) {
      checkAddresses(this.#kernels, accounts, positions.accounts);
      checkAddresses(this.#kernels, bonds, positions.bonds);
      checkRecords(records.keys, positions.records);
    }
    return found;
  }

  #split(accounts: number, bonds: number, records: number): KeyPositions {
    const all = this.#positions;
    return {
      accounts: all.subarray(0, accounts),
      bonds: all.subarray(accounts, accounts + bonds),
      records: all.subarray(accounts + bonds, accounts + bonds + records),
    };
  }

  /** The positions that are there. */
  #found(count: number): Float64Array {
    let found = 0;
    for (let index = 0; index < count; index++) {
      const position = this.#positions[index]!;
      if (position >= 0) this.#retired[found++] = position;
    }
    return this.#retired.subarray(0, found);
  }
}

/** Throws `BatchError` when two addresses without position are equal. */
function checkAddresses(kernels: TableKernels, keys: AddressKeys, positions: Float64Array): void {
  let fresh = 0;
  for (let index = 0; index < positions.length; index++) if (positions[index]! < 0) fresh += 1;
  if (fresh < 2) return;
  for (const part of freshParts(keys, positions, fresh)) {
    if (part.count < 2) continue;
    if (new AddressTable(kernels, part).size < part.count)
      throw new BatchError('repeated-key', 'two of its ops have the same new address');
  }
}

/** The addresses without position, in parts of bounded size where their first bytes are spread, none shared by two parts. */
function freshParts(keys: AddressKeys, positions: Float64Array, fresh: number): AddressKeys[] {
  const parts = fresh <= FRESH_AT_ONCE ? 1 : 256;
  const starts = new Float64Array(parts + 1);
  const bytes = addressBytes(keys);
  const partOf = (index: number): number => (parts === 1 ? 0 : bytes[index * 4 * ADDRESS_WORDS]!);
  for (let index = 0; index < positions.length; index++) if (positions[index]! < 0) starts[partOf(index) + 1]! += 1;
  for (let part = 0; part < parts; part++) starts[part + 1]! += starts[part]!;
  const words = new Int32Array(fresh * ADDRESS_WORDS);
  const next = starts.slice();
  for (let index = 0; index < positions.length; index++) {
    if (positions[index]! >= 0) continue;
    const to = next[partOf(index)]!++ * ADDRESS_WORDS;
    for (let word = 0; word < ADDRESS_WORDS; word++) words[to + word] = keys.words[index * ADDRESS_WORDS + word]!;
  }
  const tags = new Uint32Array(0);
  return Array.from({ length: parts }, (_, part) => {
    const [from, to] = [starts[part]!, starts[part + 1]!];
    return { count: to - from, words: words.subarray(from * ADDRESS_WORDS), tags };
  });
}

function checkRecords(keys: readonly Uint8Array[], positions: Float64Array): void {
  const fresh = keys.filter((_, index) => positions[index]! < 0).map(byteKey);
  if (new Set(fresh).size < fresh.length)
    throw new BatchError('repeated-key', 'two of its ops have the same new record key');
}
