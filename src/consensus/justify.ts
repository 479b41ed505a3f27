/**
 * Counting votes. A block is justified when voters with a quorum of its judge (the electorate after its parent) voted for it, each from a source that is
 * itself justified and a proper ancestor of it. The root is justified by definition.
 *
 * The judge is known once the parent is verified; until then votes wait in the node, from whoever is a voter anywhere, and those of
 * nobody the judge knows fall away then. An excluded member's vote is kept, and weighs nothing.
 *
 * A source in a slot below the root's is not looked into any more: the target descends from the root, and a vote from
 * below surrounds any link that could have made something else final since (docs/protocol.md, "Safety"). So a restarted node, which
 * has forgotten what was justified below its root, counts the same votes as its peers.
 *
 * Counting is monotone: a vote whose source is not justified yet waits under that source and is counted when it becomes so;
 * nothing is ever uncounted. So the outcome is the same for every order of arrival. Source: Casper FFG; docs/protocol.md.
 */
import { byteKey, sameBytes } from '../../native/index.ts';
import type { Vote } from '../codec/model.ts';
import { addVoter, type Electorate, isQuorumOf, type Member, rankOf } from './electorate.ts';
import { isFinalizingLink } from './link.ts';
import { sourceStanding } from './source.ts';
import type { ConsensusState, TreeNode, VoteRecord } from './state.ts';
import { emit } from './state.ts';

/** Adds a vote to its target and counts it if it can be. Returns whether it was new and may ever count. */
export function addVote(state: ConsensusState, target: TreeNode, vote: Vote): boolean {
  if (target.judge !== null && memberOf(target, vote) === undefined) return false;
  const standing = sourceStanding(state, vote, target);
  if (standing === 'never') return false;
  const voter = byteKey(vote.voter);
  const records = target.votes.get(voter);
  const record: VoteRecord = { vote, counted: false };
  if (records === undefined) target.votes.set(voter, [record]);
  else {
    if (records.some((known) => sameBytes(known.vote.sourceHash, vote.sourceHash))) return false;
    if (records.length >= state.rules.limits.votesPerTargetMax) return false;
    records.push(record);
  }
  if (target.judge === null) return true;
  if (standing === 'justified') {
    count(state, target, record);
    spreadJustification(state, target);
  } else waitForSource(state, byteKey(vote.sourceHash), target);
  return true;
}

function waitForSource(state: ConsensusState, sourceKey: string, target: TreeNode): void {
  const waiting = state.waitingForSource.get(sourceKey);
  if (waiting === undefined) state.waitingForSource.set(sourceKey, new Set([target]));
  else waiting.add(target);
}

/** The voter as the target's judge knows it. */
function memberOf({ judge }: TreeNode, vote: Vote): Member | undefined {
  return judge!.members[rankOf(judge!, vote.voter) ?? -1];
}

/** Counts a vote, and says so to the leader: in this order the chain can count what it carries, sources before what builds on them. */
function count(state: ConsensusState, target: TreeNode, record: VoteRecord): void {
  const member = memberOf(target, record.vote)!;
  const records = target.votes.get(byteKey(record.vote.voter))!;
  if (!records.some((other) => other.counted)) target.stake = addVoter(target.stake, member);
  record.counted = true;
  if (isFinalizingLink(target, record.vote)) target.linkStake = addVoter(target.linkStake, member);
  if (state.leading.tip !== null) emit(state, { kind: 'includeVote', vote: record.vote });
}

/** The parent has been verified: its electorate judges this block, and the votes that waited for that count or fall away. */
export function beJudged(state: ConsensusState, node: TreeNode, judge: Electorate): void {
  node.judge = judge;
  for (const [voter, records] of node.votes) {
    if (memberOf(node, records[0]!.vote) === undefined) {
      node.votes.delete(voter);
      continue;
    }
    for (const record of records) {
      if (sourceStanding(state, record.vote, node) === 'justified') count(state, node, record);
      else waitForSource(state, byteKey(record.vote.sourceHash), node);
    }
  }
  spreadJustification(state, node);
}

/** After counts of `first` rose: justifies it if it has a quorum, and everything that follows from that. */
function spreadJustification(state: ConsensusState, first: TreeNode): void {
  const work = [first];
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    const { judge } = node;
    if (judge === null) continue;
    if (isQuorumOf(judge, node.linkStake)) state.finalizable.push(node);
    if (node.justified || !isQuorumOf(judge, node.stake)) continue;
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
    for (const records of target.votes.values())
      for (const record of records)
        if (!record.counted && byteKey(record.vote.sourceHash) === source.key) count(state, target, record);
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
