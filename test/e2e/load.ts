/**
 * Load on a test network: the devnet's own driver and failing-over port, and a memory of everything the network has reported final.
 *
 * Invariant: `reported` only grows; what a node ever called final must be final on every node from then on.
 */
import { loadKernels } from '../../native/index.ts';
import { ClusterPort } from '../../tools/devnet/cluster-port.ts';
import { compareBalances, expectedAccounts, readBalances } from '../../tools/devnet/settle.ts';
import { Driver, type FinalBlock } from '../../tools/workload/driver.ts';
import { allFinal, type Cluster } from './cluster.ts';

/** Ids asked about in one call. */
const STATUS_BATCH = 500;

/** A block as a client was told of it. */
export interface ReportedBlock extends FinalBlock {
  readonly hash: string;
}

export class Load {
  /** By height. */
  readonly reported: Map<number, ReportedBlock> = new Map();
  readonly driver: Driver;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, ratePerSecond: number) {
    this.#cluster = cluster;
    const port = new ClusterPort(cluster.folders.validators.map((node) => cluster.client(node)));
    const follow = async (after: number, timeoutMs: number): Promise<readonly FinalBlock[]> => {
      const blocks = (await port.waitFinalized(after, timeoutMs)) as readonly ReportedBlock[];
      for (const block of blocks) this.reported.set(block.height, block);
      return blocks;
    };
    const { keys, plan } = cluster;
    this.driver = new Driver({
      plan,
      port: {
        latestReference: () => port.latestReference(),
        submit: (packets) => port.submit(packets),
        waitFinalized: follow,
      },
      sign: keys.signer(loadKernels(), plan.fee),
      ratePerSecond,
    });
    this.driver.start(0);
  }

  /** Transfers of this load that are final so far. */
  get finalCount(): number {
    return this.driver.final.length;
  }

  /** Greatest height reported final. */
  get height(): number {
    return Math.max(0, ...this.reported.keys());
  }

  /**
   * Everything ever reported final that some node now tells otherwise, as sentences; empty when nothing was lost. Waits first until all nodes
   * have come as far as the report.
   */
  async lost(): Promise<string[]> {
    const blocks = [...this.reported.values()];
    const nodes = this.#cluster.chainNodes;
    await allFinal(this.#cluster, nodes, Math.max(...blocks.map(({ height }) => height)));
    const losses = await Promise.all(nodes.map((node) => this.#lostOn(node, blocks)));
    return losses.flat();
  }

  async #lostOn(node: Parameters<Cluster['client']>[0], blocks: readonly ReportedBlock[]): Promise<string[]> {
    const client = this.#cluster.client(node);
    const losses: string[] = [];
    for (const { height, hash } of blocks) {
      const { blockhash } = await client.block({ height }, 'none');
      if (blockhash !== hash) losses.push(`${node.name}: block ${height} is ${blockhash}, was reported as ${hash}`);
    }
    const placed = blocks.flatMap(({ height, ids }) => ids.map((id) => ({ id, height })));
    for (let start = 0; start < placed.length; start += STATUS_BATCH) {
      const batch = placed.slice(start, start + STATUS_BATCH);
      const statuses = await client.statuses(batch.map(({ id }) => id));
      for (const [at, status] of statuses.entries())
        if (status?.state !== 'finalized' || status.height !== batch[at]?.height)
          losses.push(`${node.name}: ${batch[at]?.id} is ${JSON.stringify(status)}, was final at ${batch[at]?.height}`);
    }
    return losses;
  }

  /** Waits until everything submitted is final, then tells what is wrong: refusals, open transfers, balances that are not the recomputed ones. */
  async settle(): Promise<string[]> {
    const open = await this.driver.drain(30_000);
    const problems = open === 0 ? [] : [`${open} transfers are still open`];
    problems.push(...this.driver.submissions.refused.map(({ code, message }) => `refused: ${code}: ${message}`));
    await allFinal(this.#cluster, this.#cluster.chainNodes, this.height);
    const { plan, keys } = this.#cluster;
    const accounts = await expectedAccounts(plan, keys, null, this.driver.final);
    for (const node of this.#cluster.chainNodes) {
      const found = await readBalances(this.#cluster.client(node), accounts);
      const { mismatched, examples } = compareBalances(node.name, accounts, found);
      if (mismatched > 0) problems.push(`${node.name}: ${mismatched} balances differ: ${JSON.stringify(examples[0])}`);
    }
    return problems;
  }

  close(): Promise<void> {
    return this.driver.close();
  }
}
