/**
 * Catching those who break the local rule in public: two votes for different targets in one slot, a vote that surrounds
 * another of the same voter, two different headers of one leader for one slot.
 *
 * Each is reported once (per voter and kind, per leader and slot). Both votes of a pair are sent on, and again in a stall (resend.ts), so that every node comes to
 * see the pair and gives the voter no weight in its fork choice: else a voter could keep two halves of the network apart.
 */
import { sameBytes } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import { noteOffence } from './distrust.ts';
import type { ConsensusState, Voter } from './state.ts';
import { emit } from './state.ts';
import { liftVote } from './weight.ts';

/** Compares a vote with the same voter's others, and remembers it. */
export function noteVote(state: ConsensusState, voter: Voter, vote: Vote): void {
  const sameSlot = voter.records.get(vote.targetSlot);
  if (sameSlot !== undefined && sameBytes(sameSlot.bytes, vote.bytes)) return;
  if (sameSlot !== undefined && !sameBytes(sameSlot.targetHash, vote.targetHash)) {
    if (!voter.doubles.has(vote.targetSlot)) voter.doubles.set(vote.targetSlot, vote);
    reportVotes(state, voter, 'doubleVote', sameSlot, vote);
  }
  if (mayBeSurround(voter, vote))
    for (const other of voter.records.values())
      if (surrounds(vote, other) || surrounds(other, vote)) reportVotes(state, voter, 'surroundVote', other, vote);
  if (sameSlot === undefined) remember(state, voter, vote);
}

/** Above all targets known nothing surrounds it; with no source below a known one it surrounds nothing: so it is with nearly every honest vote. */
function mayBeSurround({ highestTargetSlot, highestSourceSlot }: Voter, { sourceSlot, targetSlot }: Vote): boolean {
  return targetSlot < highestTargetSlot || sourceSlot < highestSourceSlot;
}

/** The votes remembered of a voter for one target slot: one, or two of a cheat. */
export function votesIn({ records, doubles }: Voter, slot: number): Vote[] {
  return [records.get(slot), doubles.get(slot)].filter((vote) => vote !== undefined);
}

/** Whether vote `outer` surrounds vote `inner`: its source is older and its target newer. */
export function surrounds(outer: Vote, inner: Vote): boolean {
  return outer.sourceSlot < inner.sourceSlot && inner.targetSlot < outer.targetSlot;
}

function remember(state: ConsensusState, voter: Voter, vote: Vote): void {
  if (vote.targetSlot < state.root.header.slot - state.rules.limits.evidenceSlots) return;
  voter.records.set(vote.targetSlot, vote);
  voter.highestTargetSlot = Math.max(voter.highestTargetSlot, vote.targetSlot);
  voter.highestSourceSlot = Math.max(voter.highestSourceSlot, vote.sourceSlot);
  if (voter.records.size <= state.rules.limits.recordsPerVoterMax) return;
  const oldest = Math.min(...voter.records.keys());
  voter.records.delete(oldest);
  voter.doubles.delete(oldest);
}

function reportVotes(state: ConsensusState, voter: Voter, kind: 'doubleVote' | 'surroundVote', a: Vote, b: Vote): void {
  if (!voter.equivocated) {
    voter.equivocated = true;
    voter.proof = [a, b];
    liftVote(voter);
    state.forkChoiceDirty = true;
    if (voter.key === state.rules.ownKey) state.voting.silence = { reason: 'twin', untilSlot: null };
  }
  if (voter.reported.has(kind)) return;
  voter.reported.add(kind);
  emit(state, { kind: 'evidence', evidence: { kind, a, b } });
  emit(state, { kind: 'sendVote', vote: a, again: false });
  emit(state, { kind: 'sendVote', vote: b, again: false });
}

/** Compares a proposal with those in the tree for its slot. */
export function noteProposal(state: ConsensusState, header: BlockHeader, leader: string): void {
  const mark = `${leader}:${header.slot}`;
  if (state.reportedProposals.has(mark)) return;
  for (const other of state.proposals.get(header.slot) ?? []) {
    if (!sameBytes(other.leader, header.leader) || sameBytes(other.hash, header.hash)) continue;
    state.reportedProposals.set(mark, header.slot);
    noteOffence(state, leader, `double:${header.slot}`, header.slot);
    emit(state, { kind: 'evidence', evidence: { kind: 'doubleProposal', a: other, b: header } });
    return;
  }
}

/** How many proposals of this leader for this slot the tree holds. */
export function proposalCount(state: ConsensusState, header: BlockHeader): number {
  const proposals = state.proposals.get(header.slot) ?? [];
  return proposals.filter((other) => sameBytes(other.leader, header.leader)).length;
}
