/**
 * How far a leader may run ahead of finality. Memory on every node depends on it, and so does getting out of a stall.
 *
 * At `unfinalizedBlocksMax` blocks above the root production slows down to one block an epoch, in a slot of the next one: as many as the rules for
 * absent members need to see epochs pass. It goes on at the usual pace when one more block is what finality needs: the
 * tip is justified (its child makes it final), or some voter is bound to a slot as high on another branch, so that it could
 * vote only for a higher block. From twice the bound on all of it gets ever
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
  const fromSlot =
    excess < 0 || isNeeded(state, tip) ? slot + 1 : (Math.floor(slot / slotsPerEpoch) + 1) * slotsPerEpoch;
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
  return tip.justified || isSomeoneBoundElsewhere(state, tip);
}

/** Whether an active member after the tip, not known to cheat, has voted for a slot as high as the tip's, but not for the tip. */
function isSomeoneBoundElsewhere(state: ConsensusState, tip: TreeNode): boolean {
  const { members } = tip.electorate!;
  for (const [key, rank] of indexOf({ members }).rankByKey) {
    const voter = state.voters.get(key);
    if (voter === undefined || voter.latest === null || voter.equivocated || members[rank]!.excluded) continue;
    if (voter.latest.targetSlot >= tip.header.slot && !tip.votes.has(key)) return true;
  }
  return false;
}
