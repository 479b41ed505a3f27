/** The state as plain Maps: what the store must equal after every acknowledged batch. */
import type { Commitment } from '../../storage/commitment/commitment.ts';
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

const numberOf = (address: Uint8Array): number => new DataView(address.buffer, address.byteOffset).getUint32(8);

/** What an op changes, as text: no key stands twice in a batch. */
const nameOf = (op: StateOp): string =>
  'key' in op ? `r${hex(op.key)}` : `${op.kind.endsWith('Bond') ? 'b' : 'a'}${hex(op.address)}`;

export class StateModel {
  readonly accounts: Map<number, bigint> = new Map<number, bigint>();
  readonly bonds: Map<number, bigint> = new Map<number, bigint>();
  readonly records: Map<string, string> = new Map<string, string>();
  height = -1;

  /** The bytes of the batch after `before`; the model moves on when `commit` is called with the same ops. */
  encode(before: Commitment, ops: readonly StateOp[]): Uint8Array {
    return encodeBatch(before.place, ops);
  }

  commit(ops: readonly StateOp[]): void {
    this.height += 1;
    for (const op of ops) {
      if (op.kind === 'putAccount') this.accounts.set(numberOf(op.address), op.balance);
      else if (op.kind === 'deleteAccount') this.accounts.delete(numberOf(op.address));
      else if (op.kind === 'putBond') this.bonds.set(numberOf(op.address), op.bond);
      else if (op.kind === 'deleteBond') this.bonds.delete(numberOf(op.address));
      else if (op.kind === 'putRecord') this.records.set(hex(op.key), hex(op.value));
      else this.records.delete(hex(op.key));
    }
  }

  clone(): StateModel {
    const copy = new StateModel();
    for (const [account, balance] of this.accounts) copy.accounts.set(account, balance);
    for (const [address, bond] of this.bonds) copy.bonds.set(address, bond);
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
    const live = this.accounts.size + this.bonds.size + this.records.size;
    if (store.commitment.activeCount !== live) return `${store.commitment.activeCount} active ops, not ${live}`;
    return this.#bondDifference(store) ?? this.#recordDifference(store);
  }

  #bondDifference(store: StateStore): string | undefined {
    const found = [...store.bonds()].map(([address, { bond }]) => `${hex(address)}=${bond}`);
    const wanted = [...this.bonds].map(([n, bond]) => `${hex(addressOf(n))}=${bond}`).sort();
    return found.join() === wanted.join() ? undefined : `bonds ${found.join()}, not ${wanted.join()}`;
  }

  #recordDifference(store: StateStore): string | undefined {
    const found = [...store.records(new Uint8Array(0))].map(([key, value]) => `${hex(key)}=${hex(value)}`);
    const wanted = [...this.records].map(([key, value]) => `${key}=${value}`).sort();
    return found.join() === wanted.join() ? undefined : `records ${found.join()}, not ${wanted.join()}`;
  }

  /**
   * The ops with the moves that the ledger's rule would add, so that the floor rises: the oldest active ops that the batch does not touch are
   * put again, and a few accounts among them deleted.
   */
  compacted(before: Commitment, ops: readonly StateOp[]): StateOp[] {
    const all = [...ops];
    const touched = new Set(ops.map(nameOf));
    const { opCount, floor, activeCount } = before;
    let moves = Math.min(ops.length + 1, Math.max(0, opCount - floor - Math.ceil(1.5 * activeCount)));
    if (moves === 0) return all;
    for (const { kind, key, op } of before.oldestActive()) {
      if (touched.has(`${kind[0]}${hex(key)}`)) continue;
      all.push(this.#moved(kind, key.slice(), op));
      moves -= 1;
      if (moves === 0) break;
    }
    return all;
  }

  #moved(kind: 'account' | 'bond' | 'record', key: Uint8Array, op: number): StateOp {
    if (kind === 'record') return { kind: 'putRecord', key, value: Buffer.from(this.records.get(hex(key))!, 'hex') };
    if (kind === 'bond') return { kind: 'putBond', address: key, ...bondOf(this.bonds.get(numberOf(key))!) };
    if (op % 13 === 0) return { kind: 'deleteAccount', address: key };
    return { kind: 'putAccount', address: key, balance: this.accounts.get(numberOf(key))! };
  }
}

/** A bond whose other fields follow from its units. */
export const bondOf = (bond: bigint): { bond: bigint; lastVote: bigint; details: Uint8Array } => ({
  bond,
  lastVote: bond % 1000n,
  details: new Uint8Array(24).fill(Number(bond % 256n)),
});

/** Ops of one batch from a source of random numbers; no key stands twice. */
export function randomOps(random: () => number, opsMax: number, accounts: number): StateOp[] {
  const below = (n: number): number => Math.floor(random() * n);
  const ops = Array.from({ length: below(opsMax + 1) }, (): StateOp => {
    const kind = random();
    const key = keyOf(below(40));
    const address = addressOf(below(accounts));
    if (kind < 0.6) return { kind: 'putAccount', address, balance: BigInt(below(2 ** 31)) << 20n };
    if (kind < 0.65) return { kind: 'deleteAccount', address };
    if (kind < 0.72) return { kind: 'putBond', address: addressOf(below(20)), ...bondOf(BigInt(below(2 ** 31))) };
    if (kind < 0.75) return { kind: 'deleteBond', address: addressOf(below(20)) };
    if (kind < 0.92) return { kind: 'putRecord', key, value: new Uint8Array(below(60)).fill(below(256)) };
    return { kind: 'deleteRecord', key };
  });
  return [...new Map(ops.map((op) => [nameOf(op), op])).values()];
}
