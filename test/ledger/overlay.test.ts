import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AMOUNT_MAX } from '../../native/index.ts';
import { LedgerInvariantError, type LedgerState, Overlay } from '../../src/ledger/index.ts';
import type { BondState, StateOp } from '../../storage/state-reader.ts';
import { MapState, named } from './fixture.ts';

const addresses = Array.from({ length: 6 }, (_, i) => named(`account ${i}`).subarray(0, 20));
/** Keys that share prefixes, contain each other, and hold bytes above 0x7f. */
const keys = ['01', '0101', '0102', '01ff', '02', '02aa', 'ff', 'ff00', 'ffff'].map((hex) =>
  Uint8Array.from(Buffer.from(hex, 'hex')),
);
const prefixes = ['', '01', '02', 'ff', '03'].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));

type Action =
  | { readonly do: 'set'; readonly account: number; readonly value: bigint }
  | { readonly do: 'credit'; readonly account: number; readonly value: bigint }
  | { readonly do: 'put'; readonly key: number; readonly value: number }
  | { readonly do: 'close' | 'unbond'; readonly account: number }
  | { readonly do: 'bond'; readonly account: number; readonly value: bigint }
  | { readonly do: 'delete'; readonly key: number }
  | { readonly do: 'child' | 'savepoint' | 'rollback' | 'release' };

const account = fc.nat(addresses.length - 1);
const key = fc.nat(keys.length - 1);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('set' as const), account, value: fc.bigInt(0n, 1000n) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('credit' as const), account, value: fc.bigInt(0n, 1000n) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('close', 'unbond' as const), account }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('bond' as const), account, value: fc.bigInt(0n, 1000n) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), key, value: fc.nat(255) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('child' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('savepoint', 'savepoint', 'rollback', 'release' as const) }),
  },
);

/** A naive overlay: a full copy of everything, and an op list searched from the front. */
class Model {
  balances: Map<number, bigint>;
  values: Map<number, number>;
  bonds: Map<number, bigint>;
  touched: string[] = [];
  constructor(parent?: Model) {
    this.balances = new Map(parent?.balances);
    this.values = new Map(parent?.values);
    this.bonds = new Map(parent?.bonds);
  }
  copy(): Model {
    const copy = new Model(this);
    copy.touched = [...this.touched];
    return copy;
  }
  touch(name: string): void {
    if (!this.touched.includes(name)) this.touched.push(name);
  }
  ops(): StateOp[] {
    return this.touched.map((name): StateOp => {
      const index = Number(name.slice(1));
      if (name.startsWith('a') && !this.balances.has(index))
        return { kind: 'deleteAccount', address: addresses[index]! };
      if (name.startsWith('a'))
        return { kind: 'putAccount', address: addresses[index]!, balance: this.balances.get(index) ?? 0n };
      if (name.startsWith('b')) {
        const bond = this.bonds.get(index);
        const address = addresses[index]!;
        return bond === undefined ? { kind: 'deleteBond', address } : { kind: 'putBond', address, ...bondOf(bond) };
      }
      const value = this.values.get(index);
      if (value === undefined) return { kind: 'deleteRecord', key: keys[index]! };
      return { kind: 'putRecord', key: keys[index]!, value: Uint8Array.of(value) };
    });
  }
}

const bondOf = (bond: bigint): BondState => ({
  bond,
  lastVote: bond + 1n,
  details: new Uint8Array(24).fill(Number(bond % 256n)),
});

function plain(op: StateOp): unknown {
  if (op.kind === 'putAccount') return [op.kind, Buffer.from(op.address).toString('hex'), op.balance];
  if (op.kind === 'putBond')
    return [op.kind, Buffer.from(op.address).toString('hex'), op.bond, op.lastVote, [...op.details]];
  if ('address' in op) return [op.kind, Buffer.from(op.address).toString('hex')];
  const keyHex = Buffer.from(op.key).toString('hex');
  return op.kind === 'putRecord' ? [op.kind, keyHex, [...op.value]] : [op.kind, keyHex];
}

