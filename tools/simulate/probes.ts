/**
 * Transfers of one sender, handed to one honest node each, and when they became final: how long somebody can be kept out of the chain. Counted in slots of
 * PoH time, from the best block of the node that took it to the block that holds it.
 */
import { amount, byteKey } from '../../native/index.ts';
import { type Block, blockTransactions, signTransaction } from '../../src/codec/index.ts';
import type { ChainNode } from '../../src/node/chain-node.ts';
import type { ChainSetup } from './chain-setup.ts';
import type { Chance } from './chance.ts';
import type { SharedKernels } from './shared-kernels.ts';

export class Probes {
  readonly #chain: ChainSetup;
  readonly #shared: SharedKernels;
  readonly #chance: Chance;
  /** Slot of the best block when each was handed over, while it is not final. */
  readonly #open = new Map<string, number>();
  #counter = 1n << 50n;
  /** Slots the slowest took; and how many became final. */
  slowestSlots = 0;
  finalCount = 0;

  constructor(chain: ChainSetup, shared: SharedKernels, chance: Chance) {
    this.#chain = chain;
    this.#shared = shared;
    this.#chance = chance;
  }

  /** One transfer to one of these nodes: honest ones that are up. */
  send(nodes: readonly ChainNode[]): void {
    if (nodes.length === 0) return;
    const node = this.#chance.pick(nodes);
    const { people } = this.#chain;
    const { pohHash, pohCount } = node.tree.root.header;
    this.#counter += 1n;
    const draft = {
      lastValidHash: pohHash.slice(0, 20),
      lastValidCount: pohCount,
      payload: { kind: 'transfer' as const, to: people[1]!.address, amount: amount(1n) },
      counter: this.#counter,
      fee: amount(1n),
    };
    const { id, bytes } = signTransaction(this.#shared.kernels, draft, people[0]!);
    this.#open.set(byteKey(id), node.tree.best.header.slot);
    node.submissions.submit([Uint8Array.from(bytes)]).catch(() => {});
  }

  /** A block has become final. */
  final({ header, entries }: Block): void {
    for (const { id } of blockTransactions(entries)) {
      const sent = this.#open.get(byteKey(id));
      if (sent === undefined) continue;
      this.#open.delete(byteKey(id));
      this.finalCount += 1;
      this.slowestSlots = Math.max(this.slowestSlots, header.slot - sent);
    }
  }

  /** The longest that one has waited that is not final, at a slot. */
  waitingSlots(slot: number): number {
    return [...this.#open.values()].reduce((most, sent) => Math.max(most, slot - sent), 0);
  }
}
