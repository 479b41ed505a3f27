/** Blocks for peers that follow the chain: unfinalized ones from the tree, final ones from the history, each with the votes kept for it. */
import { hash as toHash } from '../../../native/index.ts';
import type { BlockTree } from '../chain/block-tree.ts';
import type { ChainStore } from '../chain/chain-store.ts';
import type { ServedBlock } from '../relay/block-source.ts';

/** A block this node has verified, by hash. */
export async function servedByHash(
  store: ChainStore,
  tree: BlockTree,
  hash: Uint8Array,
): Promise<ServedBlock | undefined> {
  const block = tree.verified(toHash(hash))?.block;
  if (block != null) return { bytes: block.bytes, votes: store.certificateVotes(hash) };
  const height = await store.heightOfHash(hash);
  const bytes = height === undefined ? undefined : await store.finalBlock(height);
  return bytes === undefined ? undefined : { bytes, votes: store.certificateVotes(hash) };
}

/** The best chain's block at a height. */
export async function servedByHeight(
  store: ChainStore,
  tree: BlockTree,
  height: number,
): Promise<ServedBlock | undefined> {
  const recent = tree.onBestBranch(height);
  if (recent?.block != null) return { bytes: recent.block.bytes, votes: store.certificateVotes(recent.header.hash) };
  const bytes = await store.finalBlock(height);
  const hash = bytes === undefined ? undefined : await store.hashOfHeight(height);
  return bytes === undefined || hash === undefined ? undefined : { bytes, votes: store.certificateVotes(hash) };
}
