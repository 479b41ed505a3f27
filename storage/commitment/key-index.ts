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

/** Addresses of one kind in the batch. */
interface ListedAddresses {
  readonly table: AddressTable;
  readonly tags: Uint32Array;
}

export class KeyIndex {
  readonly #firstOp: number;
  readonly #accounts: ListedAddresses | undefined;
  readonly #bonds: ListedAddresses | undefined;
  readonly #records: ReadonlyMap<string, number>;

  /** @param keys of the batch; borrowed for the call @param firstOp number of its head */
  constructor(kernels: TableKernels, keys: BatchKeys, firstOp: number) {
    this.#firstOp = firstOp;
    this.#accounts = listed(kernels, keys.accounts);
    this.#bonds = listed(kernels, keys.bonds);
    this.#records = new Map(keys.records.keys.map((key, index) => [byteKey(key), keys.records.tags[index]!]));
  }

  /** Overwrites the positions of those keys that this batch has set or deleted. */
  overrule(keys: BatchKeys, positions: KeyPositions): void {
    this.#overruleAddresses(this.#accounts, keys.accounts, positions.accounts);
    this.#overruleAddresses(this.#bonds, keys.bonds, positions.bonds);
    if (this.#records.size === 0) return;
    for (const [index, key] of keys.records.keys.entries()) {
      const tag = this.#records.get(byteKey(key));
      if (tag !== undefined) positions.records[index] = positionOf(tag, this.#firstOp);
    }
  }

  #overruleAddresses(own: ListedAddresses | undefined, keys: AddressKeys, positions: Float64Array): void {
    const firstOp = this.#firstOp;
    own?.table.locate(keys, (index, place) => {
      positions[index] = positionOf(own.tags[place]!, firstOp);
    });
  }
}

function listed(kernels: TableKernels, keys: AddressKeys): ListedAddresses | undefined {
  if (keys.count === 0) return undefined;
  return { table: new AddressTable(kernels, keys), tags: keys.tags.slice(0, keys.count) };
}
