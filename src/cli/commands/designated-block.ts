/** The blocks whose PoH hashes a period and a rotation are named by, from a stopped node's own history. */
import type { Kernels } from '../../../native/index.ts';
import type { DesignatedBlock } from '../../../replicator/index.ts';
import type { HistoryStore } from '../../../storage/index.ts';
import { decodeBlock } from '../../codec/index.ts';
import type { Genesis } from '../../ledger/index.ts';
import { unusable } from '../failure.ts';
import { genesisBlockHeader } from './chain-start.ts';

/** The final block with the greatest slot up to `slotMax`: binary search, as slots ascend with heights. */
export async function designatedBlock(
  kernels: Kernels,
  genesis: Genesis,
  history: HistoryStore,
  slotMax: number,
): Promise<DesignatedBlock> {
  const slotOf = (height: number): number => history.block(height)?.slot ?? 0;
  const tip = history.tip?.height ?? 0;
  if (slotOf(tip) < slotMax) throw unusable(`this history ends before slot ${slotMax}, which the proof refers to`);
  let [low, high] = [history.startHeight - 1, tip];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (slotOf(middle) <= slotMax) low = middle;
    else high = middle - 1;
  }
  if (low === 0) return pointOf(genesisBlockHeader(kernels, genesis));
  const bytes = low < history.startHeight ? undefined : await history.readBlock(low);
  if (bytes === undefined) throw unusable(`block ${low}, which the proof refers to, is not in this history`);
  return pointOf(decodeBlock(kernels, bytes).header);
}

function pointOf(header: {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly pohHash: Uint8Array;
}): DesignatedBlock {
  return { height: header.height, blockHash: header.hash, pohHash: header.pohHash };
}
