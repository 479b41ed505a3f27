/** The state as a plain Map: what the store must equal after every acknowledged batch. */
import { encodeBatch } from '../../storage/oplog/batch.ts';
import type { StateStore } from '../../storage/state.ts';
import type { StateOp } from '../../storage/state-reader.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Address number n, spread over the shards. */
export const addressOf = (n: number): Uint8Array => {
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setUint32(0, Math.imul(n + 1, 0x9e3779b1) >>> 0);
  new DataView(bytes.buffer).setUint32(8, n);
  return bytes;
};
export const keyOf = (n: number): Uint8Array => Uint8Array.of(n % 3, n);

export class StateModel {
  readonly accounts: Map<number, bigint> = new Map<number, bigint>();
  readonly records: Map<string, string> = new Map<string, string>();
  height = -1;

  /** The next batch's bytes; the model moves on when `commit` is called with the same ops. */
  encode(ops: readonly StateOp[]): Uint8Array {
    return encodeBatch({ height: this.height + 1, ops });
  }

  commit(ops: readonly StateOp[]): void {
    this.height += 1;
    for (const op of ops) {
      if (op.kind === 'putAccount') this.accounts.set(new DataView(op.address.buffer).getUint32(8), op.balance);
      else if (op.kind === 'putRecord') this.records.set(hex(op.key), hex(op.value));
      else this.records.delete(hex(op.key));
    }
  }

  clone(): StateModel {
    const copy = new StateModel();
    for (const [account, balance] of this.accounts) copy.accounts.set(account, balance);
    for (const [key, value] of this.records) copy.records.set(key, value);
    copy.height = this.height;
    return copy;
  }

  /** What differs from the store, or undefined. */
  difference(store: StateStore): string | undefined {
    if (store.accountCount !== this.accounts.size) return `${store.accountCount} accounts, not ${this.accounts.size}`;
    for (const [account, balance] of this.accounts) {
      const found = store.balance(addressOf(account));
      if (found !== balance) return `account ${account}: ${found}, not ${balance}`;
    }
    const found = [...store.records(new Uint8Array(0))].map(([key, value]) => `${hex(key)}=${hex(value)}`);
    const wanted = [...this.records].map(([key, value]) => `${key}=${value}`).sort();
    return found.join() === wanted.join() ? undefined : `records ${found.join()}, not ${wanted.join()}`;
  }
}

/** Ops of one batch from a source of random numbers. */
export function randomOps(random: () => number, opsMax: number, accounts: number): StateOp[] {
  const below = (n: number): number => Math.floor(random() * n);
  return Array.from({ length: below(opsMax + 1) }, (): StateOp => {
    const kind = random();
    const key = keyOf(below(40));
    if (kind < 0.7)
      return { kind: 'putAccount', address: addressOf(below(accounts)), balance: BigInt(below(2 ** 31)) << 20n };
    if (kind < 0.9) return { kind: 'putRecord', key, value: new Uint8Array(below(60)).fill(below(256)) };
    return { kind: 'deleteRecord', key };
  });
}
