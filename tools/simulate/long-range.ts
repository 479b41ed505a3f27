/**
 * A fork from far below what is final: a validator with its old key makes another history from genesis on, longer than the real one, and shows it to everybody.
 */
import { genesisOps } from '../../src/ledger/index.ts';
import { MemoryState } from '../../src/node/audit/memory-state.ts';
import { genesisBlock } from '../../src/node/audit/replay.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import type { ChainSetup } from './chain-setup.ts';
import type { Chance } from './chance.ts';
import { emptyBlock, type ForgeTools } from './forge.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** Blocks it is made of, at most, and those shown at a time. */
const BLOCKS_MAX = 400;
const SHOWN = 8;
const TIMEOUT_SLOTS = 4;

export class LongRangeFork {
  readonly #tools: ForgeTools;
  readonly #firstSlot: number;
  readonly #blocks: ChainBlock[];

  constructor(chain: ChainSetup, tools: ForgeTools) {
    this.#tools = tools;
    const rank = chain.validators.findIndex(({ publicKey }) => Buffer.compare(publicKey, tools.key.publicKey) === 0);
    // Its own turn after genesis: as if those before it had been silent.
    this.#firstSlot = rank * TIMEOUT_SLOTS + 1;
    const state = new MemoryState().apply(genesisOps(tools.kernels, chain.genesis));
    this.#blocks = [genesisBlock(tools.kernels, chain.genesis, chain.rules, state)];
  }

  /** Shows some of the fork's blocks, up to `height`, to every peer. */
  push({ node, transport }: SimulatedNode, height: number, chance: Chance): void {
    const top = Math.min(BLOCKS_MAX, height);
    while (this.#blocks.length <= top) {
      const slot = this.#firstSlot + this.#blocks.length - 1;
      this.#blocks.push(emptyBlock(this.#tools, this.#blocks.at(-1)!, slot));
    }
    const from = chance.hits(0.5) ? Math.max(1, top - SHOWN + 1) : 1 + chance.below(Math.max(1, top - SHOWN));
    for (const { block } of this.#blocks.slice(from, from + SHOWN))
      for (const peer of transport?.peers() ?? []) void show(node!.transport, peer, block!.bytes);
  }
}

async function show(transport: ChainTransport, peer: string, bytes: Uint8Array): Promise<void> {
  try {
    const options = { idleTimeoutMs: 5_000, responseSizeBytesMax: 0 };
    for await (const _ of transport.request(peer, PROTOCOL.blocks, bytes, options));
  } catch {
    // Refused, or banned by now.
  }
}

type ChainTransport = NonNullable<SimulatedNode['node']>['transport'];
