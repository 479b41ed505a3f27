/**
 * How far a leader may run ahead of finality. Memory on every node depends on it, and so does getting out of a stall.
 *
 * At `unfinalizedBlocksMax` blocks above the root production slows down to one block an epoch, in a slot of the next one: as many as the rules for
 * absent members need to see epochs pass. The next slot is used when one more block is what finality needs: the
 * tip is justified (its child makes it final). When some voter is bound to a slot as high on another branch, it could
 * vote only for a block above that: then it is the first slot above, or of the next epoch if that comes sooner. Slot after slot up to there would
 * use up all the room below on blocks that nobody bound can vote for. From twice the bound on all of it gets ever
 * slower (the pause doubles every `SLOWING_BLOCKS`): the tree grows with the logarithm of the time, but never stops for good.
 */
import { indexOf } from './electorate.ts';
import type { ConsensusState, TreeNode } from './state.ts';

/** Blocks past twice the bound after which the pause between two doubles. */
const SLOWING_BLOCKS = 16;

export interface Room {
  /** Local time from which a block may be produced; in the past: now. */
  readonly opensAtMs: number;
  /** The lowest slot it may stand in. */
  readonly fromSlot: number;
}

/** Where there is room for a block on `tip`. */
export function roomOn(state: ConsensusState, tip: TreeNode): Room {
  const { unfinalizedBlocksMax, slotDurationMs, slotsPerEpoch } = state.rules.parameters;
  const excess = tip.header.height - state.root.header.height - unfinalizedBlocksMax;
  const { slot } = tip.header;
  const nextEpoch = (from: number): number => (Math.floor(from / slotsPerEpoch) + 1) * slotsPerEpoch;
  const fromSlot = excess < 0 || tip.justified ? slot + 1 : Math.min(boundElsewhere(state, tip) + 1, nextEpoch(slot));
  if (excess < unfinalizedBlocksMax) return { opensAtMs: Number.NEGATIVE_INFINITY, fromSlot };
  const doublings = 1 + Math.floor((excess - unfinalizedBlocksMax) / SLOWING_BLOCKS);
  return { opensAtMs: state.bestSinceMs + slotDurationMs * 2 ** doublings, fromSlot };
}

/** Whether the block on `tip` can wait: finality is far behind, and would not come of it. */
export function isStalledAt(state: ConsensusState, tip: TreeNode): boolean {
  return (
    tip.header.height - state.root.header.height >= state.rules.parameters.unfinalizedBlocksMax && !isNeeded(state, tip)
  );
}

function isNeeded(state: ConsensusState, tip: TreeNode): boolean {
  return tip.justified || Number.isFinite(boundElsewhere(state, tip));
}

/** The highest slot, the tip's or above, that an active member after the tip, not known to cheat, has voted for, but not for the tip; infinity when there is none. */
function boundElsewhere(state: ConsensusState, tip: TreeNode): number {
  const { members } = tip.electorate!;
  let highest = Number.NEGATIVE_INFINITY;
  for (const [key, rank] of indexOf({ members }).rankByKey) {
    const voter = state.voters.get(key);
    if (voter === undefined || voter.latest === null || voter.equivocated || members[rank]!.excluded) continue;
    const { targetSlot } = voter.latest;
    if (targetSlot >= tip.header.slot && !tip.votes.has(key)) highest = Math.max(highest, targetSlot);
  }
  return highest > Number.NEGATIVE_INFINITY ? highest : Number.POSITIVE_INFINITY;
}