function expectSame(overlay: LedgerState, model: Model): void {
  const bonds = addresses
    .map((address, index) => ({ hex: Buffer.from(address).toString('hex'), bond: model.bonds.get(index) }))
    .filter(({ bond }) => bond !== undefined)
    .sort((a, b) => (a.hex < b.hex ? -1 : 1));
  expect(
    [...overlay.bonds()].map(([address, { bond }]) => ({ hex: Buffer.from(address).toString('hex'), bond })),
  ).toEqual(bonds);
  addresses.forEach((address, index) => {
    const bond = model.bonds.get(index);
    expect(overlay.bond(address)).toEqual(bond === undefined ? undefined : bondOf(bond));
  });
  addresses.forEach((address, index) => {
    expect(overlay.balance(address)).toBe(model.balances.get(index) ?? 0n);
  });
  keys.forEach((bytes, index) => {
    const value = model.values.get(index);
    expect(overlay.record(bytes)).toEqual(value === undefined ? undefined : Uint8Array.of(value));
  });
  for (const prefix of prefixes) {
    const wanted = keys
      .map((bytes, index) => ({ hex: Buffer.from(bytes).toString('hex'), value: model.values.get(index) }))
      .filter(({ hex, value }) => value !== undefined && hex.startsWith(Buffer.from(prefix).toString('hex')))
      .sort((a, b) => (a.hex < b.hex ? -1 : 1));
    const found = [...overlay.records(prefix)].map(([k, v]) => ({ hex: Buffer.from(k).toString('hex'), value: v[0] }));
    expect(found).toEqual(wanted);
  }
}

