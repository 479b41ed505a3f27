/**
 * The voter's duty: which block to vote for now, if any.
 *
 * Let J be the highest justified block (where the fork choice starts), and the path the blocks above J up to the best one.
 *
 * 1. If J's child on the path stands in the slot right after J and may still be voted for: vote for it. Such a vote, with J as
 *    source, is what makes J final. On a fast network this is every vote: each block is justified before the next comes.
 * 2. Else, if the last vote was for a meeting block on the path that is not justified yet: wait for it, but not longer than
 *    `patience`. On a slow network this wait is what lets rule 1 apply at all: whoever votes on at once always
 *    uses an old source, and nothing becomes final.
 * 3. Else vote for the roundest block on the path above the last vote, if it is a meeting block, else for the best.
 *
 * Meeting blocks are those that cover a slot divisible by `stride`; the roundest is the one covering the slot with the most
 * trailing zero bits. The stride (a power of two) and the patience grow with the distance to finality, so that voters with
 * different views come to wait for the same block long enough, whatever the delays are. Only the best branch is voted for, so a
 * block whose verification ends after a better one came gets no vote; and only blocks whose judge knows this node's key. An excluded
 * member votes too: that is how the chain sees it back.
 */
import type { PublicKey, Slot } from '../../native/index.ts';
import { byteKey, ZERO_HASH } from '../../native/index.ts';
import { rankOf } from './electorate.ts';
import type { VoteIntent } from './model.ts';
import { bindIntent, keepsLocalRule } from './own-vote.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { emit, wakeBy } from './state.ts';
import { isProperAncestor, pathAbove } from './tree.ts';

/** Distance to finality, in slots, up to which every block is a meeting block. */
const CALM_SLOTS = 8;
/** Patience in strides. */
const PATIENCE_STRIDES = 2;

/** Casts a vote if one is due and none is being signed. */
export function voteIfDue(state: ConsensusState): void {
  const { own } = state.rules;
  const { voting } = state;
  if (own === null || voting.silence !== null || voting.inFlight !== null) return;
  if (!mayEnterTheVote(state)) return;
  const target = chooseTarget(state, own);
  if (target === null) return;
  const intent = intentFor(state, own, target);
  bindIntent(voting, intent, state.nowMs);
  emit(state, { kind: 'castVote', vote: intent });
}

/** Nothing above the highest justified block, or nothing the local rule allows: no use in choosing. */
function mayEnterTheVote(state: ConsensusState): boolean {
  const { best, justifiedTip, voting } = state;
  return best !== justifiedTip && keepsLocalRule(voting, best.header.slot, justifiedTip.header.slot);
}

function chooseTarget(state: ConsensusState, own: PublicKey): TreeNode | null {
  const { voting, justifiedTip } = state;
  const path = pathAbove(justifiedTip, state.best).filter(({ judge }) => rankOf(judge!, own) !== undefined);
  const lastSlot = voting.lastTargetSlot;
  const first = path[0];
  if (first === undefined) return null;
  if (first.header.slot === justifiedTip.header.slot + 1 && first.header.slot > lastSlot) return first;
  const stride = strideOf(state);
  const last = path.find((node) => node.header.slot === lastSlot && isLastTarget(state, node));
  if (last !== undefined && roundness(last) >= stride) {
    const patientUntilMs = voting.lastVoteMs + PATIENCE_STRIDES * stride * state.rules.parameters.slotDurationMs;
    if (state.nowMs < patientUntilMs) {
      wakeBy(state, patientUntilMs);
      return null;
    }
  }
  const open = path.filter((node) => node.header.slot > lastSlot);
  if (open.length === 0) return null;
  const roundest = open.reduce((a, b) => (roundness(b) > roundness(a) ? b : a));
  return roundness(roundest) >= stride ? roundest : open[open.length - 1]!;
}

function isLastTarget(state: ConsensusState, node: TreeNode): boolean {
  const { lastTargetHash } = state.voting;
  return lastTargetHash !== null && byteKey(lastTargetHash) === node.key;
}

/** A power of two: 1 near finality, then about an eighth of the distance. */
function strideOf(state: ConsensusState): number {
  const distance = state.best.header.slot - state.root.header.slot;
  return 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, distance / CALM_SLOTS))));
}

/** The greatest power of two dividing a slot the block covers: those above its parent's, up to its own. */
export function roundness(node: TreeNode): number {
  const slot = node.header.slot;
  const below = node.parent === null ? slot - 1 : node.parent.header.slot;
  let power = 1;
  while (Math.floor(slot / (power * 2)) > Math.floor(below / (power * 2))) power *= 2;
  return power;
}

function intentFor(state: ConsensusState, own: PublicKey, target: TreeNode): VoteIntent {
  const source = state.justifiedTip.header;
  const { header } = target;
  const left = abandoned(state, target);
  return {
    sourceSlot: source.slot,
    sourceHash: source.hash,
    targetSlot: header.slot,
    targetHash: header.hash,
    pohCount: header.pohCount,
    stateRoot: header.stateRoot,
    leavesSlot: left.slot,
    leavesHash: left.hash,
    voter: own,
  };
}

/** The last vote, when it is not on the branch of the new target (or can no longer be shown to be). */
function abandoned(state: ConsensusState, target: TreeNode): Pick<TreeNode['header'], 'slot' | 'hash'> {
  const none = { slot: 0 as Slot, hash: ZERO_HASH };
  const { lastTargetHash, lastTargetSlot } = state.voting;
  if (lastTargetHash === null) return none;
  const key = byteKey(lastTargetHash);
  const last = state.nodes.get(key);
  const stays = last === undefined ? state.trail.has(key) : isProperAncestor(last, target);
  return stays ? none : { slot: lastTargetSlot as Slot, hash: lastTargetHash };
}
