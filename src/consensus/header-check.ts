/**
 * What a header must satisfy by itself and on its parent, before anything is executed. All of it is objective: who forwards a
 * header that fails has not checked it. (Hash, signature, entries, PoH and state are checked outside, by the node.)
 */
import { byteKey, sameBytes } from '../../native/index.ts';
import type { BlockHeader } from '../codec/model.ts';
import type { PeerFaultCode } from './model.ts';
import { leaderRank } from './ranking.ts';
import type { Rules, TreeNode } from './state.ts';

/** First fault of a header on its own, or null. */
export function headerFault(rules: Rules, header: BlockHeader): PeerFaultCode | null {
  const { parameters } = rules;
  if (!sameBytes(header.chainId, parameters.chainId)) return 'wrongChain';
  if (header.pohCount !== header.slot * parameters.hashesPerSlot) return 'wrongCount';
  if (!rules.rankByKey.has(byteKey(header.leader))) return 'unknownLeader';
  return null;
}

/** First fault of a header on its parent, or null. */
export function linkFault(rules: Rules, header: BlockHeader, parent: TreeNode): PeerFaultCode | null {
  const { parameters, limits, ranking } = rules;
  if (header.height !== parent.header.height + 1) return 'wrongHeight';
  if (header.slot <= parent.header.slot) return 'wrongSlot';
  if (header.slot - parent.header.slot > limits.gapSlotsMax) return 'gapTooLong';
  const rank = leaderRank(parent, header.slot, parameters.timeoutSlots, ranking.length);
  return rules.rankByKey.get(byteKey(header.leader)) === rank ? null : 'wrongLeader';
}
