/**
 * The last look at a run: every balance from two nodes against the recomputation, state roots at one height, the supply.
 * Reads only finalized state, after the last transfer is final, so the figures hold still.
 */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatAddress } from '../../src/codec/index.ts';
import { type CairnClient, QUERY_ITEMS_MAX } from '../../src/rpc/client.ts';
import type { WorkloadPlan, WorkloadTransfer } from '../workload/plan.ts';
import { type Recomputation, recomputeFromFile, recomputeFromTransfers } from '../workload/recompute.ts';
import type { WorkloadKeys } from '../workload/signer.ts';
import type { BalanceComparison, RootReading, SupplyReading } from './evidence.ts';

const EXAMPLES_MAX = 5;
const SAME_HEIGHT_TIMEOUT_MS = 20_000;
const ROOT_POLL_MS = 100;

/** One account of the workload with what it must hold in the end. */
export interface ExpectedAccount {
  readonly name: string;
  /** Bech32m. */
  readonly address: string;
  readonly genesis: bigint;
  readonly final: bigint;
  readonly transfersSent: number;
  readonly feesPaid: bigint;
}

/**
 * Works out every account's final balance without the ledger: from the file itself when there is one, else from the transfers that became final.
 * @param file the transfer file of a replay, null for the built-in workload
 */
export async function expectedAccounts(
  plan: WorkloadPlan,
  keys: WorkloadKeys,
  file: string | null,
  final: readonly WorkloadTransfer[],
): Promise<ExpectedAccount[]> {
  const sums = file === null ? fromFinal(plan, final) : await recomputeFromFile(file, plan.fee);
  const addresses = new Map(plan.accounts.map(({ name }, index) => [name, formatAddress(keys.address(index))]));
  return [...sums].map(([name, { genesis, final: balance, transfersSent, feesPaid }]) => ({
    name,
    // An account the plan does not know cannot be looked up: the comparison will show it.
    address: addresses.get(name) ?? '',
    genesis,
    final: balance,
    transfersSent,
    feesPaid,
  }));
}

function fromFinal(plan: WorkloadPlan, final: readonly WorkloadTransfer[]): Recomputation {
  const name = (index: number): string => plan.accounts[index]?.name ?? '';
  const opening = plan.accounts.map((account) => [account.name, account.genesis] as const);
  const transfers = final.map(({ from, to, amount }) => [name(from), name(to), amount] as const);
  return recomputeFromTransfers(opening, transfers, plan.fee);
}

/** Reads every account's finalized balance from one node; in the order of `accounts`. */
export async function readBalances(client: CairnClient, accounts: readonly ExpectedAccount[]): Promise<bigint[]> {
  const balances: bigint[] = [];
  for (let start = 0; start < accounts.length; start += QUERY_ITEMS_MAX) {
    const addresses = accounts.slice(start, start + QUERY_ITEMS_MAX).map((account) => account.address);
    balances.push(...(await client.balances(addresses, { commitment: 'finalized' })));
  }
  return balances;
}

/** Compares what a node said with what must be. */
export function compareBalances(
  node: string,
  accounts: readonly ExpectedAccount[],
  found: readonly bigint[],
): BalanceComparison {
  const differing = accounts.flatMap((account, index) => (found[index] === account.final ? [] : [{ account, index }]));
  const examples = differing.slice(0, EXAMPLES_MAX).map(({ account, index }) => ({
    account: account.name,
    expected: account.final.toString(),
    found: String(found[index] ?? 'nothing'),
  }));
  return { node, checked: accounts.length, mismatched: differing.length, examples };
}

/** Writes balances as CSV, with `final` as read from a node. */
export async function writeBalances(
  file: string,
  isEthereum: boolean,
  accounts: readonly ExpectedAccount[],
  found: readonly bigint[],
): Promise<void> {
  const rows = accounts.map((account, index) => {
    const { address, genesis, transfersSent, feesPaid } = account;
    return [isEthereum ? account.name : '', address, genesis, found[index] ?? '', transfersSent, feesPaid].join(',');
  });
  await writeFile(file, `${['ethereumAddress,address,genesis,final,transfersSent,feesPaid', ...rows].join('\n')}\n`);
}

/**
 * State roots of all nodes at one and the same final height. Blocks go on being final meanwhile, so nodes are asked until their answers meet.
 * @returns the readings of the largest group that met, once all are in it or time is up
 */
export async function rootsAtOneHeight(nodes: ReadonlyMap<string, CairnClient>): Promise<RootReading[]> {
  const byHeight = new Map<number, Map<string, RootReading>>();
  const deadline = performance.now() + SAME_HEIGHT_TIMEOUT_MS;
  let best: RootReading[] = [];
  while (best.length < nodes.size && performance.now() < deadline) {
    for (const reading of await readRoots(nodes)) {
      const group = byHeight.get(reading.height) ?? new Map<string, RootReading>();
      byHeight.set(reading.height, group.set(reading.node, reading));
      if (group.size > best.length) best = [...group.values()];
    }
    await sleep(ROOT_POLL_MS);
  }
  return best;
}

async function readRoots(nodes: ReadonlyMap<string, CairnClient>): Promise<RootReading[]> {
  const readings = await Promise.all(
    [...nodes].map(async ([node, client]) => {
      const status = await client.status().catch(() => null);
      return status === null ? [] : [{ node, height: status.finalized.height, stateRoot: status.finalized.stateRoot }];
    }),
  );
  return readings.flat();
}

/** What each node counts as the whole supply. */
export async function readSupply(nodes: ReadonlyMap<string, CairnClient>): Promise<SupplyReading[]> {
  return Promise.all([...nodes].map(async ([node, client]) => ({ node, total: (await client.supply()).total })));
}
