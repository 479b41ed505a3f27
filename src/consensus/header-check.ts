/**
 * What a header must satisfy by itself and on its parent, before anything is executed. All of it is objective: who forwards a
 * header that fails has not checked it. (Hash, signature, entries, PoH and state are checked outside, by the node.)
 */
import { sameBytes } from '../../native/index.ts';
import type { BlockHeader } from '../codec/model.ts';
import type { Electorate } from './electorate.ts';
import { gapSlotsMaxOf } from './limits.ts';
import type { PeerFaultCode } from './model.ts';
import type { Rules, TreeNode } from './state.ts';
import { leaderOf } from './succession.ts';

/** First fault of a header on its own, or null. */
export function headerFault(rules: Rules, header: BlockHeader): PeerFaultCode | null {
  const { parameters } = rules;
  if (!sameBytes(header.chainId, parameters.chainId)) return 'wrongChain';
  if (header.pohCount !== header.slot * parameters.hashesPerSlot) return 'wrongCount';
  return null;
}

/** First fault of a header on its parent, or null. What needs the parent's electorate is left out until that is known. */
export function linkFault(rules: Rules, header: BlockHeader, parent: TreeNode): PeerFaultCode | null {
  if (header.height !== parent.header.height + 1) return 'wrongHeight';
  if (header.slot <= parent.header.slot) return 'wrongSlot';
  return parent.electorate === null ? null : turnFault(rules, header, parent.header, parent.electorate);
}

/** First fault of a header by the electorate after its parent, or null. `header.slot` is above the parent's. */
export function turnFault(
  { parameters }: Rules,
  header: BlockHeader,
  parent: BlockHeader,
  electorate: Electorate,
): PeerFaultCode | null {
  const gapSlots = header.slot - parent.slot;
  if (gapSlots > gapSlotsMaxOf(parameters, electorate.members.length)) return 'gapTooLong';
  return sameBytes(header.leader, leaderOf(electorate, parent, header.slot, parameters)!) ? null : 'wrongLeader';
}
