import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { byteKey, slot } from '../../native/index.ts';
import { blockTransactions, blockVotes, decodeBlock, decoyRoot, type Transaction } from '../../src/codec/index.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { checkBlock } from '../../src/node/chain/check-block.ts';
import { ProducerBench } from './producer-bench.ts';
import { kernels, makeBlock, newWorld, rootOf, transactionOn, voteFor } from './world.ts';

const world = newWorld({ slotDurationMs: 100, balance: 100n });
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const idsIn = (blocks: readonly ChainBlock[]): string[] =>
  blocks.flatMap(({ block }) => blockTransactions(block!.entries).map(({ id }) => byteKey(id)));
const drain = (bench: ProducerBench): Transaction[] => bench.mempool.take(1000);

/** Every block as a stranger sees it: decoded from its bytes and checked from nothing but the parent. */
async function checkAll(root: ChainBlock, blocks: readonly ChainBlock[]): Promise<void> {
  let parent = root;
  for (const made of blocks) {
    const checked = await checkBlock(world.check, parent, decodeBlock(kernels, made.block!.bytes));
    expect(checked.commitment.root).toEqual(made.commitment.root);
    expect(checked.batch).toEqual(made.batch);
    expect(checked.transactionsTotal).toBe(made.transactionsTotal);
    parent = checked;
  }
}

