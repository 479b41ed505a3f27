/**
 * A fork from far below what is final: a validator with its old key makes another history from genesis on, longer than the real one, and shows it to everybody.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import { genesisBatch, genesisHeader, genesisOps, Overlay, RecentWindow } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { genesisRoot } from '../../src/node/chain/open-root.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { emptyCommitment, HistoryCursor, type StateReader } from '../../storage/index.ts';
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
    this.#blocks = [genesisBlock(chain, tools)];
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

function genesisBlock(chain: ChainSetup, { kernels, idSecret }: ForgeTools): ChainBlock {
  const { genesis, rules } = chain;
  const overlay = new Overlay(genesisState(kernels, chain));
  overlay.settle();
  return {
    header: genesisHeader(kernels, genesis, genesisRoot(genesis, kernels)),
    block: null,
    state: overlay,
    overlay: null,
    recent: RecentWindow.genesis(rules, rules.chainId as Hash, idSecret),
    cursor: HistoryCursor.start(kernels, genesis.history),
    commitment: emptyCommitment(kernels, rules.chainId).next(genesisBatch(kernels, genesis)),
    batch: null,
    evictions: null,
    transactionsTotal: 0,
  };
}

function genesisState(kernels: Kernels, { genesis }: ChainSetup): StateReader {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const balances = new Map<string, bigint>();
  const records = new Map<string, readonly [Uint8Array, Uint8Array]>();
  for (const op of genesisOps(kernels, genesis))
    if (op.kind === 'putAccount') balances.set(hex(op.address), op.balance);
    else if (op.kind === 'putRecord') records.set(hex(op.key), [op.key, op.value]);
  return {
    balance: (address) => balances.get(hex(address)) ?? 0n,
    record: (key) => records.get(hex(key))?.[1],
    records: (prefix) => [...records].filter(([key]) => key.startsWith(hex(prefix))).map(([, row]) => row),
  };
}
