/**
 * The local rule, and what binds this node as a voter: target slots strictly increase, source slots never decrease.
 *
 * Who keeps it can break neither slashing rule: a double vote needs two votes in one slot; to surround an older vote, the newer
 * one must have the lower source. And it never locks anyone: a later slot on any branch may always be voted for, once that
 * branch's source is as high as the last one used.
 */
import { byteKey, sameBytes } from '../../native/index.ts';
import type { Vote } from '../codec/model.ts';
import type { VoteIntent } from './model.ts';
import { ConsensusError } from './model.ts';
import type { ConsensusState, OwnVoting } from './state.ts';

/** The local rule. */
export function keepsLocalRule(
  last: { readonly lastTargetSlot: number; readonly lastSourceSlot: number },
  targetSlot: number,
  sourceSlot: number,
): boolean {
  return targetSlot > last.lastTargetSlot && sourceSlot >= last.lastSourceSlot;
}

/** A voter that never voted. */
export function freshVoting(): OwnVoting {
  return {
    votes: [],
    lastTargetSlot: 0,
    lastTargetHash: null,
    lastSourceSlot: 0,
    inFlight: null,
    lastVoteMs: Number.NEGATIVE_INFINITY,
    silence: null,
  };
}

/** Binds the voter from the moment it asks for the signature, so that nothing can be asked for beside it. */
export function bindIntent(voting: OwnVoting, intent: VoteIntent, nowMs: number): void {
  voting.lastTargetSlot = intent.targetSlot;
  voting.lastTargetHash = intent.targetHash;
  voting.lastSourceSlot = intent.sourceSlot;
  voting.inFlight = intent.targetHash;
  voting.lastVoteMs = nowMs;
}

/**
 * A signed vote of this node, from its disk, its signer, or the network (the vote file of a restored backup may be behind):
 * it binds from now on and is kept to be sent again.
 */
export function adoptOwnVote(state: ConsensusState, vote: Vote): void {
  const { voting } = state;
  if (voting.votes.some((other) => sameBytes(other.targetHash, vote.targetHash))) return;
  voting.votes.push(vote);
  voting.votes.sort((a, b) => a.targetSlot - b.targetSlot);
  if (vote.targetSlot > voting.lastTargetSlot) {
    voting.lastTargetSlot = vote.targetSlot;
    voting.lastTargetHash = vote.targetHash;
  }
  if (vote.sourceSlot > voting.lastSourceSlot) voting.lastSourceSlot = vote.sourceSlot;
}

/** Refuses a vote that is not this node's, or not the one asked for. */
export function checkPersisted(state: ConsensusState, vote: Vote): void {
  if (byteKey(vote.voter) !== state.rules.ownKey)
    throw new ConsensusError('wrongVoter', "vote.voter must be this node's key; found another");
  const asked = state.voting.inFlight;
  if (asked === null || byteKey(asked) !== byteKey(vote.targetHash))
    throw new ConsensusError('wrongVoter', 'vote.targetHash must be that of the last castVote; feed each answer once');
}
