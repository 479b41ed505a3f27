/** Where a chain starts: the genesis block's header, worked out from genesis.json alone, and what a verifier carries from block to block. */
import type { Kernels } from '../../../native/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { type Genesis, genesisHeader } from '../../ledger/index.ts';
import { genesisRoot } from '../../node/chain/open-root.ts';
import type { StretchStart } from '../../poh/index.ts';

/** Header of block 0. */
export function genesisBlockHeader(kernels: Kernels, genesis: Genesis): BlockHeader {
  return genesisHeader(kernels, genesis, genesisRoot(genesis, kernels));
}

/** What the next block must build on. */
export function startAfter(header: BlockHeader): StretchStart {
  return { slot: header.slot, blockHash: header.hash, pohHash: header.pohHash };
}