describe('Overlay', () => {
  it('agrees with a naive model: reads, prefix scans, ops, savepoints, stacked blocks', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40, size: 'max' }), (actions) => {
        const base = new MapState();
        base.balances.set(Buffer.from(addresses[0]!).toString('latin1'), 77n);
        base.values.set(Buffer.from(keys[1]!).toString('latin1'), Uint8Array.of(9));
        base.held.set(Buffer.from(addresses[2]!).toString('latin1'), bondOf(33n));
        let model = new Model();
        model.balances.set(0, 77n);
        model.values.set(1, 9);
        model.bonds.set(2, 33n);
        model = new Model(model);
        let overlay = new Overlay(base);
        const saved: { point: ReturnType<Overlay['savepoint']>; model: Model }[] = [];
        for (const one of actions) {
          if (one.do === 'set' || one.do === 'credit') {
            const before = one.do === 'set' ? 0n : (model.balances.get(one.account) ?? 0n);
            if (one.do === 'set') overlay.setBalance(addresses[one.account]!, one.value);
            else overlay.credit(addresses[one.account]!, one.value);
            model.balances.set(one.account, before + one.value);
            model.touch(`a${one.account}`);
          } else if (one.do === 'close') {
            overlay.deleteAccount(addresses[one.account]!);
            model.balances.delete(one.account);
            model.touch(`a${one.account}`);
          } else if (one.do === 'bond') {
            overlay.putBond(addresses[one.account]!, bondOf(one.value));
            model.bonds.set(one.account, one.value);
            model.touch(`b${one.account}`);
          } else if (one.do === 'unbond') {
            overlay.deleteBond(addresses[one.account]!);
            model.bonds.delete(one.account);
            model.touch(`b${one.account}`);
          } else if (one.do === 'put') {
            overlay.putRecord(keys[one.key]!, Uint8Array.of(one.value));
            model.values.set(one.key, one.value);
            model.touch(`r${one.key}`);
          } else if (one.do === 'delete') {
            overlay.deleteRecord(keys[one.key]!);
            model.values.delete(one.key);
            model.touch(`r${one.key}`);
          } else if (one.do === 'savepoint') saved.push({ point: overlay.savepoint(), model: model.copy() });
          else if (one.do === 'child') {
            if (saved.length > 0) continue;
            overlay = new Overlay(overlay);
            model = new Model(model);
          } else {
            const last = saved.pop();
            if (last === undefined) continue;
            if (one.do === 'release') overlay.release(last.point);
            else {
              overlay.rollback(last.point);
              model = last.model;
            }
          }
          expect(overlay.ops().map(plain)).toEqual(model.ops().map(plain));
        }
        expectSame(overlay, model);
        for (const [index, address] of addresses.entries())
          expect(overlay.isTouched({ kind: 'account', key: address })).toBe(model.touched.includes(`a${index}`));
        for (const [index, address] of addresses.entries())
          expect(overlay.isTouched({ kind: 'bond', key: address })).toBe(model.touched.includes(`b${index}`));
        for (const [index, bytes] of keys.entries())
          expect(overlay.isTouched({ kind: 'record', key: bytes })).toBe(model.touched.includes(`r${index}`));
      }),
      { numRuns: 400, seed: 11 },
    );
  });

  it('applying its ops to the parent gives the same state, through settled overlays too', () => {
    const base = new MapState();
    const first = new Overlay(base);
    first.setBalance(addresses[0]!, 5n);
    first.putRecord(keys[0]!, Uint8Array.of(1));
    const second = new Overlay(first);
    second.credit(addresses[0]!, 2n);
    second.deleteRecord(keys[0]!);
    const third = new Overlay(second);
    base.apply(first.ops());
    first.settle();
    expect(second.balance(addresses[0]!)).toBe(7n);
    expect(third.record(keys[0]!)).toBeUndefined();
    base.apply(second.ops());
    second.settle();
    expect(third.balance(addresses[0]!)).toBe(7n);
    expect([...third.records(new Uint8Array(0))]).toEqual([]);
    expect(first.touchedCount).toBe(0);
  });

  it('throws when a branch that finality has left is read', () => {
    const base = new MapState();
    const parent = new Overlay(base);
    parent.setBalance(addresses[0]!, 5n);
    const winner = new Overlay(parent);
    const loser = new Overlay(parent);
    base.apply(parent.ops());
    parent.settle();
    expect(loser.balance(addresses[0]!)).toBe(5n);
    winner.settle();
    expect(() => loser.balance(addresses[0]!)).toThrowError(LedgerInvariantError);
    expect(() => [...loser.records(keys[0]!)]).toThrowError(/finality/);
    expect(() => loser.record(keys[0]!)).toThrowError(/finality/);
  });

  it('settles only in the order of the chain, and is read-only afterwards', () => {
    const parent = new Overlay(new MapState());
    const child = new Overlay(parent);
    expect(() => child.settle()).toThrowError(/last settled/);
    parent.settle();
    expect(() => parent.settle()).toThrowError(/settled already/);
    expect(() => parent.setBalance(addresses[0]!, 1n)).toThrowError(/read-only/);
    expect(() => parent.ops()).toThrowError(/stored state/);
  });

  it('keeps balances within 0 .. 2^64 - 1 and sizes within the op format', () => {
    const overlay = new Overlay(new MapState());
    overlay.setBalance(addresses[0]!, AMOUNT_MAX);
    expect(() => overlay.credit(addresses[0]!, 1n)).toThrowError(LedgerInvariantError);
    expect(() => overlay.debit(addresses[1]!, 1n)).toThrowError(LedgerInvariantError);
    expect(() => overlay.balance(new Uint8Array(19))).toThrowError(/20 bytes/);
    expect(() => overlay.putRecord(new Uint8Array(0), new Uint8Array(1))).toThrowError(/key/);
    expect(() => overlay.putRecord(new Uint8Array(65), new Uint8Array(1))).toThrowError(/key/);
    expect(() => overlay.putRecord(keys[0]!, new Uint8Array(4097))).toThrowError(/value/);
    expect(overlay.ops().map(plain)).toEqual([
      plain({ kind: 'putAccount', address: addresses[0]!, balance: AMOUNT_MAX }),
    ]);
  });

  it('copies what it is given', () => {
    const overlay = new Overlay(new MapState());
    const [address, recordKey, value] = [addresses[0]!.slice(), keys[1]!.slice(), Uint8Array.of(4)];
    overlay.setBalance(address, 3n);
    overlay.putRecord(recordKey, value);
    for (const bytes of [address, recordKey, value]) bytes.fill(0xee);
    expect(overlay.balance(addresses[0]!)).toBe(3n);
    expect(overlay.record(keys[1]!)).toEqual(Uint8Array.of(4));
    expect(overlay.ops().map(plain)).toEqual([
      plain({ kind: 'putAccount', address: addresses[0]!, balance: 3n }),
      plain({ kind: 'putRecord', key: keys[1]!, value: Uint8Array.of(4) }),
    ]);
  });

  it('closes savepoints in reverse order only', () => {
    const overlay = new Overlay(new MapState());
    const outer = overlay.savepoint();
    const inner = overlay.savepoint();
    expect(() => overlay.rollback(outer)).toThrowError(/savepoint 1/);
    overlay.release(inner);
    overlay.rollback(outer);
    expect(() => overlay.release(outer)).toThrowError(LedgerInvariantError);
  });
});
