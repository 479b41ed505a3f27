/**
 * Executes a chain again from genesis, in memory: the state after each block, from the blocks alone. Every state root is compared with its header's; PoH and signatures
 * are others' to check (`cairn verify poh`, `cairn verify history`).
 */
import type { Kernels } from '../../../native/index.ts';
import { emptyCommitment, HistoryCursor } from '../../../storage/index.ts';
import type { Block } from '../../codec/index.ts';
import {
  electorateAfter,
  type Genesis,
  genesisBatch,
  genesisHeader,
  genesisOps,
  type LedgerRules,
  ledgerRules,
  RecentWindow,
} from '../../ledger/index.ts';
import { type ChainBlock, settleBlock } from '../chain/chain-block.ts';
import { executeTrusted } from '../chain/check-block.ts';
import { finalState, genesisRoot } from '../chain/open-root.ts';
import { MemoryState } from './memory-state.ts';

/** Nobody else's transactions are looked up here: no secret is needed. */
const ID_SECRET: Uint32Array = Uint32Array.of(0, 0, 0, 0);

export class Replay {
  readonly rules: LedgerRules;
  readonly #kernels: Kernels;
  readonly #state = new MemoryState();
  #tip: ChainBlock;

  constructor(kernels: Kernels, genesis: Genesis) {
    this.#kernels = kernels;
    this.rules = ledgerRules(kernels, genesis);
    this.#state.apply(genesisOps(kernels, genesis));
    this.#tip = genesisBlock(kernels, genesis, this.rules, this.#state);
  }

  /** The block executed last; genesis at first. Its state is that after it until the next is executed. */
  get tip(): ChainBlock {
    return this.#tip;
  }

  /** Executes the next block. Throws `BlockRefused` when it does not follow from the one before. */
  apply(block: Block): ChainBlock {
    const deps = { kernels: this.#kernels, rules: this.rules, idSecret: ID_SECRET };
    const next = executeTrusted(deps, this.#tip, block);
    this.#state.apply(next.overlay!.ops());
    settleBlock(next);
    this.#tip = next;
    return next;
  }
}

/** Block 0 on a state that holds the genesis ops. */
export function genesisBlock(kernels: Kernels, genesis: Genesis, rules: LedgerRules, stored: MemoryState): ChainBlock {
  const state = finalState(stored);
  return {
    header: genesisHeader(kernels, genesis, genesisRoot(genesis, kernels)),
    block: null,
    state,
    overlay: null,
    recent: RecentWindow.genesis(rules, rules.chainId, ID_SECRET),
    cursor: HistoryCursor.start(kernels, genesis.history),
    commitment: emptyCommitment(kernels, rules.chainId).next(genesisBatch(kernels, genesis)),
    batch: null,
    evictions: null,
    electorate: electorateAfter(rules, state),
    reveals: [],
    transactionsTotal: 0,
  };
}
