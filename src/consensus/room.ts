/**
 * How far a leader may run ahead of finality. Memory on every node depends on it, and so does getting out of a stall.
 *
 * At `unfinalizedBlocksMax` blocks above the root production stops, unless one more block is what finality needs: the
 * tip is justified (its child makes it final), or some voter is bound to a slot as high on another branch, so that it could
 * vote only for a higher block. In that case blocks go on at the usual pace up to twice the bound, then ever
 * slower (the pause doubles every `SLOWING_BLOCKS`): the tree grows with the logarithm of the time, but never stops for good.
 */
import type { ConsensusState, TreeNode } from './state.ts';

/** Blocks past twice the bound after which the pause between two doubles. */
const SLOWING_BLOCKS = 16;

/** From when on a block may be produced on `tip`: in the past when there is room, infinity while it would serve nothing. */
export function roomOpensAtMs(state: ConsensusState, tip: TreeNode): number {
  const { unfinalizedBlocksMax, slotDurationMs } = state.rules.parameters;
  const excess = tip.header.height - state.root.header.height - unfinalizedBlocksMax;
  if (excess < 0) return Number.NEGATIVE_INFINITY;
  if (!tip.justified && !isSomeoneBoundElsewhere(state, tip)) return Number.POSITIVE_INFINITY;
  if (excess < unfinalizedBlocksMax) return Number.NEGATIVE_INFINITY;
  const doublings = 1 + Math.floor((excess - unfinalizedBlocksMax) / SLOWING_BLOCKS);
  return state.bestSinceMs + slotDurationMs * 2 ** doublings;
}

/** Whether a voter not known to cheat has voted for a slot as high as the tip's, but not for the tip. */
function isSomeoneBoundElsewhere(state: ConsensusState, tip: TreeNode): boolean {
  return state.voters.some(
    ({ latest, equivocated, rank }) =>
      latest !== null && !equivocated && latest.targetSlot >= tip.header.slot && !tip.votes.has(rank),
  );
}
