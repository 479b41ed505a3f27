/**
 * Votes that came before their block. Each validator has its own small allowance, so that nobody can crowd out another's votes.
 * Invariant: `unknownVotes` (by target) and every voter's `unknown` list hold the same votes.
 */
import { byteKey, type PublicKey } from '../../native/index.ts';
import type { Vote } from '../codec/model.ts';
import type { ConsensusState, Voter } from './state.ts';

/** Keeps a vote for a block not known yet; over the allowance the one with the lowest target slot goes. */
export function holdUnknownVote(state: ConsensusState, voter: Voter, vote: Vote): void {
  const key = byteKey(vote.targetHash);
  const waiting = state.unknownVotes.get(key) ?? [];
  const repeated = waiting.filter((other) => byteKey(other.voter) === byteKey(vote.voter));
  if (repeated.length >= state.rules.limits.votesPerTargetMax) return;
  if (repeated.some((other) => byteKey(other.sourceHash) === byteKey(vote.sourceHash))) return;
  voter.unknown.push(vote);
  state.unknownVotes.set(key, [...waiting, vote]);
  const isOwn = voter.key === state.rules.ownKey;
  if (isOwn || voter.unknown.length <= state.rules.limits.unknownVotesPerVoterMax) return;
  const oldest = voter.unknown.reduce((a, b) => (b.targetSlot < a.targetSlot ? b : a));
  dropUnknownVotes(state, voter, (other) => other === oldest);
}

/** Drops the voter's waiting votes that match. */
export function dropUnknownVotes(state: ConsensusState, voter: Voter, matches: (vote: Vote) => boolean): void {
  const gone = voter.unknown.filter(matches);
  if (gone.length === 0) return;
  voter.unknown = voter.unknown.filter((vote) => !gone.includes(vote));
  for (const vote of gone) {
    const key = byteKey(vote.targetHash);
    const rest = state.unknownVotes.get(key)?.filter((other) => other !== vote) ?? [];
    if (rest.length === 0) state.unknownVotes.delete(key);
    else state.unknownVotes.set(key, rest);
  }
}

/** Hands over the votes that waited for the block `key`. */
export function takeUnknownVotesFor(state: ConsensusState, key: string): readonly Vote[] {
  const waiting = state.unknownVotes.get(key) ?? [];
  state.unknownVotes.delete(key);
  for (const vote of waiting) {
    const voter = state.voters.get(byteKey(vote.voter))!;
    voter.unknown = voter.unknown.filter((other) => other !== vote);
  }
  return waiting;
}

/** Those whose votes wait for the block `key`. */
export function unknownVoters(state: ConsensusState, key: string): PublicKey[] {
  return (state.unknownVotes.get(key) ?? []).map(({ voter }) => voter);
}
