import { describe, expect, it } from 'vitest';
import { hash } from '../../native/index.ts';
import { AddressTable, addressHash } from '../../storage/commitment/address-table.ts';
import { wordsOf } from '../../storage/commitment/batch-keys.ts';
import type { Commitment } from '../../storage/commitment/commitment.ts';
import { CommitmentError } from '../../storage/commitment/commitment-error.ts';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { CommitmentReplay } from '../../storage/commitment/replay.ts';
import type { TreesOptions } from '../../storage/commitment/trees.ts';
import { BatchError, encodeBatch, opOffsets } from '../../storage/oplog/batch.ts';
import type { BatchPlace, StateOp } from '../../storage/state-reader.ts';
import {
  addressOf,
  CHAIN_ID,
  deleteAccount,
  deleteBond,
  deleteRecord,
  NaiveState,
  NaiveStore,
  putAccount,
  putBond,
  putRecord,
} from './commitment-model.ts';
import { Rig } from './commitment-rig.ts';
import { kernels } from './kernels-fixture.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('what a batch must be', () => {
  const filled = (): Rig => {
    const rig = new Rig();
    const first = rig.next(rig.trees.tip, [putAccount(1), putAccount(2), putBond(1), putRecord(1)]);
    rig.settle(first);
    return rig;
  };
  const repeated: [what: string, ops: StateOp[]][] = [
    ['an account', [putAccount(2), putAccount(1), putAccount(2)]],
    ['a new account', [putAccount(7), putAccount(1), putAccount(7)]],
    ['an account put and deleted', [putAccount(1), deleteAccount(1)]],
    ['an account deleted twice that was never there', [deleteAccount(8), deleteAccount(8)]],
    ['a bond', [putBond(1), putBond(1)]],
    ['a new bond', [putBond(3), deleteBond(3)]],
    ['a record', [putRecord(1), putRecord(1)]],
    ['a new record', [putRecord(5), deleteRecord(5)]],
  ];

  it.each(repeated)('is refused when %s stands twice, and nothing has changed', (_what, ops) => {
    const rig = filled();
    const { tip } = rig.trees;
    const batch = rig.states.get(tip)!.next(ops).batches.at(-1)!;
    expect(() => tip.next(batch)).toThrow(BatchError);
    expect(() => tip.next(batch)).toThrow(/repeated-key|the same|have the key/);
    const child = rig.next(tip, [putAccount(2)]);
    rig.check(child);
    // The same, over an unsettled block that has set the keys.
    const over = rig.next(child, [putAccount(1), putAccount(7), putBond(1), putBond(3), putRecord(1), putRecord(5)]);
    expect(() => over.next(rig.states.get(over)!.next(ops).batches.at(-1)!)).toThrow(BatchError);
    rig.check(rig.next(over, [putAccount(1)]));
  });

  it('may have the same address as an account and as a bond', () => {
    const rig = filled();
    rig.check(rig.next(rig.trees.tip, [putAccount(9), putBond(9), deleteAccount(1), deleteBond(1)]));
  });

  it('is refused when a new key stands twice among many, wherever the two stand', () => {
    const rig = new Rig();
    const many = range(0, 70_000).map((n) => putAccount(n));
    const { tip } = rig.trees;
    expect(tip.next(encodeBatch(tip.place, many)).activeCount).toBe(70_000);
    for (const at of [1, 35_000, 69_999]) {
      const batch = encodeBatch(tip.place, many.with(at, putAccount(0)));
      expect(() => tip.next(batch)).toThrow(/same new address/);
    }
  });

  it('is refused when its head does not follow, field by field', () => {
    const rig = filled();
    const { tip } = rig.trees;
    const { place } = tip;
    const wrong: Partial<BatchPlace>[] = [
      { height: 2 },
      { previousFrameSizeBytes: place.previousFrameSizeBytes + 8 },
      { frameOffset: place.frameOffset - 8 },
      { floor: place.floor + 1 },
      { previousDigest: new Uint8Array(32) },
    ];
    for (const change of wrong) {
      expect(() => tip.next(encodeBatch({ ...place, ...change }, []))).toThrow(BatchError);
      expect(() => tip.next(encodeBatch({ ...place, ...change }, []))).toThrow(/its head/);
    }
    expect(() => tip.next(encodeBatch(place, []).subarray(4))).toThrow(BatchError);
    rig.check(rig.next(tip, []));
  });

  it('has the digest that the caller gives', () => {
    const { trees } = filled();
    const digest = hash(new Uint8Array(32).fill(9));
    expect(trees.tip.next(encodeBatch(trees.tip.place, []), digest).place.previousDigest).toEqual(digest);
  });
});

