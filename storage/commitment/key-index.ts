/**
 * Which op of one unsettled batch set a key: looked up by the blocks on top of it. Built when the first of them comes, so a block that
 * is settled at once (a node catching up) costs nothing.
 */
import { byteKey } from '../../native/index.ts';
import { AddressTable, type TableKernels } from './address-table.ts';
import { type AddressKeys, type BatchKeys, positionOf } from './batch-keys.ts';

/** The positions of a batch's keys, in its order. */
export interface KeyPositions {
  readonly accounts: Float64Array;
  readonly bonds: Float64Array;
  readonly records: Float64Array;
}

export class KeyIndex {
  readonly #firstOp: number;
  readonly #accounts: AddressTable | undefined;
  readonly #bonds: AddressTable | undefined;
  readonly #records: ReadonlyMap<string, number>;

  /** @param keys of the batch; borrowed for the call @param firstOp number of its head */
  constructor(kernels: TableKernels, keys: BatchKeys, firstOp: number) {
    this.#firstOp = firstOp;
    this.#accounts = tableOf(kernels, keys.accounts);
    this.#bonds = tableOf(kernels, keys.bonds);
    this.#records = new Map(keys.records.keys.map((key, index) => [byteKey(key), keys.records.tags[index]!]));
  }

  /** Overwrites the positions of those keys that this batch has set or deleted. */
  overrule(keys: BatchKeys, positions: KeyPositions): void {
    this.#accounts?.locate(keys.accounts, this.#firstOp, positions.accounts);
    this.#bonds?.locate(keys.bonds, this.#firstOp, positions.bonds);
    if (this.#records.size === 0) return;
    for (const [index, key] of keys.records.keys.entries()) {
      const tag = this.#records.get(byteKey(key));
      if (tag !== undefined) positions.records[index] = positionOf(tag, this.#firstOp);
    }
  }
}

function tableOf(kernels: TableKernels, keys: AddressKeys): AddressTable | undefined {
  if (keys.count === 0) return undefined;
  const table = new AddressTable(kernels, keys.count);
  table.put(keys);
  return table;
}
