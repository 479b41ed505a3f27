/** Checks of a final block that need nothing but its bytes and its parent's header, made with the real kernels: nobody's word is taken. */
import type { Kernels } from '../../native/index.ts';
import type { Block, BlockHeader } from '../../src/codec/index.ts';
import { blockBodyFault } from '../../src/node/chain/block-body.ts';
import { prepareBlockPoh, verifyPohBatch } from '../../src/poh/index.ts';
import type { ChainSetup } from './chain-setup.ts';

/** What is wrong with a block on its parent, or null. */
export function checkFinalBlock(kernels: Kernels, chain: ChainSetup, parent: BlockHeader, block: Block): string | null {
  const { header } = block;
  if (header.height !== parent.height + 1 || header.slot <= parent.slot) return 'it does not follow its parent';
  const fault = blockBodyFault(kernels, block);
  if (fault !== null) return fault;
  const { hashesPerTick, ticksPerSlot } = chain.genesis.poh;
  const { slot, hash: blockHash, pohHash } = parent;
  const prepared = prepareBlockPoh(kernels, { hashesPerTick, ticksPerSlot }, { slot, blockHash, pohHash }, block);
  if ('fault' in prepared) return `its entries: ${prepared.fault}`;
  return verifyPohBatch(kernels, prepared.batch) < 0 ? null : 'its PoH';
}
