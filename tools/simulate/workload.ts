/** Clients: transfers handed to nodes at random, some of them to several, some again later. What a node accepts it may lose; what is final it may not. */
import { amount } from '../../native/index.ts';
import { signTransaction, type Transaction } from '../../src/codec/index.ts';
import type { ChainNode } from '../../src/node/chain-node.ts';
import type { ChainSetup } from './chain-setup.ts';
import type { Chance } from './chance.ts';
import type { SharedKernels } from './shared-kernels.ts';

const TRANSFERS_MAX = 4;
/** Share of submissions that go to a second node too, and of those that are sent again later. */
const TWICE_RATE = 0.3;
const AGAIN_RATE = 0.2;
const OLD_KEPT = 32;

export class Workload {
  readonly #chain: ChainSetup;
  readonly #shared: SharedKernels;
  readonly #chance: Chance;
  readonly #old: Transaction[] = [];
  #counter = 0n;
  submitted = 0;

  constructor(chain: ChainSetup, shared: SharedKernels, chance: Chance) {
    this.#chain = chain;
    this.#shared = shared;
    this.#chance = chance;
  }

  /** One client's visit. @param nodes those that are up */
  submit(nodes: readonly ChainNode[]): void {
    if (nodes.length === 0) return;
    const node = this.#chance.pick(nodes);
    const count = 1 + this.#chance.below(TRANSFERS_MAX);
    const transactions = Array.from({ length: count }, () => this.#transfer(node));
    if (this.#old.length > 0 && this.#chance.hits(AGAIN_RATE)) transactions.push(this.#chance.pick(this.#old));
    const packets = transactions.map(({ bytes }) => Uint8Array.from(bytes));
    this.submitted += count;
    this.#hand(node, packets);
    if (this.#chance.hits(TWICE_RATE)) this.#hand(this.#chance.pick(nodes), packets);
    this.#old.push(...transactions);
    this.#old.splice(0, Math.max(0, this.#old.length - OLD_KEPT));
  }

  /** A node that dies meanwhile does not answer: that is what clients live with. */
  #hand(node: ChainNode, packets: readonly Uint8Array[]): void {
    node.submissions.submit(packets).catch(() => {});
  }

  #transfer(node: ChainNode): Transaction {
    const { people } = this.#chain;
    const from = this.#chance.below(people.length);
    const to = (from + 1 + this.#chance.below(people.length - 1)) % people.length;
    const { pohHash, pohCount } = node.tree.root.header;
    this.#counter += 1n;
    const draft = {
      lastValidHash: pohHash.slice(0, 20),
      lastValidCount: pohCount,
      payload: {
        kind: 'transfer' as const,
        to: people[to]!.address,
        amount: amount(BigInt(1 + this.#chance.below(9))),
      },
      counter: this.#counter,
      fee: amount(1n),
    };
    return signTransaction(this.#shared.kernels, draft, people[from]!);
  }
}
