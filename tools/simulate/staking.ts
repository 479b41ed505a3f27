/**
 * People who bond, leave and come for their units, by transactions handed to whatever node is up; and now and then too early, which no chain may take. Each does
 * next what the newest final block says it can, so a transaction that was lost is made again.
 */
import { amount } from '../../native/index.ts';
import { type Payload, signTransaction } from '../../src/codec/index.ts';
import type { ChainNode } from '../../src/node/chain-node.ts';
import type { ChainSetup } from './chain-setup.ts';
import type { ChainWatch } from './chain-watch.ts';
import type { Chance } from './chance.ts';
import type { SharedKernels } from './shared-kernels.ts';

/** Share of visits in which somebody who may not yet asks for its units. */
const EARLY_RATE = 0.2;
/** Members that stay: so few never leave that the others are no quorum. */
const STAYING_MIN = 4;
const BOND = amount(100n);

export class Staking {
  readonly #chain: ChainSetup;
  readonly #shared: SharedKernels;
  readonly #chance: Chance;
  readonly #watch: ChainWatch;
  #counter = 1n << 40n;

  constructor(chain: ChainSetup, shared: SharedKernels, chance: Chance, watch: ChainWatch) {
    this.#chain = chain;
    this.#shared = shared;
    this.#chance = chance;
    this.#watch = watch;
  }

  /** One of the validators or candidates does something. @param nodes those that are up */
  visit(nodes: readonly ChainNode[]): void {
    if (nodes.length === 0) return;
    const rank = this.#chance.below(this.#chain.validators.length);
    const payload = this.#nextOf(rank);
    if (payload === null) return;
    const node = this.#chance.pick(nodes);
    node.submissions.submit([this.#sign(node, rank, payload)]).catch(() => {});
  }

  #nextOf(rank: number): Payload | null {
    const bond = this.#watch.bondOf(rank);
    if (bond === undefined) return { kind: 'bond', amount: BOND };
    if (this.#chance.hits(EARLY_RATE) || bond.leftEpoch !== null) return { kind: 'withdraw' };
    const staying = this.#watch.state.bonds.filter(({ isLeaving, isSlashed }) => !isLeaving && !isSlashed);
    return bond.isLeaving || staying.length <= STAYING_MIN ? null : { kind: 'unbond' };
  }

  #sign(node: ChainNode, rank: number, payload: Payload): Uint8Array {
    const { pohHash, pohCount } = node.tree.root.header;
    this.#counter += 1n;
    const draft = {
      lastValidHash: pohHash.slice(0, 20),
      lastValidCount: pohCount,
      payload,
      counter: this.#counter,
      fee: amount(1n),
    };
    return Uint8Array.from(signTransaction(this.#shared.kernels, draft, this.#chain.validators[rank]!).bytes);
  }
}
