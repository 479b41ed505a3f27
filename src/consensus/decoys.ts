/**
 * Decoys: blocks with a state root that nobody can have computed, signed on purpose to catch those who vote without executing. The leader owns up in
 * its next block, with the secret behind the root.
 *
 * Until then a decoy looks like any invalid block: its leader is distrusted, and the peer that sent it is suspected, to be reported only when
 * the chain has gone on for `timeoutSlots` without a reveal. With the reveal both are taken back, and every vote for the decoy is evidence.
 */
import { byteKey, sameBytes } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import { forgiveOffence, noteOffence } from './distrust.ts';
import { votesIn } from './evidence.ts';
import type { DecoyReveal, PeerName } from './model.ts';
import type { ConsensusState, TreeNode, Voter } from './state.ts';
import { emit, fault, wakeBy } from './state.ts';
import { takeUnknownVotesFor } from './unknown-votes.ts';

const markOf = (key: string): string => `invalid:${key}`;

/** A block of `node`'s leader breaks a rule. */
export function noteInvalid(state: ConsensusState, node: TreeNode, reason: string, decoyLike: boolean): void {
  if (state.decoys.has(node.key)) return;
  noteOffence(state, node.leader, markOf(node.key), node.header.slot);
  const { header, from } = node;
  if (!decoyLike) {
    report(state, header, reason);
    fault(state, from, 'invalidBlock');
    return;
  }
  const { slotDurationMs, timeoutSlots } = state.rules.parameters;
  const dueMs = state.nowMs + 2 * timeoutSlots * slotDurationMs;
  state.suspects.set(node.key, { header, reason, peers: new Set(from === null ? [] : [from]), dueMs });
  if (state.suspects.size <= state.rules.limits.suspectsMax) return;
  const [oldest] = state.suspects.keys();
  state.suspects.delete(oldest!);
}

function report(state: ConsensusState, header: BlockHeader, reason: string): void {
  emit(state, { kind: 'evidence', evidence: { kind: 'invalidBlock', header, reason } });
}

/** A block known as invalid came once more: whether it is (or may still be) a decoy, so that its peer is not to be blamed now. */
export function isExcused(state: ConsensusState, key: string, from: PeerName | null): boolean {
  if (state.decoys.has(key)) return true;
  const suspect = state.suspects.get(key);
  if (suspect === undefined) return false;
  if (from !== null && suspect.peers.size < state.rules.limits.suspectPeersMax) suspect.peers.add(from);
  return true;
}

/** Reports the suspects whose time has passed on a chain that went on without a reveal. */
export function blameIfDue(state: ConsensusState): void {
  for (const [key, { header, reason, peers, dueMs }] of state.suspects) {
    if (state.nowMs < dueMs) {
      wakeBy(state, dueMs);
      continue;
    }
    if (state.best.header.slot < header.slot + state.rules.parameters.timeoutSlots) continue;
    state.suspects.delete(key);
    report(state, header, reason);
    for (const peer of peers) fault(state, peer, 'unrevealedDecoy');
  }
}

/** This node's own decoy is out; its secret comes with the reveal. */
export function noteOwnDecoy(state: ConsensusState, header: BlockHeader): void {
  const key = byteKey(header.hash);
  state.decoys.set(key, { slot: header.slot, secret: null });
  state.invalid.set(key, header.slot);
  state.wanted.delete(key);
}

/** A verified block owns up to decoys. */
export function takeReveals(state: ConsensusState, reveals: readonly DecoyReveal[]): void {
  for (const { hash, slot, secret } of reveals) {
    const key = byteKey(hash);
    if ((state.decoys.get(key)?.secret ?? null) !== null) continue;
    state.decoys.set(key, { slot, secret });
    state.suspects.delete(key);
    state.wanted.delete(key);
    forgiveOffence(state, markOf(key));
    takeUnknownVotesFor(state, key);
    for (const voter of state.voters.values()) {
      for (const vote of votesIn(voter, slot))
        if (sameBytes(vote.targetHash, hash)) reportVoter(state, voter, vote, secret);
    }
  }
}

/** A vote has come: is it for a decoy? If so it is evidence (once a voter), or will be when the secret is known, and goes nowhere else. */
export function isVoteForDecoy(state: ConsensusState, voter: Voter, vote: Vote): boolean {
  if (state.decoys.size === 0) return false;
  const decoy = state.decoys.get(byteKey(vote.targetHash));
  if (decoy === undefined) return false;
  if (decoy.secret !== null) reportVoter(state, voter, vote, decoy.secret);
  return true;
}

function reportVoter(state: ConsensusState, voter: Voter, vote: Vote, secret: Uint8Array): void {
  if (voter.reported.has('decoyVote')) return;
  voter.reported.add('decoyVote');
  emit(state, { kind: 'evidence', evidence: { kind: 'decoyVote', secret, vote } });
}

/** Forgets what finality has left behind. */
export function pruneDecoys(state: ConsensusState): void {
  const oldest = state.root.header.slot - state.rules.limits.evidenceSlots;
  for (const [key, { slot }] of state.decoys) if (slot < oldest) state.decoys.delete(key);
}
