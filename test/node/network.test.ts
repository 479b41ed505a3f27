import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { amount } from '../../native/index.ts';
import { blockTransactions, decodeBlock, signTransaction, type Transaction } from '../../src/codec/index.ts';
import { MemoryNetwork } from '../../src/net/memory-network.ts';
import { makeVoteFiles } from '../../src/node/chain/vote-files.ts';
import { ChainNode } from '../../src/node/chain-node.ts';
import { diskFiles } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { kernels, newWorld, SILENT } from './world.ts';

/** Slots of 100 ms and 200 steps: four generators fit on one core, and the machine may be busy. */
const world = newWorld({
  slotDurationMs: 100,
  hashesPerTick: 50,
  recencyWindowSlots: 200,
  segmentSizeBytes: 16_384,
  // Nobody leaves the sets for being slow: three of four that are left must stay a quorum.
  consensus: { unfinalizedBlocksMax: 1024, staleEpochsFast: 24, staleEpochsSlow: 28 },
});
const WAIT_MS = 40_000;

/** Four validators over one memory network. Threads, disks and clocks are real. */
class Network {
  readonly net: MemoryNetwork = new MemoryNetwork();
  readonly nodes: ChainNode[] = [];
  readonly fatal: Error[] = [];
  #directory = '';
  #counter = 0n;

