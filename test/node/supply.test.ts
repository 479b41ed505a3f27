import { expect, it } from 'vitest';
import { ChainApi } from '../../src/node/api/chain-api.ts';
import type { ChainParts } from '../../src/node/chain-parts.ts';
import { makeBlock, newWorld, rootOf } from './world.ts';

it('counts the supply in a hundredth of the time at most, however often somebody asks', () => {
  const world = newWorld();
  const root = rootOf(world);
  const COUNT_MS = 10;
  let nowMs = 0;
  let counts = 0;
  const balances = function* (): Generator<bigint> {
    nowMs += COUNT_MS;
    counts += 1;
    yield 1_000n;
  };
  const tree = { root };
  const { rules } = world.check;
  const api = new ChainApi({
    rules,
    tree,
    store: { balances },
    clock: { nowMs: () => nowMs },
  } as unknown as ChainParts);
  const first = api.supply();
  expect(first).toMatchObject({ slot: root.header.slot, deposits: 0n });
  nowMs += 1_000_000;
  // Nothing new is final: nothing new to count.
  expect([api.supply(), counts]).toEqual([first, 1]);
  let tip = root;
  const startedMs = nowMs;
  while (nowMs < startedMs + 5_000) {
    nowMs += 50;
    tip = makeBlock(world, tip);
    tree.root = tip;
    api.supply();
  }
  expect(counts - 1).toBeLessThanOrEqual(Math.ceil((nowMs - startedMs) / (100 * COUNT_MS)));
  expect(counts).toBeGreaterThan(3);
  nowMs += 1_000;
  expect(api.supply().slot).toBe(tip.header.slot);
});