describe('producer', () => {
  it('makes blocks that everybody else finds right, slot after slot', async () => {
    const bench = new ProducerBench(world);
    const root = rootOf(world);
    bench.producer.lead(root, slot(3), []);
    for (let counter = 0n; counter < 6n; counter += 1n)
      bench.mempool.add(transactionOn(world, root.header, { from: Number(counter % 4n), counter }));
    await bench.run(400);
    expect(bench.errors).toEqual([]);
    expect(bench.blocks.length).toBeGreaterThanOrEqual(3);
    expect(bench.blocks.map(({ header }) => header.slot).slice(0, 3)).toEqual([3, 4, 5]);
    expect(idsIn(bench.blocks)).toHaveLength(6);
    await checkAll(root, bench.blocks);
  });

  it("opens no slot that is another's, whatever it is not told", async () => {
    const bench = new ProducerBench(world);
    bench.othersFromSlot = 3;
    bench.producer.lead(rootOf(world), slot(1), []);
    await bench.run(600);
    expect(bench.blocks.map(({ header }) => header.slot)).toEqual([1, 2]);
    expect([bench.producer.isLeading, bench.errors]).toEqual([false, []]);
  });

  it('a decoy takes its slot and nothing else: the next block stands on the same parent, with all that was in it', async () => {
    const bench = new ProducerBench(world);
    bench.decoySlot = 2;
    const root = rootOf(world);
    const vote = voteFor(world.validators[1]!, root.header, root.header);
    bench.producer.lead(root, slot(1), []);
    await bench.run(120);
    const [first] = bench.blocks;
    const transaction = transactionOn(world, root.header, { counter: 1n });
    bench.mempool.add(transaction);
    bench.producer.includeVote(vote);
    await bench.run(200);
    const [decoy] = bench.decoys;
    expect([decoy!.header.slot, decoy!.header.parentHash]).toEqual([2, first!.header.hash]);
    expect(decoy!.header.stateRoot).toEqual(decoyRoot(kernels, world.check.rules.chainId, new Uint8Array(32).fill(7)));
    await expect(checkBlock(world.check, first!, decoy!)).rejects.toMatchObject({ code: 'wrong-state-root' });
    const next = bench.blocks[1]!;
    expect([next.header.slot, next.header.parentHash]).toEqual([3, first!.header.hash]);
    expect(idsIn([next])).toEqual([byteKey(transaction.id)]);
    expect(blockVotes(next.block!.entries)).toHaveLength(1);
    await checkAll(root, bench.blocks);
    expect(bench.errors).toEqual([]);
  });

  it('returns a batch that came too late, in order, and applies nothing twice', async () => {
    const bench = new ProducerBench(world);
    const root = rootOf(world);
    bench.producer.lead(root, slot(1), []);
    await bench.hash();
    const all = [0n, 1n, 2n].map((counter) => transactionOn(world, root.header, { counter, amount: 30n }));
    for (const transaction of all) bench.mempool.add(transaction);
    // The batch is executed and handed to the sequence; before it gets there, the slot is over.
    await bench.fire(25);
    bench.nowMs += 100;
    await bench.hash();
    expect(bench.lateMixins).toBe(1);
    expect(bench.blocks).toHaveLength(1);
    expect(idsIn(bench.blocks)).toEqual([]);
    expect(bench.mempool.pendingCount).toBe(3);
    await bench.run(120);
    expect(idsIn(bench.blocks)).toEqual(all.map(({ id }) => byteKey(id)));
    expect(bench.blocks.at(-1)!.state.balance(world.people[0]!.address)).toBe(100n - 3n * 31n);
    await checkAll(root, bench.blocks);
    expect(bench.errors).toEqual([]);
  });

  it('drops what execution refuses, with its reason, and never offers it again', async () => {
    const bench = new ProducerBench(world);
    const root = rootOf(world);
    const rich = transactionOn(world, root.header, { counter: 1n, amount: 1_000n });
    const good = transactionOn(world, root.header, { counter: 2n });
    bench.producer.lead(root, slot(1), []);
    bench.mempool.add(rich);
    bench.mempool.add(good);
    await bench.run(150);
    expect(bench.refused.map(([transaction, { code }]) => [transaction.id, code])).toEqual([
      [rich.id, 'insufficient-funds'],
    ]);
    expect(bench.mempool.has(rich.id)).toBe(false);
    expect(idsIn(bench.blocks)).toEqual([byteKey(good.id)]);
  });

  it('returns everything when it stops: first what was mixed in, then the batch under way, then what waits', async () => {
    const bench = new ProducerBench(world);
    const root = rootOf(world);
    const [one, two, three] = [1n, 2n, 3n].map((counter) => transactionOn(world, root.header, { counter })) as [
      Transaction,
      Transaction,
      Transaction,
    ];
    bench.producer.lead(root, slot(1), []);
    await bench.hash();
    bench.mempool.add(one);
    await bench.fire(25);
    await bench.hash();
    bench.mempool.add(two);
    await bench.fire(25);
    bench.mempool.add(three);
    bench.producer.stop();
    await bench.hash();
    await bench.fire(100);
    expect(bench.producer.isLeading).toBe(false);
    expect(drain(bench)).toEqual([one, two, three]);
    expect(bench.blocks).toEqual([]);
    expect(bench.errors).toEqual([]);
  });

  it('lets votes wait for a slot they may stand in, and forgets none', async () => {
    const bench = new ProducerBench(world);
    const root = rootOf(world);
    const target = makeBlock(world, root);
    const now = voteFor(world.validators[1]!, root.header, target.header, { targetSlot: 2 });
    const later = voteFor(world.validators[2]!, root.header, target.header, { targetSlot: 4 });
    bench.producer.lead(root, slot(3), [now]);
    bench.producer.includeVote(later);
    await bench.run(400);
    const votes = bench.blocks.map(({ header, block }) => [header.slot, blockVotes(block!.entries).length]);
    expect(votes.slice(0, 3)).toEqual([
      [3, 1],
      [4, 0],
      [5, 1],
    ]);
    await checkAll(root, bench.blocks);
  });

  it('never closes a slot twice, whatever it is asked', async () => {
    const bench = new ProducerBench(world);
    const root = rootOf(world);
    bench.producer.lead(root, slot(1), []);
    await bench.run(110);
    expect(bench.blocks.map(({ header }) => header.slot)).toEqual([1]);
    bench.producer.lead(
      makeBlock(world, root, { slot: 1, batches: [[transactionOn(world, root.header, { counter: 1n })]] }),
      slot(2),
      [],
    );
    await bench.run(110);
    bench.producer.lead(root, slot(1), []);
    bench.producer.lead(root, slot(2), []);
    expect(bench.producer.isLeading).toBe(false);
    await bench.run(250);
    expect(bench.blocks.map(({ header }) => header.slot)).toEqual([1, 2]);
  });

  it('stops quietly on a branch that finality has left: it is no error, and nothing is lost', async () => {
    const bench = new ProducerBench(world);
    const root = rootOf(world);
    const mine = makeBlock(world, root);
    const theirs = makeBlock(world, root, { slot: 2 });
    const next = makeBlock(world, theirs);
    bench.producer.lead(mine, slot(3), []);
    await bench.hash();
    settleBlock(theirs);
    settleBlock(next);
    const transaction = transactionOn(world, root.header, { counter: 8n });
    bench.mempool.add(transaction);
    await bench.run(300);
    expect(bench.errors).toEqual([]);
    expect(bench.producer.isLeading).toBe(false);
    expect(drain(bench)).toEqual([transaction]);
  });

  it('agrees with checkBlock over any workload: late batches, changes of lead, refusals', async () => {
    type Step =
      | { readonly kind: 'pay'; readonly from: number; readonly to: number; readonly amount: number }
      | { readonly kind: 'jump' | 'fire' | 'run'; readonly ms: number }
      | { readonly kind: 'lead' | 'stop' };
    const step: fc.Arbitrary<Step> = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('pay' as const), from: fc.nat(3), to: fc.nat(3), amount: fc.nat(60) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: 1, max: 130 }) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('fire' as const), ms: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('run' as const), ms: fc.integer({ min: 5, max: 120 }) }) },
      fc.record({ kind: fc.constantFrom('lead' as const, 'stop' as const) }),
    );
    let late = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50, size: 'max' }), async (steps) => {
        const bench = new ProducerBench(world);
        const root = rootOf(world);
        const accepted: Transaction[] = [];
        let counter = 0n;
        const lead = (): void => {
          const parent = bench.blocks.at(-1) ?? root;
          bench.producer.lead(parent, slot(parent.header.slot + 1), []);
        };
        lead();
        for (const one of steps) {
          if (one.kind === 'pay') {
            counter += 1n;
            const { from, to } = one;
            const transaction = transactionOn(world, root.header, { from, to, counter, amount: BigInt(one.amount) });
            if (bench.mempool.add(transaction) === 'added') accepted.push(transaction);
          } else if (one.kind === 'jump') {
            bench.nowMs += one.ms;
            await bench.hash();
          } else if (one.kind === 'fire') await bench.fire(one.ms);
          else if (one.kind === 'run') await bench.run(one.ms);
          else if (one.kind === 'lead') lead();
          else bench.producer.stop();
        }
        bench.producer.stop();
        await bench.hash();
        late += bench.lateMixins;
        expect(bench.errors).toEqual([]);
        await checkAll(root, bench.blocks);
        // Each transaction is in exactly one place, and in the order in which it came.
        const placed = idsIn(bench.blocks);
        const refused = bench.refused.map(([{ id }]) => byteKey(id));
        const left = drain(bench).map(({ id }) => byteKey(id));
        const order = accepted.map(({ id }) => byteKey(id));
        expect([...placed, ...refused, ...left].sort()).toEqual([...order].sort());
        expect([...placed, ...left]).toEqual(order.filter((id) => !refused.includes(id)));
      }),
      { seed: 3, numRuns: 40 },
    );
    expect(late).toBeGreaterThan(3);
  });
});
