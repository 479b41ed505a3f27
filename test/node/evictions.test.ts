/** Rent, evictions and revivals through the real state: blocks made, finalized, stored, and read back after restarts and cuts. */
import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SigningKey } from '../../src/codec/index.ts';
import { isRevived, readEvictions, totalSupply } from '../../src/ledger/index.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import { CorruptionError, HistoryStore } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { kernels, makeBlock, newWorld, SILENT, transactionOn } from './world.ts';

/** 32 units a block: the validators' own accounts, which nobody touches, last for 31 blocks. */
const world = newWorld({ rent: '1000000', balance: 1000n, recencyWindowSlots: 100 });
/** Eight accounts of 1000 units, and four bonds of 10. */
const SUPPLY = 8n * 1000n + 4n * 10n;
const open = (directory: string): Promise<OpenedChain> =>
  ChainStore.open({ directory, genesis: world.genesis, check: world.check, log: SILENT });

/** A block in which each of the four people pays the next, and `extra` revives. */
function nextBlock(parent: ChainBlock, extra: Parameters<typeof transactionOn>[2][] = []): ChainBlock {
  const counter = BigInt(parent.header.height * 100);
  const transfers = [0, 1, 2, 3].map((from) =>
    transactionOn(world, parent.header, { from, to: (from + 1) % 4, amount: 2n, counter: counter + BigInt(from) }),
  );
  const more = extra.map((plan) => transactionOn(world, parent.header, plan));
  const block = makeBlock(world, parent, { batches: [[...transfers, ...more]] });
  if (block.header.transactionCount !== 4 + more.length || block.block === null) throw new RangeError('not all stand');
  return block;
}

async function finalize(store: ChainStore, block: ChainBlock): Promise<void> {
  await store.finalize(block);
  settleBlock(block);
}

/** Finalizes blocks until somebody was evicted; the blocks. */
async function untilEvicted(store: ChainStore, root: ChainBlock): Promise<ChainBlock[]> {
  const blocks = [root];
  while (store.evictions.count === 0) {
    if (blocks.length === 120) throw new RangeError('nobody was evicted in 120 blocks');
    blocks.push(nextBlock(blocks.at(-1)!));
    await finalize(store, blocks.at(-1)!);
  }
  return blocks;
}

const ownerOf = (address: Uint8Array): SigningKey =>
  world.validators.find((key) => Buffer.compare(key.address, address) === 0)!;

function revival(store: ChainStore, index: number): Parameters<typeof transactionOn>[2] {
  const { count } = store.evictions;
  for (const { address } of world.validators) {
    const row = store.evictions.byAddress(address, 0, count, 10).rows.find((one) => one.index === index);
    if (row === undefined) continue;
    const { balance, height } = row;
    const path = store.evictions.path(index, count)!;
    const payload = { kind: 'revive' as const, index, balance, height, path };
    return { key: ownerOf(address), counter: 1n, payload };
  }
  throw new RangeError(`no eviction ${index}`);
}

const supplyOf = (store: ChainStore, block: ChainBlock): bigint => totalSupply(store.balances(), block.state);

const sumOf = (evictions: readonly { readonly balance: bigint }[]): bigint =>
  evictions.reduce((sum, { balance }) => sum + balance, 0n);

describe('evictions in a node', () => {
  it('survive a restart, and are revived by a path from the store', async () => {
    const directory = await freshDirectory();
    const one = await open(directory);
    const blocks = await untilEvicted(one.store, one.root);
    const last = blocks.at(-1)!;
    expect(supplyOf(one.store, last)).toBe(SUPPLY);
    const evicted = last.evictions!.evictions;
    expect(evicted.length).toBeGreaterThan(0);
    for (const { address, balance } of evicted) {
      expect(last.state.balance(address)).toBe(0n);
      // What rent had left of 1000; the next due, 32 units a block, was more.
      expect(balance > 0n && balance < 1000n).toBe(true);
    }
    await one.store.close();

    const { store, root } = await open(directory);
    expect(store.evictions.count).toBe(evicted.length);
    const units = sumOf(evicted);
    expect(readEvictions(root.state).units).toBe(units);
    const back = nextBlock(root, [revival(store, 0)]);
    expect(isRevived(back.state, 0)).toBe(true);
    expect(back.state.balance(evicted[0]!.address)).toBe(evicted[0]!.balance - 1n);
    expect(readEvictions(back.state).units).toBe(units - evicted[0]!.balance + sumOf(back.evictions!.evictions));
    await finalize(store, back);
    expect(supplyOf(store, back)).toBe(SUPPLY);
    await store.close();
    const again = await open(directory);
    expect(isRevived(again.root.state, 0)).toBe(true);
    expect(again.root.commitment.root).toEqual(back.header.stateRoot);
    await again.store.close();
  });

  it('a cut between the eviction store and the op log leaves nothing behind, and the block is executed again', async () => {
    const directory = await freshDirectory();
    const one = await open(directory);
    const blocks = [one.root];
    // Up to the block before the first eviction.
    for (;;) {
      const next = nextBlock(blocks.at(-1)!);
      blocks.push(next);
      if (next.evictions!.evictions.length > 0) break;
      await finalize(one.store, next);
    }
    const { header, block, evictions } = blocks.at(-1)!;
    await one.store.evictions.append(0, evictions!.evictions);
    await one.store.close();

    const cut = await open(directory);
    expect([cut.store.evictions.count, cut.root.header.height]).toEqual([0, header.height - 1]);
    await cut.store.close();

    // The same again, and the history has the block.
    const shape = { directory: join(directory, 'history'), kernels, ...world.genesis.history };
    const history = await HistoryStore.open(shape);
    await history.append({ ...header, bytes: block!.bytes, transactions: [] });
    await history.close();
    const whole = await open(directory);
    expect([whole.store.evictions.count, whole.root.header.height]).toEqual([
      evictions!.evictions.length,
      header.height,
    ]);
    expect(revival(whole.store, 0).payload).toMatchObject({
      balance: evictions!.evictions[0]!.balance,
      height: header.height,
    });
    await whole.store.close();
  });

  it('refuses an eviction store of an older day', async () => {
    const directory = await freshDirectory();
    const [path, copy] = [join(directory, 'evictions'), join(directory, 'evictions-copy')];
    const fresh = await open(directory);
    await fresh.store.close();
    cpSync(path, copy, { recursive: true });
    const one = await open(directory);
    await untilEvicted(one.store, one.root);
    await one.store.close();
    rmSync(path, { recursive: true });
    renameSync(copy, path);
    await expect(open(directory)).rejects.toThrow(CorruptionError);
    // Without one, the node goes on and keeps what comes.
    rmSync(path, { recursive: true });
    const { store } = await open(directory);
    expect(store.evictions.start).toBe(store.evictions.count);
    expect(store.evictions.start).toBeGreaterThan(0);
    await store.close();
  });
});
