/** Where a chain starts: the genesis block's header, worked out from genesis.json alone, and what a verifier carries from block to block. */
import type { Kernels } from '../../../native/index.ts';
import { emptyCommitment } from '../../../storage/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { type Genesis, genesisBatch, genesisHeader } from '../../ledger/index.ts';
import type { StretchStart } from '../../poh/index.ts';

/** Header of block 0. */
export function genesisBlockHeader(kernels: Kernels, genesis: Genesis): BlockHeader {
  return genesisHeader(kernels, genesis, emptyCommitment(kernels).next(genesisBatch(kernels, genesis)).root);
}

/** What the next block must build on. */
export function startAfter(header: BlockHeader): StretchStart {
  return { slot: header.slot, blockHash: header.hash, pohHash: header.pohHash };
}
