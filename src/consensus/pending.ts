/**
 * Blocks whose parent is not here yet: a bounded pool, with a share for each peer.
 * Over a bound blocks of leaders nobody here knows go first, and of them the highest: it is the last that could be used.
 */
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../codec/model.ts';
import type { PeerName } from './model.ts';
import type { ConsensusState, PendingBlock } from './state.ts';
import { emit } from './state.ts';
import { want, wantRange } from './wanted.ts';

/** Keeps an orphan and asks for what is missing below it. */
export function parkOrphan(
  state: ConsensusState,
  header: BlockHeader,
  from: PeerName | null,
  wasWanted: boolean,
): void {
  const isStranger = !state.voters.has(byteKey(header.leader));
  askBelow(state, park(state, header, from, isStranger), wasWanted);
}

/** Keeps a block whose leader is nobody this node knows, until its parent is verified and says who may lead. */
export function parkStranger(state: ConsensusState, header: BlockHeader, from: PeerName | null): void {
  park(state, header, from, true);
}

function park(state: ConsensusState, header: BlockHeader, from: PeerName | null, isStranger: boolean): PendingBlock {
  const block = { header, key: byteKey(header.hash), parentKey: byteKey(header.parentHash), from, isStranger };
  state.pending.set(block.key, block);
  const { pendingBlocksMax, pendingPerPeerMax } = state.rules.limits;
  const ofPeer = [...state.pending.values()].filter((other) => other.from === from);
  if (ofPeer.length > pendingPerPeerMax) dropHighest(state, ofPeer);
  if (state.pending.size > pendingBlocksMax) dropHighest(state, [...state.pending.values()]);
  return block;
}

/** Far above the tree: a stretch. Beside it: the parent; and when that is the second step down, the whole branch too. */
function askBelow(state: ConsensusState, block: PendingBlock, wasWanted: boolean): void {
  const { header, from } = block;
  if (header.height > state.topHeight + 1) {
    wantRange(state, header.height, from);
    return;
  }
  want(state, header.parentHash, from, 0);
  if (wasWanted) wantRange(state, header.height, from, state.root.header.height + 1);
}

function dropHighest(state: ConsensusState, blocks: readonly PendingBlock[]): void {
  const strangers = blocks.filter(({ isStranger }) => isStranger);
  const first = strangers.length > 0 ? strangers : blocks;
  const highest = first.reduce((a, b) => (b.header.height >= a.header.height ? b : a));
  state.pending.delete(highest.key);
  emit(state, { kind: 'prune', hashes: [highest.header.hash] });
}

/** Takes the orphans of `parentKey` out of the pool, in order of arrival. */
export function takeOrphans(state: ConsensusState, parentKey: string): PendingBlock[] {
  const found = [...state.pending.values()].filter((block) => block.parentKey === parentKey);
  for (const block of found) state.pending.delete(block.key);
  return found;
}