describe('branches', () => {
  it('go on over 256 unsettled blocks, looking each key up once in the durable tables, and settle one by one', () => {
    const rig = new Rig();
    rig.settle(
      rig.next(
        rig.trees.tip,
        range(0, 300).map((n) => putAccount(n)),
      ),
    );
    const chain: Commitment[] = [];
    let tip = rig.trees.tip;
    for (let height = 0; height < 256; height++) {
      rig.store.lookups = 0;
      tip = rig.next(tip, [putAccount(height), putAccount(height + 1), putBond(height % 5), putRecord(height % 7)]);
      expect(rig.store.lookups).toBe(3);
      chain.push(tip);
      if (height % 16 === 15) rig.check(tip);
    }
    rig.checkActive(tip);
    for (const [index, commitment] of chain.entries()) {
      rig.settle(commitment);
      if (index % 64 === 0) rig.check(rig.next(tip, [putAccount(3), deleteBond(2)]));
    }
    expect(rig.trees.tip).toBe(tip);
    rig.check(rig.next(tip, [putAccount(11)]));
  });

  it('are closed by finality: the old tip and every other branch throw, however they are used', () => {
    const rig = new Rig();
    const { tip } = rig.trees;
    const kept = rig.next(tip, [putAccount(1)]);
    const left = rig.next(tip, [putAccount(2)]);
    const above = rig.next(left, [putAccount(3)]);
    const walk = above.oldestActive()[Symbol.iterator]();
    rig.settle(kept);
    const batchAfter = (commitment: Commitment): Uint8Array => rig.states.get(commitment)!.next([]).batches.at(-1)!;
    for (const commitment of [tip, left, above]) {
      expect(() => commitment.next(batchAfter(commitment))).toThrow(CommitmentError);
      if (commitment !== tip) expect(() => [...commitment.oldestActive()]).toThrow(/finality has moved/);
    }
    expect(() => walk.next()).toThrow(CommitmentError);
    expect(() => rig.trees.absorb(left)).toThrow(/child of the last settled/);
    expect(() => rig.trees.absorb(kept)).toThrow(/child of the last settled/);
    rig.check(rig.next(kept, [putAccount(2)]));
  });

  it('let go of their batch and keys once settled', () => {
    const rig = new Rig();
    const child = rig.next(rig.trees.tip, [putAccount(1)]);
    const grandchild = rig.next(child, [putAccount(1)]);
    expect(child.branch.op(1)).toHaveLength(32);
    rig.settle(child);
    expect(child.branch.parent).toBe(undefined);
    expect(() => child.branch.op(1)).toThrow(/unsettled/);
    expect(grandchild.branch.keyIndexes()).toHaveLength(1);
    rig.settle(grandchild);
    expect(grandchild.branch.keyIndexes()).toHaveLength(0);
  });

  it('keep their own bits where two of them fill the same twig, while the floor rises under them', () => {
    const rig = new Rig();
    const all = range(0, 400).map((n) => putAccount(n));
    for (let round = 0; round < 12; round++) {
      const base = rig.next(rig.trees.tip, all);
      rig.settle(base);
      const one = rig.next(base, [putAccount(1), deleteAccount(2)]);
      const other = rig.next(base, range(50, 380).map(deleteAccount));
      const deep = rig.next(rig.next(one, all.slice(0, 200)), [putBond(round)]);
      rig.check(rig.next(other, [putRecord(round)]));
      rig.check(deep);
      rig.settle(round % 2 === 0 ? other : one);
      rig.drop(1);
    }
    expect(rig.trees.tip.floor).toBeGreaterThan(4000);
    rig.checkActive(rig.trees.tip);
  });
});

