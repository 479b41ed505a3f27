/**
 * Dropping what finality has made useless from every pool, so that memory depends on what is open, not on how long the node runs.
 */
import type { Hash } from '../../native/index.ts';
import { pruneDecoys } from './decoys.ts';
import { pruneOffences } from './distrust.ts';
import type { ConsensusState } from './state.ts';
import { emit } from './state.ts';
import { dropUnknownVotes } from './unknown-votes.ts';

/** Called after the root has moved. */
export function prunePools(state: ConsensusState): void {
  const rootSlot = state.root.header.slot;
  prunePending(state);
  for (const voter of state.voters.values()) {
    if (voter.unknown.length > 0) dropUnknownVotes(state, voter, (vote) => vote.targetSlot <= rootSlot);
    for (const slot of voter.records.keys())
      if (slot < rootSlot - state.rules.limits.evidenceSlots) {
        voter.records.delete(slot);
        voter.doubles.delete(slot);
      }
  }
  state.voting.votes = state.voting.votes.filter((vote, i, all) => vote.targetSlot > rootSlot || i === all.length - 1);
  for (const [key, slot] of state.invalid) if (slot <= rootSlot) state.invalid.delete(key);
  for (const [key, slot] of state.reportedProposals) if (slot <= rootSlot) state.reportedProposals.delete(key);
  pruneOffences(state);
  pruneDecoys(state);
}

/** A parentless block right above the root contradicts finality: its parent would have to be the root. */
function prunePending(state: ConsensusState): void {
  const dropped: Hash[] = [];
  for (const [key, block] of state.pending) {
    if (block.header.height > state.root.header.height + 1) continue;
    state.pending.delete(key);
    dropped.push(block.header.hash);
  }
  if (dropped.length > 0) emit(state, { kind: 'prune', hashes: dropped });
}
