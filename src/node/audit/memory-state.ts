/** A whole ledger state in memory: what an audit replays a chain on. Nothing of it is durable, and its size is that of the state. */
import { byteKey, bytesOfKey } from '../../../native/index.ts';
import type { BondState, StateOp } from '../../../storage/index.ts';
import type { LedgerState } from '../../ledger/index.ts';

export class MemoryState implements LedgerState {
  readonly #balances = new Map<string, bigint>();
  readonly #records = new Map<string, Uint8Array>();
  readonly #bonds = new Map<string, BondState>();

  balance(address: Uint8Array): bigint {
    return this.#balances.get(byteKey(address)) ?? 0n;
  }

  record(key: Uint8Array): Uint8Array | undefined {
    return this.#records.get(byteKey(key));
  }

  *records(prefix: Uint8Array): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    const start = byteKey(prefix);
    for (const key of [...this.#records.keys()].filter((each) => each.startsWith(start)).sort())
      yield [bytesOfKey(key), this.#records.get(key)!];
  }

  bond(address: Uint8Array): BondState | undefined {
    return this.#bonds.get(byteKey(address));
  }

  *bonds(): Iterable<readonly [address: Uint8Array, bond: BondState]> {
    for (const key of [...this.#bonds.keys()].sort()) yield [bytesOfKey(key), this.#bonds.get(key)!];
  }

  /** Applies a block's ops, in order. */
  apply(ops: readonly StateOp[]): this {
    for (const op of ops) this.#applyOne(op);
    return this;
  }

  #applyOne(op: StateOp): void {
    switch (op.kind) {
      case 'putAccount':
        this.#balances.set(byteKey(op.address), op.balance);
        return;
      case 'deleteAccount':
        this.#balances.delete(byteKey(op.address));
        return;
      case 'putRecord':
        this.#records.set(byteKey(op.key), op.value);
        return;
      case 'deleteRecord':
        this.#records.delete(byteKey(op.key));
        return;
      case 'putBond':
        this.#bonds.set(byteKey(op.address), { bond: op.bond, lastVote: op.lastVote, details: op.details });
        return;
      case 'deleteBond':
        this.#bonds.delete(byteKey(op.address));
        return;
    }
  }
}
