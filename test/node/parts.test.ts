import { describe, expect, it } from 'vitest';
import { hash } from '../../native/index.ts';
import type { Transaction } from '../../src/codec/index.ts';
import { BlockTree, BODIES_SIZE_BYTES_MAX } from '../../src/node/chain/block-tree.ts';
import { FinalityLog } from '../../src/node/finality-log.ts';
import { SignatureChecks } from '../../src/node/signature-checks.ts';
import { InlineVerifier } from '../../src/node/threads/index.ts';
import { TransactionIndex } from '../../src/node/transaction-index.ts';
import type { FinalizedBlock } from '../../src/rpc/views/blocks.ts';
import { kernels, makeBlock, makeChain, newWorld, rootOf, transactionOn, voteFor } from './world.ts';

const world = newWorld();
const root = rootOf(world);
const [a1, a2, a3] = makeChain(world, root, 3) as [typeof root, typeof root, typeof root];
const b1 = makeBlock(world, root, { slot: 2 });
const b2 = makeBlock(world, b1);

describe('block tree', () => {
  it('answers branches, heights and bodies', () => {
    const tree = new BlockTree(root);
    for (const block of [a1, a2, a3, b1]) tree.addVerified(block);
    expect(tree.unfinalizedCount).toBe(4);
    expect(tree.branch(a3)).toEqual([a1, a2, a3]);
    expect(tree.branch(root)).toEqual([]);
    tree.setBest(a3.header.hash);
    expect(tree.onBestBranch(2)).toBe(a2);
    expect(tree.onBestBranch(0)).toBe(root);
    expect(tree.onBestBranch(9)).toBeUndefined();
    expect(tree.body(a2.header.hash)).toBe(a2.block);
    expect(() => tree.setBest(b2.header.hash)).toThrow(RangeError);
  });

  it('moves its root to a child only, and forgets', () => {
    const tree = new BlockTree(root);
    for (const block of [a1, a2, b1]) tree.addVerified(block);
    expect(() => tree.advanceRoot(a2)).toThrow(RangeError);
    tree.advanceRoot(a1);
    expect(tree.root).toBe(a1);
    expect(tree.best).toBe(a1);
    expect(tree.verified(root.header.hash)).toBeUndefined();
    expect(tree.forget(a1.header.hash)).toBeUndefined();
    expect(tree.root).toBe(a1);
    expect(tree.forget(b1.header.hash)).toBe(b1.block);
    expect(tree.forget(b1.header.hash)).toBeUndefined();
  });

  it('never keeps as best a block that finality has left, however high it is', () => {
    const tree = new BlockTree(root);
    for (const block of [a1, b1, b2]) tree.addVerified(block);
    tree.setBest(b2.header.hash);
    tree.advanceRoot(a1);
    expect(tree.best).toBe(a1);
    const other = new BlockTree(root);
    for (const block of [a1, a2]) other.addVerified(block);
    other.setBest(a2.header.hash);
    other.advanceRoot(a1);
    expect(other.best).toBe(a2);
  });

  it('bounds the bodies that wait for verification, oldest out first', () => {
    const tree = new BlockTree(root);
    const big = (name: number) => ({
      ...a1.block!,
      header: { ...a1.header, hash: hash(new Uint8Array(32).fill(name)) },
      bytes: { length: BODIES_SIZE_BYTES_MAX / 4 } as Uint8Array,
    });
    const bodies = [1, 2, 3, 4, 5].map(big);
    for (const body of bodies) tree.addBody(body);
    tree.addBody(bodies[1]!);
    expect(bodies.map(({ header }) => tree.body(header.hash) !== undefined)).toEqual([false, true, true, true, true]);
    tree.forget(bodies[1]!.header.hash);
    tree.addBody(big(6));
    expect(tree.body(bodies[2]!.header.hash)).toBeDefined();
  });
});

describe('transaction index', () => {
  const transaction = transactionOn(world, root.header, { counter: 1n });
  const one = makeBlock(world, root, { batches: [[transaction]] });
  const two = makeBlock(world, root, { slot: 2, batches: [[transaction]] });

  it('holds each unfinalized block of a transaction until that block goes', () => {
    const index = new TransactionIndex();
    index.add(one.block!);
    index.add(two.block!);
    expect(index.holding(transaction.id)).toEqual([one.header.hash, two.header.hash]);
    index.remove(one.block!);
    expect(index.holding(transaction.id)).toEqual([two.header.hash]);
    index.remove(two.block!);
    expect(index.holding(transaction.id)).toEqual([]);
  });

  it('keeps the newest refusals only, and none of what stands in a block after all', () => {
    const index = new TransactionIndex();
    index.drop(transaction.id, { code: 'x', message: '' });
    index.add(one.block!);
    expect(index.dropped(transaction.id)).toBeUndefined();
    const ids = Array.from({ length: 10_001 }, (_, at) => hash(new Uint8Array(new Uint32Array(8).fill(at).buffer)));
    for (const id of ids) index.drop(id, { code: 'y', message: '' });
    expect(index.dropped(ids[0]!)).toBeUndefined();
    expect(index.dropped(ids[10_000]!)?.code).toBe('y');
  });
});

