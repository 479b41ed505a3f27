/**
 * What the machine remembers. Owned by `step`: nothing else writes here, and callers read it through selectors.
 *
 * Invariants
 * - `root` is the newest finalized block; `nodes` holds it and descendants of it only, each under its hash key.
 * - A node is `valid` only when its parent is. `best` and `justifiedTip` are valid, and `best` descends from (or is)
 *   `justifiedTip`, which descends from (or is) `root`.
 * - A node's `stake` is the bond of all voters with a counted vote for it; a vote counts once its source is justified and a
 *   proper ancestor of its target, or lies below the root. Counts only grow, so the result does not depend on the order of arrival.
 * - `weight` of a node: bond of all voters (but equivocators) whose newest known vote is for it or a descendant.
 */
import type { Hash, PublicKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import type { Limits } from './limits.ts';
import type { ConsensusEffect, ConsensusParameters, PeerName } from './model.ts';

export interface RankedValidator {
  readonly publicKey: PublicKey;
  readonly bond: bigint;
}

/** The configuration, checked and indexed. Validators are named by their rank: bond descending, then key descending. */
export interface Rules {
  readonly parameters: ConsensusParameters;
  readonly limits: Limits;
  readonly ranking: readonly RankedValidator[];
  readonly rankByKey: ReadonlyMap<string, number>;
  readonly totalBond: bigint;
  /** This node's rank, or null for an observer. */
  readonly ownRank: number | null;
}

export interface VoteRecord {
  readonly vote: Vote;
  counted: boolean;
}

export interface TreeNode {
  readonly header: BlockHeader;
  readonly key: string;
  /** Rank of the leader (of the genesis block: 0). */
  readonly leader: number;
  /** null once this node is the root. */
  parent: TreeNode | null;
  readonly children: TreeNode[];
  /** Local time at which the block joined the tree. */
  readonly seenMs: number;
  readonly from: PeerName | null;
  verification: 'waiting' | 'running' | 'valid';
  readonly votes: Map<number, VoteRecord[]>;
  stake: bigint;
  /** Bond of the voters whose counted vote has the parent as source, when the parent is the slot before; else 0. */
  linkStake: bigint;
  justified: boolean;
  /** The `justified` effect is out. */
  announced: boolean;
  weight: bigint;
}

/** A finalized ancestor of the root, kept for its certificate. */
export interface TrailEntry {
  readonly header: BlockHeader;
  readonly votes: readonly Vote[];
}

export interface Voter {
  readonly rank: number;
  /** Newest vote by target slot, whether its target is known or not. */
  latest: Vote | null;
  /** Where this voter's bond lies in the tree, and by which target slot. */
  placed: TreeNode | null;
  placedSlot: number;
  /** Target slot to vote, for evidence. */
  readonly records: Map<number, Vote>;
  /** Votes for unknown targets. */
  unknown: Vote[];
  /** Proven to have broken the local rule: weighs nothing in the fork choice (its votes still count towards justification). */
  equivocated: boolean;
  readonly reported: Set<string>;
}

export interface PendingBlock {
  readonly header: BlockHeader;
  readonly key: string;
  readonly parentKey: string;
  readonly from: PeerName | null;
}

export interface WantedBlock {
  readonly hash: Hash;
  readonly from: PeerName | null;
  nextMs: number;
  attempts: number;
}

/** Catching up: the highest chain heard of and the stretch asked for. */
export interface SyncState {
  targetHeight: number;
  peer: PeerName | null;
  /** First height of the next stretch when it must reach below the tree's top (a deep fork); else 0. */
  floorHeight: number;
  floorTargetHeight: number;
  /** Last height asked for, and how often since the tree last reached it. */
  askedHeight: number;
  attempts: number;
  nextMs: number;
}

/** What binds this node as a voter. */
export interface OwnVoting {
  /** Signed own votes with targets above the root, oldest first. */
  votes: Vote[];
  lastTargetSlot: number;
  lastTargetHash: Hash | null;
  lastSourceSlot: number;
  /** Target of the vote being signed, or null. */
  inFlight: Hash | null;
  lastVoteMs: number;
  /** Another process votes with this key: say nothing more. */
  silenced: boolean;
}

export interface OwnLeading {
  highestProducedSlot: number;
  /** The block being built upon, or null when not leading. */
  tip: TreeNode | null;
  /** Whether the best block could be built upon at the last look, and since when. */
  hadRoom: boolean;
  roomSinceMs: number;
}

/** The local idea of which slot it may be by now. */
export interface Schedule {
  anchorSlot: number;
  anchorMs: number;
  /** No block followed yet: anything goes. */
  anchored: boolean;
}

export interface ConsensusState {
  readonly rules: Rules;
  nowMs: number;
  readonly startedMs: number;
  peersReady: boolean;
  root: TreeNode;
  readonly trail: Map<string, TrailEntry>;
  readonly nodes: Map<string, TreeNode>;
  /** Slot to every distinct proposal in the tree, for evidence and for the bound on double proposals. */
  readonly proposals: Map<number, BlockHeader[]>;
  /** `rank:slot` of reported double proposals above the root. */
  readonly reportedProposals: Map<string, number>;
  /** Invalid blocks by key, with their slot. */
  readonly invalid: Map<string, number>;
  readonly pending: Map<string, PendingBlock>;
  readonly voters: readonly Voter[];
  /** Target key to the votes waiting for that block. */
  readonly unknownVotes: Map<string, Vote[]>;
  /** Source key to the nodes that hold votes waiting for it to be justified. */
  readonly waitingForSource: Map<string, Set<TreeNode>>;
  readonly wanted: Map<string, WantedBlock>;
  readonly sync: SyncState;
  topHeight: number;
  validHeight: number;
  justifiedTip: TreeNode;
  best: TreeNode;
  bestSinceMs: number;
  forkChoiceDirty: boolean;
  /** When a block not followed yet may be. */
  forkChoiceRetryMs: number;
  readonly schedule: Schedule;
  readonly voting: OwnVoting;
  readonly leading: OwnLeading;
  /** Newest progress of justification, and the last time everything was sent again. */
  progressMs: number;
  resentMs: number;
  resentCount: number;
  /** Nodes whose parent became final, to be worked off before the step ends. */
  finalizable: TreeNode[];
  /** Earliest time at which some duty wants to look again; rebuilt in every step. */
  nextWakeMs: number;
  lastWakeMs: number;
  effects: ConsensusEffect[];
}

/** Adds an effect to this step's output. */
export function emit(state: ConsensusState, effect: ConsensusEffect): void {
  state.effects.push(effect);
}

/** Asks to be woken at `ms` at the latest. */
export function wakeBy(state: ConsensusState, ms: number): void {
  if (ms < state.nextWakeMs) state.nextWakeMs = ms;
}

/** Reports a peer, when the message came from one. */
export function fault(
  state: ConsensusState,
  peer: PeerName | null,
  code: Extract<ConsensusEffect, { kind: 'peerFault' }>['code'],
): void {
  if (peer !== null) emit(state, { kind: 'peerFault', peer, code });
}

/** Thrown when the machine finds its own invariant broken: stop the process, do not go on. */
export class ConsensusInvariantError extends Error {
  override readonly name = 'ConsensusInvariantError';
}

export function assertInvariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConsensusInvariantError(message);
}
