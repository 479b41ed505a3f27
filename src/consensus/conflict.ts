/**
 * Noticing that finality has split: votes of a quorum that link a block which is not on this node's final chain to a child in the next slot. Then more than 1/3 have
 * cheated (docs/protocol.md, "Safety"), and no rule can tell which side is right: the node says so, with the votes as proof, and is silent from then on.
 *
 * A block is off the final chain when its slot lies within the stretch this node remembers (the trail and the root) and it is none of that stretch; or when it builds
 * on such a block, which is kept track of for blocks seen (`offChain`, bounded). The votes are judged by each electorate alive here, and by the other side's in the very slow band. Votes of keys that none of these
 * knows, as in a fork from long ago, prove nothing.
 */
import { byteKey, type PublicKey, sameBytes } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import type { Electorate } from './electorate.ts';
import { addVoter, indexOf, isQuorumOf, NO_TALLY, rankOf } from './electorate.ts';
import { votesIn } from './evidence.ts';
import type { ConsensusState } from './state.ts';
import { emit } from './state.ts';

/** Looks at a vote just received. */
export function watchForConflict(state: ConsensusState, vote: Vote): void {
  if (vote.targetSlot !== vote.sourceSlot + 1 || state.conflicted) return;
  if (isOffChain(state, vote.sourceSlot, byteKey(vote.sourceHash))) settle(state, vote);
}

/** A block was refused because it is not on this node's final chain: its votes, and its children, are looked at as such. */
export function noteOffChain(state: ConsensusState, header: BlockHeader): void {
  const key = byteKey(header.hash);
  if (state.conflicted || state.offChain.has(key)) return;
  state.offChain.set(key, header.slot);
  for (const oldest of state.offChain.keys()) {
    if (state.offChain.size <= state.rules.limits.offChainMax) break;
    state.offChain.delete(oldest);
  }
  watchSlot(state, header.slot);
}

/** Finality has moved up from `oldSlot`: votes that linked blocks in between may be off the chain now. */
export function watchNewRoot(state: ConsensusState, oldSlot: number): void {
  for (let slot = oldSlot + 1; slot <= state.root.header.slot && !state.conflicted; slot++) watchSlot(state, slot);
  for (const [key, slot] of state.offChain)
    if (slot < state.root.header.slot - state.rules.limits.evidenceSlots) state.offChain.delete(key);
}

function watchSlot(state: ConsensusState, sourceSlot: number): void {
  for (const voter of state.voters.values()) {
    for (const vote of votesIn(voter, sourceSlot + 1))
      if (vote.sourceSlot === sourceSlot) watchForConflict(state, vote);
  }
}

function isOffChain(state: ConsensusState, slot: number, key: string): boolean {
  if (state.offChain.has(key)) return true;
  const { root, trail } = state;
  if (slot > root.header.slot || key === root.key || trail.has(key)) return false;
  const [lowest] = trail.values();
  return slot >= (lowest?.header.slot ?? root.header.slot);
}

function settle(state: ConsensusState, { sourceSlot, sourceHash, targetSlot, targetHash }: Vote): void {
  const votes: Vote[] = [];
  for (const voter of state.voters.values())
    votes.push(
      ...votesIn(voter, targetSlot).filter(
        (vote) => sameBytes(vote.sourceHash, sourceHash) && sameBytes(vote.targetHash, targetHash),
      ),
    );
  const voters = votes.map(({ voter }) => voter);
  const judges = [...state.electorates.values()].flatMap(({ electorate }) => [electorate, ...otherSideOf(electorate)]);
  if (!judges.some((judge) => isQuorumOf(judge, tallyOf(judge, voters)))) return;
  state.conflicted = true;
  state.voting.silence = { reason: 'conflict', untilSlot: null };
  emit(state, { kind: 'conflict', slot: sourceSlot, hash: sourceHash, votes });
}

/**
 * In the very slow band (half or more of both sets excluded, so no floor) those excluded here may judge by themselves elsewhere. Fewer are not listened to: who is
 * excluded for good reasons must not be able to stop the rest.
 */
function otherSideOf(electorate: Electorate): Electorate[] {
  const { full, active } = indexOf(electorate);
  if (active.current * 2n > full.current || active.previous * 2n > full.previous) return [];
  const members = electorate.members.map((member) => ({ ...member, excluded: !member.excluded }));
  return [{ ...electorate, members, majorityFloor: false }];
}

function tallyOf(judge: Electorate, voters: readonly PublicKey[]): { current: bigint; previous: bigint } {
  let tally = NO_TALLY;
  for (const voter of voters) {
    const rank = rankOf(judge, voter);
    if (rank !== undefined) tally = addVoter(tally, judge.members[rank]!);
  }
  return tally;
}