describe('AddressTable', () => {
  it('does not take an equal hash for an equal address', () => {
    const batch = encodeBatch(NaiveState.empty.place, [putAccount(1), putAccount(2), putAccount(1)]);
    const table = new AddressTable({ words: wordsOf(batch), offsets: opOffsets(batch) }, 2);
    expect([1, 2, 3].map((op) => table.add(op))).toEqual([true, true, false]);
    const words = wordsOf(addressOf(1));
    expect(table.find(words, 0, addressHash(words, 0))).toBe(1);
    for (let bit = 0; bit < 160; bit++) {
      const other = words.slice();
      other[bit >> 5]! ^= 1 << (bit & 31);
      expect(table.find(other, 0, addressHash(words, 0))).toBe(0);
    }
    expect(table.find(wordsOf(addressOf(3)), 0, addressHash(wordsOf(addressOf(3)), 0))).toBe(0);
  });
});

describe('replay', () => {
  it('from any kept segment on gives the same trees, and they go on', () => {
    const rig = new Rig();
    for (let round = 0; round < 16; round++)
      rig.settle(
        rig.next(
          rig.trees.tip,
          range(0, 400 + round).map((n) => putAccount(n)),
        ),
      );
    for (let kept = 14; kept >= 0; kept -= 2) {
      rig.drop(kept);
      rig.reopen();
      rig.check(rig.trees.tip);
      rig.checkActive(rig.trees.tip, 10);
      const child = rig.next(rig.trees.tip, [putAccount(1), deleteAccount(2)]);
      rig.check(rig.next(child, [putAccount(2), putAccount(3)]));
    }
    expect(rig.store.firstOp).toBeGreaterThan(5000);
  });

  const options = (store: NaiveStore): TreesOptions => ({ kernels, chainId: CHAIN_ID, positions: store, twigs: store });
  const twoBatches = (): NaiveStore => {
    const store = new NaiveStore();
    store.state = NaiveState.empty.next([putAccount(1), putAccount(2)]).next([putAccount(1)]);
    return store;
  };
  const replayed = (store: NaiveStore): CommitmentReplay => {
    const replay = new CommitmentReplay(options(store));
    for (const batch of store.state.batches) replay.appendOps(batch);
    return replay;
  };

  it('refuses tables that do not fit the log', () => {
    const store = twoBatches();
    for (const positions of [[-1], [5], [Number.NaN], [2, 2]])
      expect(() => replayed(store).activate(Float64Array.from(positions))).toThrow(CommitmentError);
    const late = replayed(store);
    late.activate(Float64Array.of(0));
    expect(() => late.finish()).toThrow(/the oldest op of the tables is 0, the log's floor 1/);
    const right = replayed(store);
    right.activate(Float64Array.of(2, 4));
    expect(hex(right.finish().tip.root)).toBe(hex(store.state.root));
  });

  it('refuses batches that do not follow', () => {
    const store = twoBatches();
    const [first, second] = store.state.batches as [Uint8Array, Uint8Array];
    const replay = new CommitmentReplay(options(store));
    expect(() => replay.appendOps(second)).toThrow(BatchError);
    replay.appendOps(first);
    expect(replay.opCount).toBe(3);
    expect(() => replay.appendOps(first)).toThrow(BatchError);
    const place = NaiveState.empty.next([putAccount(1), putAccount(2)]).place;
    expect(() => replay.appendOps(encodeBatch({ ...place, floor: 4 }, []))).toThrow(/floor/);
    replay.appendOps(second);
  });

  it('of nothing gives the empty trees', () => {
    const store = new NaiveStore();
    const { tip } = new CommitmentReplay(options(store)).finish();
    expect(hex(tip.root)).toBe(hex(NaiveState.empty.root));
    const batch = NaiveState.empty.next([putAccount(1)]).batches[0]!;
    expect(tip.next(batch).opCount).toBe(2);
    const nothing = new CommitmentReplay(options(store), Frontier.empty.append(kernels, new Uint8Array(32)));
    expect(() => nothing.finish()).toThrow(CommitmentError);
  });
});
