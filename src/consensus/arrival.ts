/**
 * A block arrives: is it new, is its header sound, does its parent stand in the tree, is there place for it.
 *
 * A block in the tree is verified as soon as its parent is; its descendants wait for it. A block found invalid takes everything
 * above it along, and its name is remembered so that it is not tried again.
 */

import type { Hash } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../codec/model.ts';
import { noteOffChain } from './conflict.ts';
import { isExcused, noteInvalid, noteOwnDecoy, takeReveals } from './decoys.ts';
import type { Electorate } from './electorate.ts';
import { noteProposal, proposalCount } from './evidence.ts';
import { headerFault, linkFault, turnFault } from './header-check.ts';
import { announceJustified, beJudged } from './justify.ts';
import { extendLead, noteProduced, skipDecoySlot } from './leading.ts';
import type { Executed, PeerFaultCode, PeerName } from './model.ts';
import { parkOrphan, parkStranger, takeOrphans } from './pending.ts';
import { holdElectorate } from './registry.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { assertInvariant, emit, fault } from './state.ts';
import { addNode, cutSubtree } from './tree.ts';
import { unknownVoters } from './unknown-votes.ts';
import { applyWaitingVotes, receiveVote } from './votes.ts';
import { wantRange } from './wanted.ts';
import { holdsHonest, weightOfAll } from './weight.ts';

/** Takes in a block whose hash and signature have been checked. */
export function receiveBlock(state: ConsensusState, header: BlockHeader, from: PeerName | null): void {
  const key = byteKey(header.hash);
  const wasWanted = state.wanted.delete(key);
  if (state.nodes.has(key) || state.pending.has(key) || state.trail.has(key)) return;
  if (isExcused(state, key, from)) {
    refuse(state, header, from, null);
    return;
  }
  const code = state.invalid.has(key) ? 'invalidBlock' : headerFault(state.rules, header);
  if (code !== null) {
    refuse(state, header, from, code);
    return;
  }
  if (byteKey(header.leader) === state.rules.ownKey) noteProduced(state, header);
  const { root, rules } = state;
  if (header.height <= root.header.height) {
    refuse(state, header, from, null);
    return;
  }
  if (header.height > root.header.height + rules.limits.heightsAboveRootMax) {
    wantRange(state, header.height, from);
    refuse(state, header, from, null);
    return;
  }
  const parentKey = byteKey(header.parentHash);
  const parent = state.nodes.get(parentKey);
  if (parent !== undefined) {
    connect(state, header, from, parent);
    return;
  }
  if (state.invalid.has(parentKey)) {
    refuseInvalid(state, header, from);
    return;
  }
  if (header.height === root.header.height + 1 || state.offChain.has(parentKey)) {
    noteOffChain(state, header);
    refuse(state, header, from, null);
    return;
  }
  parkOrphan(state, header, from, wasWanted);
}

/** Takes in this node's own block: made on a verified parent, so verified itself. Refused when that parent is gone by now, or its lead was. */
export function receiveOwnBlock(state: ConsensusState, header: BlockHeader, executed: Executed): void {
  noteProduced(state, header);
  const parent = state.nodes.get(byteKey(header.parentHash));
  if (state.nodes.has(byteKey(header.hash))) return;
  if (parent?.verification !== 'valid') {
    refuse(state, header, null, null);
    return;
  }
  const code = headerFault(state.rules, header) ?? linkFault(state.rules, header, parent);
  // A lead that ends by a hand-over or a term can cross the next block in the making; any other fault is a broken producer.
  assertInvariant(code === null || code === 'wrongLeader', `own block for slot ${header.slot} breaks a rule: ${code}`);
  if (code !== null || !makePlace(state, parent)) {
    refuse(state, header, null, null);
    return;
  }
  const node = addNode(state, header, parent, null);
  beJudged(state, node, parent.electorate!);
  acceptBlock(state, node, executed);
  applyWaitingVotes(state, node);
  extendLead(state, node);
  adoptOrphans(state, node);
}

/** This node's own decoy is out: its slot is used up, and the lead goes on from the same parent. */
export function receiveDecoy(state: ConsensusState, header: BlockHeader): void {
  noteProduced(state, header);
  noteOwnDecoy(state, header);
  skipDecoySlot(state, header);
}

/** Refuses a block: the node forgets it, and the peer is blamed when there is something to blame. */
function refuse(state: ConsensusState, header: BlockHeader, from: PeerName | null, code: PeerFaultCode | null): void {
  emit(state, { kind: 'prune', hashes: [header.hash] });
  if (code !== null) fault(state, from, code);
}

function refuseInvalid(state: ConsensusState, header: BlockHeader, from: PeerName | null): void {
  rememberInvalid(state, header);
  refuse(state, header, from, 'invalidAncestor');
}

