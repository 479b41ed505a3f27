/**
 * Counting votes. A block is justified when voters with more than 2/3 of all bonds voted for it, each from a source that is
 * itself justified and a proper ancestor of it. The root is justified by definition.
 *
 * A source in a slot below the root's is not looked into any more: the target descends from the root, and a vote from
 * below surrounds any link that could have made something else final since (docs/protocol.md, "Safety"). So a restarted node, which
 * has forgotten what was justified below its root, counts the same votes as its peers.
 *
 * Counting is monotone: a vote whose source is not justified yet waits under that source and is counted when it becomes so;
 * nothing is ever uncounted. So the outcome is the same for every order of arrival. Source: Casper FFG; docs/protocol.md.
 */
import { byteKey } from '../../native/index.ts';
import type { Vote } from '../codec/model.ts';
import { isFinalizingLink } from './link.ts';
import { isQuorum } from './quorum.ts';
import { sourceStanding } from './source.ts';
import type { ConsensusState, TreeNode, VoteRecord } from './state.ts';
import { emit } from './state.ts';

/** Adds a vote to its target and counts it if it can be. Returns whether it was new and may ever count. */
export function addVote(state: ConsensusState, target: TreeNode, rank: number, vote: Vote): boolean {
  const standing = sourceStanding(state, vote, target);
  if (standing === 'never') return false;
  const records = target.votes.get(rank) ?? [];
  const sourceKey = byteKey(vote.sourceHash);
  if (records.some((record) => byteKey(record.vote.sourceHash) === sourceKey)) return false;
  if (records.length >= state.rules.limits.votesPerTargetMax) return false;
  const record: VoteRecord = { vote, counted: false };
  target.votes.set(rank, [...records, record]);
  if (standing === 'justified') {
    count(state, target, rank, record);
    spreadJustification(state, target);
  } else {
    const waiting = state.waitingForSource.get(sourceKey);
    if (waiting === undefined) state.waitingForSource.set(sourceKey, new Set([target]));
    else waiting.add(target);
  }
  return true;
}

function count(state: ConsensusState, target: TreeNode, rank: number, record: VoteRecord): void {
  const bond = state.rules.ranking[rank]!.bond;
  const records = target.votes.get(rank)!;
  if (!records.some((other) => other.counted)) target.stake += bond;
  record.counted = true;
  if (isFinalizingLink(target, record.vote)) target.linkStake += bond;
}

/** After counts of `first` rose: justifies it if it has a quorum, and everything that follows from that. */
function spreadJustification(state: ConsensusState, first: TreeNode): void {
  const work = [first];
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    if (isQuorum(node.linkStake, state.rules.totalBond)) state.finalizable.push(node);
    if (node.justified || !isQuorum(node.stake, state.rules.totalBond)) continue;
    node.justified = true;
    state.progressMs = state.nowMs;
    announceJustified(state, node);
    work.push(...countWaiting(state, node));
  }
}

/** A source has sunk below the root, justified or not: the votes that waited for it count now. */
export function countFromBelow(state: ConsensusState, source: TreeNode): void {
  for (const target of countWaiting(state, source)) spreadJustification(state, target);
}

function countWaiting(state: ConsensusState, source: TreeNode): TreeNode[] {
  const targets = state.waitingForSource.get(source.key);
  if (targets === undefined) return [];
  state.waitingForSource.delete(source.key);
  const touched: TreeNode[] = [];
  for (const target of targets) {
    if (state.nodes.get(target.key) !== target) continue;
    for (const [rank, records] of target.votes)
      for (const record of records)
        if (!record.counted && byteKey(record.vote.sourceHash) === source.key) count(state, target, rank, record);
    touched.push(target);
  }
  return touched;
}

/** A block both justified and verified: tells the node (once), and lets the fork choice start there if it is the highest. */
export function announceJustified(state: ConsensusState, node: TreeNode): void {
  if (!node.justified || node.verification !== 'valid') return;
  if (!node.announced) {
    node.announced = true;
    emit(state, { kind: 'justified', hash: node.header.hash, votes: countedVotes(node) });
  }
  if (ranksAbove(node, state.justifiedTip)) {
    state.justifiedTip = node;
    state.forkChoiceDirty = true;
  }
}

/** Higher slot; in one slot (only when more than 1/3 voted twice) the lower hash. */
export function ranksAbove(a: TreeNode, b: TreeNode): boolean {
  if (a.header.slot !== b.header.slot) return a.header.slot > b.header.slot;
  return a.key < b.key;
}

/** All counted votes for a block, by voter in order of arrival. */
export function countedVotes(node: TreeNode): Vote[] {
  const votes: Vote[] = [];
  for (const records of node.votes.values()) for (const record of records) if (record.counted) votes.push(record.vote);
  return votes;
}