describe('finality log', () => {
  const block = (at: number): FinalizedBlock => {
    const { height, slot, hash: name, pohCount } = a1.header;
    return { height: (height + at) as typeof height, slot: (slot + at) as typeof slot, hash: name, pohCount, ids: [] };
  };

  it('answers what it keeps, and says when it does not', () => {
    const log = new FinalityLog();
    expect(log.from(1, 10)).toBeUndefined();
    for (let at = 0; at < 600; at += 1) log.add(block(at), 0);
    expect(log.from(88, 10)).toBeUndefined();
    expect(log.from(89, 2)?.map(({ height }) => height)).toEqual([89, 90]);
    expect(log.from(600, 5)?.map(({ height }) => height)).toEqual([600]);
    expect(log.from(601, 5)).toEqual([]);
  });

  it('wakes who waits: at a block, at the timeout, at an abort', async () => {
    const log = new FinalityLog();
    const signal = new AbortController();
    const waits = [log.next(60_000, new AbortController().signal), log.next(60_000, signal.signal)];
    signal.abort();
    await waits[1];
    log.add(block(0), 0);
    await waits[0];
    await log.next(1, new AbortController().signal);
    await log.next(60_000, AbortSignal.abort());
  });

  it('measures from first sight; what is never final does not pile up', () => {
    const log = new FinalityLog();
    expect(log.delays()).toBeNull();
    log.seen(1, 100);
    log.seen(1, 900);
    log.add(block(0), 150);
    expect(log.delays()).toEqual({ p50: 50, p99: 50 });
    for (let slot = 1_000_000; slot < 1_010_000; slot += 1) log.seen(slot, 0);
    log.seen(2, 200);
    log.add(block(1), 260);
    expect(log.delays()).toEqual({ p50: 60, p99: 60 });
    // Past the bound the oldest sight is forgotten, and its block is not measured.
    log.seen(3, 0);
    for (let slot = 2_000_000; slot < 2_005_000; slot += 1) log.seen(slot, 0);
    log.add(block(2), 9_000);
    expect(log.delays()).toEqual({ p50: 60, p99: 60 });
  });
});

describe('signature checks', () => {
  const good = transactionOn(world, root.header, { counter: 1n });
  const forged: Transaction = {
    ...good,
    signature: good.signature.map((byte) => byte ^ 1) as Transaction['signature'],
  };

  it('knows a transaction by its signature, not by its id', async () => {
    const checks = new SignatureChecks(kernels, world.check.rules.chainId, new InlineVerifier(kernels), 10);
    expect(await checks.transactions([good])).toEqual([true]);
    expect(await checks.transactions([withBytes(forged), good, withBytes(forged)])).toEqual([false, true, false]);
    // The forged one has not displaced it either.
    expect(await checks.transactions([good])).toEqual([true]);
  });

  it('checks what it knows no second time, and forgets by generations', async () => {
    let checked = 0;
    const counting = {
      ...kernels,
      ed25519Verify: (...args: Parameters<typeof kernels.ed25519Verify>) => {
        checked += args[4].length;
        return kernels.ed25519Verify(...args);
      },
    };
    const checks = new SignatureChecks(counting, world.check.rules.chainId, new InlineVerifier(counting), 2);
    const many = Array.from({ length: 5 }, (_, at) => transactionOn(world, root.header, { counter: BigInt(at) }));
    expect(await checks.transactions(many)).toEqual(many.map(() => true));
    expect(checked).toBe(5);
    await checks.transactions(many.slice(2));
    expect(checked).toBe(5);
    await checks.transactions(many.slice(0, 1));
    expect(checked).toBe(6);
  });

  it('judges votes one by one', async () => {
    const checks = new SignatureChecks(kernels, world.check.rules.chainId, new InlineVerifier(kernels), 10);
    const vote = voteFor(world.validators[0]!, root.header, a1.header);
    const other = voteFor(world.validators[1]!, root.header, a1.header);
    const bad = {
      ...vote,
      signature: other.signature,
      bytes: Uint8Array.from([...vote.bytes.slice(0, -64), ...other.signature]),
    };
    expect(await checks.votes([vote, bad, other, vote])).toEqual([true, false, true, true]);
    expect(await checks.votes([])).toEqual([]);
  });
});

/** The forged signature in the bytes too. */
function withBytes(transaction: Transaction): Transaction {
  return { ...transaction, bytes: Uint8Array.from([...transaction.bytes.slice(0, -64), ...transaction.signature]) };
}
