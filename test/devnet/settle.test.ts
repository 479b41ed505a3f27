/** The last look: expected balances, comparisons, the balances file, and roots that must meet at one height. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../src/codec/index.ts';
import type { CairnClient } from '../../src/rpc/client.ts';
import { chooseRate } from '../../tools/devnet/run-devnet.ts';
import {
  compareBalances,
  type ExpectedAccount,
  expectedAccounts,
  readBalances,
  rootsAtOneHeight,
  writeBalances,
} from '../../tools/devnet/settle.ts';
import type { WorkloadPlan } from '../../tools/workload/plan.ts';
import { WorkloadKeys } from '../../tools/workload/signer.ts';
import { planZipf } from '../../tools/workload/zipf-plan.ts';

const account = (name: string, final: bigint): ExpectedAccount => ({
  name,
  address: `cairn1${name}`,
  genesis: 9n,
  final,
  transfersSent: 2,
  feesPaid: 4n,
});

describe('expected balances of the built-in workload', () => {
  it('follow from genesis and the transfers that became final, and carry the right addresses', async () => {
    const plan = planZipf({ accountCount: 3, seed: 4, fee: 10n });
    const keys = new WorkloadKeys(plan);
    const accounts = await expectedAccounts(plan, keys, null, [
      { from: 0, to: 1, amount: 5n },
      { from: 1, to: 0, amount: 1n },
      { from: 0, to: 1, amount: 2n },
    ]);
    const genesis = plan.accounts[0]?.genesis ?? 0n;
    expect(accounts.map((each) => each.final - genesis)).toEqual([1n - 5n - 2n - 20n, 7n - 1n - 10n, 0n]);
    expect(accounts.map((each) => each.address)).toEqual([0, 1, 2].map((index) => formatAddress(keys.address(index))));
    expect(accounts[0]).toMatchObject({ name: '0', transfersSent: 2, feesPaid: 20n });
  });
});

describe('comparing', () => {
  it('counts and shows what differs, also what is missing', () => {
    const accounts = [account('a', 1n), account('b', 2n), account('c', 3n)];
    expect(compareBalances('n', accounts, [1n, 2n, 3n])).toEqual({
      node: 'n',
      checked: 3,
      mismatched: 0,
      examples: [],
    });
    expect(compareBalances('n', accounts, [1n, 5n])).toEqual({
      node: 'n',
      checked: 3,
      mismatched: 2,
      examples: [
        { account: 'b', expected: '2', found: '5' },
        { account: 'c', expected: '3', found: 'nothing' },
      ],
    });
  });

  it('asks in pieces a node will answer, in order', async () => {
    const sizes: number[] = [];
    const client = {
      balances: async (addresses: string[]) => {
        sizes.push(addresses.length);
        return addresses.map((address) => BigInt(address.slice('cairn1'.length)));
      },
    };
    const accounts = Array.from({ length: 2_300 }, (_, index) => account(String(index), BigInt(index)));
    const found = await readBalances(client as unknown as CairnClient, accounts);
    expect(sizes).toEqual([1000, 1000, 300]);
    expect(compareBalances('n', accounts, found).mismatched).toBe(0);
  });
});

describe('the balances file', () => {
  it('has the promised columns, and what the node said as final', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cairn-settle-'));
    const file = join(folder, 'balances.csv');
    await writeBalances(file, true, [account('0xab', 1n)], [7n]);
    const text = readFileSync(file, 'utf8');
    await writeBalances(file, false, [account('0', 1n)], [7n]);
    const builtIn = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });
    expect(text).toBe('ethereumAddress,address,genesis,final,transfersSent,feesPaid\n0xab,cairn10xab,9,7,2,4\n');
    expect(builtIn.split('\n')[1]).toBe(',cairn10,9,7,2,4');
  });
});

describe('state roots', () => {
  /** A node whose final block is one higher at each asking. */
  const node = (first: number): CairnClient => {
    let height = first;
    const status = async () => {
      const finalized = { height, stateRoot: `root-${height}` };
      height += 1;
      return { finalized };
    };
    return { status } as unknown as CairnClient;
  };

  it('are taken at the first height that all nodes answered for', async () => {
    const roots = await rootsAtOneHeight(
      new Map([
        ['a', node(7)],
        ['b', node(5)],
        ['c', node(6)],
      ]),
    );
    expect(new Set(roots.map((each) => each.node))).toEqual(new Set(['a', 'b', 'c']));
    expect(new Set(roots.map((each) => `${each.height} ${each.stateRoot}`))).toEqual(new Set(['7 root-7']));
  });
});

describe('the rate of a replay', () => {
  const plan = (transferCount: number): WorkloadPlan => ({
    ...planZipf({ accountCount: 2, seed: 1, fee: 0n }),
    transferCount,
  });

  it('hands a file out within its share of the run, unless told otherwise', () => {
    expect(chooseRate({ ratePerSecond: null, durationMs: 90_000 }, plan(11_094))).toBe(Math.ceil(11_094 / 54));
    expect(chooseRate({ ratePerSecond: null, durationMs: 90_000 }, plan(100))).toBe(150);
    expect(chooseRate({ ratePerSecond: 42, durationMs: 90_000 }, plan(11_094))).toBe(42);
    expect(chooseRate({ ratePerSecond: null, durationMs: 60_000 }, plan(Number.POSITIVE_INFINITY))).toBe(500);
    expect(chooseRate({ ratePerSecond: null, durationMs: Number.POSITIVE_INFINITY }, plan(108_000))).toBe(2000);
  });
});