function connect(state: ConsensusState, header: BlockHeader, from: PeerName | null, parent: TreeNode): void {
  const code = linkFault(state.rules, header, parent);
  if (code !== null) {
    rememberInvalid(state, header);
    refuse(state, header, from, code);
    return;
  }
  const leader = byteKey(header.leader);
  if (parent.electorate === null && !state.voters.has(leader)) {
    parkStranger(state, header, from);
    return;
  }
  noteProposal(state, header, leader);
  if (!isAdmitted(state, header, from) || !makePlace(state, parent)) {
    refuse(state, header, from, null);
    return;
  }
  const node = addNode(state, header, parent, from);
  if (parent.electorate !== null) beJudged(state, node, parent.electorate);
  applyWaitingVotes(state, node);
  startVerification(state, node);
  adoptOrphans(state, node);
}

/** A leader's third proposal for one slot is taken only when an honest voter must stand behind it. */
function isAdmitted(state: ConsensusState, header: BlockHeader, from: PeerName | null): boolean {
  if (from === null || proposalCount(state, header) < state.rules.limits.proposalsPerSlotMax) return true;
  return holdsHonest(state, weightOfAll(state, unknownVoters(state, byteKey(header.hash))));
}

/** When the tree is full, the leaf with the least stake goes, the highest of equals; never one on the way to the best block. */
function makePlace(state: ConsensusState, parent: TreeNode): boolean {
  if (state.nodes.size < state.rules.limits.treeBlocksMax) return true;
  let worst: TreeNode | null = null;
  for (const node of state.nodes.values()) {
    const isKept = node.children.length > 0 || node.justified || node === state.best || node === state.leading.tip;
    if (isKept || node === parent || node.leader === state.rules.ownKey) continue;
    if (worst === null || isWorse(node, worst)) worst = node;
  }
  if (worst === null) return false;
  emit(state, { kind: 'prune', hashes: cutSubtree(state, worst).map((node) => node.header.hash) });
  return true;
}

function isWorse(a: TreeNode, b: TreeNode): boolean {
  return a.weight !== b.weight ? a.weight < b.weight : a.header.slot > b.header.slot;
}

function startVerification(state: ConsensusState, node: TreeNode): void {
  if (node.verification !== 'waiting' || node.parent?.verification !== 'valid') return;
  node.verification = 'running';
  emit(state, { kind: 'verifyBlock', hash: node.header.hash });
}

function adoptOrphans(state: ConsensusState, node: TreeNode): void {
  for (const orphan of takeOrphans(state, node.key)) connect(state, orphan.header, orphan.from, node);
}

/** A block has been re-executed and found right: who judges and leads its children is known now. */
export function acceptBlock(state: ConsensusState, node: TreeNode, { electorate, reveals }: Executed): void {
  if (node.verification === 'valid') return;
  node.verification = 'valid';
  node.electorate = electorate;
  if (holdElectorate(state, electorate)) repeatOwnVotes(state);
  takeReveals(state, reveals);
  state.forkChoiceDirty = true;
  if (node.header.height > state.validHeight) state.validHeight = node.header.height;
  announceJustified(state, node);
  for (const child of [...node.children]) judgeChild(state, child, node.header, electorate);
  adoptOrphans(state, node);
}

function judgeChild(state: ConsensusState, child: TreeNode, parent: BlockHeader, electorate: Electorate): void {
  const code = turnFault(state.rules, child.header, parent, electorate);
  if (code !== null) {
    for (const { header } of dropSubtree(state, child)) rememberInvalid(state, header);
    fault(state, child.from, code);
    return;
  }
  beJudged(state, child, electorate);
  startVerification(state, child);
  state.finalizable.push(child);
}

/** Own votes from before a restart may have been those of a stranger until now. */
function repeatOwnVotes(state: ConsensusState): void {
  for (const vote of state.voting.votes) receiveVote(state, vote, null);
}

function dropSubtree(state: ConsensusState, node: TreeNode): TreeNode[] {
  const removed = cutSubtree(state, node);
  emit(state, { kind: 'prune', hashes: removed.map(({ header }) => header.hash) });
  return removed;
}

/** A block has been re-executed and found wrong. */
export function rejectBlock(state: ConsensusState, node: TreeNode, reason: string, decoyLike: boolean): void {
  for (const { header } of dropSubtree(state, node)) rememberInvalid(state, header);
  noteInvalid(state, node, reason, decoyLike);
}

function rememberInvalid(state: ConsensusState, header: BlockHeader): void {
  state.invalid.set(byteKey(header.hash), header.slot);
  for (const key of state.invalid.keys()) {
    if (state.invalid.size <= state.rules.limits.invalidBlocksMax) break;
    state.invalid.delete(key);
  }
  dropInvalidOrphans(state, header.hash);
}

/** Orphans that were waiting for an invalid block, and theirs. */
function dropInvalidOrphans(state: ConsensusState, hash: Hash): void {
  for (const orphan of takeOrphans(state, byteKey(hash))) refuseInvalid(state, orphan.header, orphan.from);
}