  async start(): Promise<void> {
    this.#directory = await freshDirectory();
    for (let index = 0; index < 4; index += 1) {
      await makeVoteFiles(join(this.#directory, `node${index}`), { kernels, files: diskFiles() });
      this.nodes[index] = await this.open(index);
    }
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  open(index: number): Promise<ChainNode> {
    return ChainNode.open({
      role: 'validator',
      version: 'test',
      genesis: world.genesis,
      key: world.validators[index]!,
      dataDirectory: join(this.#directory, `node${index}`),
      bootstrap: [0, 1, 2, 3].filter((other) => other !== index).map((other) => this.net.addressOf(`node${other}`)),
      kernels,
      transport: this.net.transport(`node${index}`),
      log: SILENT,
      onFatal: (error) => this.fatal.push(error),
      rpcUrl: () => null,
    });
  }

  /** Transfers of 5 from each person to the next, handed to a node. */
  async pay(to: ChainNode, count: number): Promise<Transaction[]> {
    const { pohHash, pohCount } = to.api.latestBlockhash('finalized');
    const transactions = Array.from({ length: count }, (_, index) => {
      this.#counter += 1n;
      const draft = {
        lastValidHash: pohHash.slice(0, 20),
        lastValidCount: pohCount,
        payload: { kind: 'transfer' as const, to: world.people[(index + 1) % 4]!.address, amount: amount(5n) },
        counter: this.#counter,
        fee: amount(1n),
      };
      return signTransaction(kernels, draft, world.people[index % 4]!);
    });
    const answers = await to.api.submit(transactions.map(({ bytes }) => bytes));
    expect(answers.map(({ ok }) => ok)).toEqual(transactions.map(() => true));
    return transactions;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

const finalHeight = (node: ChainNode): number => node.tree.root.header.height;

async function until(what: string, isDone: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new TypeError(`not within ${WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilFinal(nodes: readonly ChainNode[], transactions: readonly Transaction[]): Promise<void> {
  await until('every transfer final on every node', async () => {
    for (const node of nodes) {
      const { statuses } = await node.api.transactionStatuses(transactions.map(({ id }) => id));
      if (statuses.some((status) => status?.state !== 'finalized')) return false;
    }
    return true;
  });
}

/** Equal blocks at equal heights, up to where all are. */
async function expectOneChain(nodes: readonly ChainNode[]): Promise<void> {
  const common = Math.min(...nodes.map(finalHeight));
  for (let height = 1; height <= common; height += 1) {
    const hashes = nodes.map((node) => Buffer.from(node.store.hashOfHeight(height)!).toString('hex'));
    expect(new Set(hashes).size).toBe(1);
  }
}

/** The leader that was stopped has handed its lead over in its last block, and another leads after it. */
async function expectHandOver({ store }: ChainNode, leader: Uint8Array): Promise<void> {
  const blocks = [];
  for (let height = store.stateHeight; height > 0; height -= 1)
    blocks.unshift(decodeBlock(kernels, (await store.finalBlock(height))!));
  const at = blocks.findIndex(({ header, entries }) => {
    const kinds = blockTransactions(entries).map(({ payload }) => payload.kind);
    return kinds.includes('handOver') && Buffer.compare(header.leader, leader) === 0;
  });
  expect(at).toBeGreaterThanOrEqual(0);
  const [last, next] = blocks.slice(at);
  expect(next!.header.parentHash).toEqual(last!.header.hash);
  expect(next!.header.leader).not.toEqual(leader);
}

describe('four validators in one process', () => {
  let network: Network;
  afterEach(() => network.stop());

  it('make transfers final; one that was away catches up; when the leader goes, another leads', async () => {
    network = new Network();
    await network.start();
    const { nodes } = network;
    await until('finality', () => nodes.every((node) => finalHeight(node) >= 2));
    const before = world.people.map(({ address }) => nodes[0]!.tree.root.state.balance(address));
    const first = (await Promise.all(nodes.map((node) => network.pay(node, 8)))).flat();
    await untilFinal(nodes, first);
    for (const node of nodes) {
      expect(world.people.map(({ address }) => node.tree.root.state.balance(address))).toEqual(
        before.map((one) => one - 8n),
      );
      const { total, deposits, rewardPool } = node.api.supply();
      expect([total, deposits, rewardPool]).toEqual([world.check.rules.supply, 0n, 32n]);
    }
    const leading = nodes.findIndex((node) => node.producer!.isLeading);
    expect(nodes.filter((node) => node.producer!.isLeading)).toHaveLength(1);

    // One that does not lead goes away, the others go on, it comes back.
    const away = (leading + 1) % 4;
    await nodes[away]!.stop();
    const stoppedAt = finalHeight(nodes[away]!);
    const others = nodes.filter((_, index) => index !== away);
    await untilFinal(others, await network.pay(nodes[leading]!, 6));
    nodes[away] = await network.open(away);
    expect(finalHeight(nodes[away]!)).toBeGreaterThanOrEqual(stoppedAt);
    await nodes[away]!.start();
    const goal = Math.max(...others.map(finalHeight)) + 2;
    await until('the one that was away has caught up', () => finalHeight(nodes[away]!) >= goal);

    // The leader goes.
    await nodes[leading]!.stop();
    const left = nodes.filter((_, index) => index !== leading);
    const height = Math.max(...left.map(finalHeight));
    const later = await network.pay(nodes[away]!, 6);
    await untilFinal(left, later);
    await until('finality goes on', () => left.every((node) => finalHeight(node) > height));
    expect(left.some((node) => node.producer!.producedCount > 0)).toBe(true);
    await expectHandOver(left[0]!, world.validators[leading]!.publicKey);
    await expectOneChain(left);
    nodes[leading] = await network.open(leading);
    expect(network.fatal).toEqual([]);
  }, 120_000);

  it('can be stopped at any moment: that is no failure, and nothing is written afterwards', async () => {
    network = new Network();
    await network.start();
    await until('finality', () => network.nodes.every((node) => finalHeight(node) >= 1));
    for (let times = 0; times < 4; times += 1) {
      const index = times % 4;
      await network.pay(network.nodes[index]!, 20);
      await new Promise((resolve) => setTimeout(resolve, 7 * times));
      await network.nodes[index]!.stop();
      network.nodes[index] = await network.open(index);
      await network.nodes[index]!.start();
    }
    expect(network.fatal).toEqual([]);
  }, 60_000);
});
