/**
 * What the machine remembers. Owned by `step`: nothing else writes here, and callers read it through selectors.
 *
 * Invariants
 * - `root` is the newest finalized block; `nodes` holds it and descendants of it only, each under its hash key.
 * - A node is `valid` only when its parent is. `best` and `justifiedTip` are valid, and `best` descends from (or is)
 *   `justifiedTip`, which descends from (or is) `root`.
 * - A node has an `electorate` (who judges its children) exactly when it is valid, and a `judge` (its parent's) once its parent is.
 * - A node's `stake` is the weight, in its judge, of all voters with a counted vote for it; a vote counts once the judge is known, and its source is
 *   justified and a proper ancestor of its target, or lies below the root. Counts only grow, so the result does not depend on the order of arrival.
 * - `weight` of a node: weight of all voters (but equivocators) whose newest known vote is for it or a descendant, in the current set of the root's electorate.
 * - Voters are named by the bytes of their key (`byteKey`); `voters` holds those that some electorate alive knows (registry.ts).
 */
import type { Hash, PublicKey, Slot } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import type { Electorate, Member, Tally } from './electorate.ts';
import type { Limits } from './limits.ts';
import type { ConsensusEffect, ConsensusParameters, PeerName } from './model.ts';

/** The configuration, checked. */
export interface Rules {
  readonly parameters: ConsensusParameters;
  readonly limits: Limits;
  /** This node's key, also as a name, or null for an observer. */
  readonly own: PublicKey | null;
  readonly ownKey: string | null;
}

export interface VoteRecord {
  readonly vote: Vote;
  counted: boolean;
}

export interface TreeNode {
  readonly header: BlockHeader;
  readonly key: string;
  /** The leader's key as a name. */
  readonly leader: string;
  /** Slot of the newest block below that another leader made (0 or less: none known): since then this one has led without a break. Raised when its offences are forgiven (distrust.ts). */
  ledSinceSlot: number;
  /** null once this node is the root. */
  parent: TreeNode | null;
  readonly children: TreeNode[];
  /** Local time at which the block joined the tree. */
  readonly seenMs: number;
  readonly from: PeerName | null;
  verification: 'waiting' | 'running' | 'valid';
  /** Who judges this block's votes and leader: the parent's electorate; null until the parent is valid (and for the first root). */
  judge: Electorate | null;
  /** Who judges this block's children; null until it is valid. */
  electorate: Electorate | null;
  /** By voter. Before the judge is known they wait, and may be of anybody in `voters`. */
  readonly votes: Map<string, VoteRecord[]>;
  stake: Tally;
  /** Weight of the voters whose counted vote has the parent as source, when the parent is the slot before; else nothing. */
  linkStake: Tally;
  justified: boolean;
  /** The `justified` effect is out. */
  announced: boolean;
  weight: bigint;
}

/** A finalized ancestor of the root, kept for its certificate. */
export interface TrailEntry {
  readonly header: BlockHeader;
  /** Those counted while it was open, and one of each voter that came later. */
  readonly votes: Vote[];
  readonly judge: Electorate | null;
  readonly electorate: Electorate;
}

export interface Voter {
  readonly key: string;
  readonly publicKey: PublicKey;
  /** Newest vote by target slot, whether its target is known or not. */
  latest: Vote | null;
  /** Where this voter's bond lies in the tree, and by which target slot. */
  placed: TreeNode | null;
  placedSlot: number;
  /** With what weight. */
  placedWeight: bigint;
  /** Target slot to vote, for evidence. */
  readonly records: Map<number, Vote>;
  /** No vote in `records` has a target or a source above these; kept when that one is forgotten. */
  highestTargetSlot: number;
  highestSourceSlot: number;
  /** The first vote for another target in a slot that `records` holds one of: a cheat's, needed to see finality split. */
  readonly doubles: Map<number, Vote>;
  /** Votes for unknown targets. */
  unknown: Vote[];
  /** Proven to have broken the local rule: weighs nothing in the fork choice (its votes still count towards justification). */
  equivocated: boolean;
  /** The two votes that first proved it; none before. */
  proof: readonly Vote[];
  readonly reported: Set<string>;
}

export interface PendingBlock {
  readonly header: BlockHeader;
  readonly key: string;
  readonly parentKey: string;
  readonly from: PeerName | null;
  /** Its parent is here but not verified, and its leader a stranger so far. */
  readonly isStranger: boolean;
}

/** An invalid block that may be a decoy, and who sent it. */
export interface Suspect {
  readonly header: BlockHeader;
  readonly reason: string;
  readonly peers: Set<PeerName>;
  readonly dueMs: number;
}

/** Why this node votes and leads no more, and until which slot is final (null: for good, or not known yet). */
export interface Silence {
  readonly reason: 'twin' | 'votesLost' | 'conflict';
  readonly untilSlot: Slot | null;
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
  /** Say nothing, or null. */
  silence: Silence | null;
}

export interface OwnLeading {
  highestProducedSlot: number;
  /** The block being built upon, or null when not leading. */
  tip: TreeNode | null;
  /** The slot being produced on it. */
  nextSlot: number;
  /** Whether the best block could be built upon at the last look, and since when. */
  hadRoom: boolean;
  roomSinceMs: number;
}

/** The local idea of which slot it may be by now. */
export interface Schedule {
  anchorSlot: number;
  anchorMs: number;
  /** Not yet: anything goes. */
  anchored: boolean;
  /** Of all blocks followed in this life. */
  highestSlot: number;
}

export interface ConsensusState {
  readonly rules: Rules;
  nowMs: number;
  readonly startedMs: number;
  peersReady: boolean;
  peersReadyMs: number;
  root: TreeNode;
  readonly trail: Map<string, TrailEntry>;
  readonly nodes: Map<string, TreeNode>;
  /** Slot to every distinct proposal in the tree, for evidence and for the bound on double proposals. */
  readonly proposals: Map<number, BlockHeader[]>;
  /** `leader:slot` of reported double proposals above the root. */
  readonly reportedProposals: Map<string, number>;
  /** Invalid blocks by key, with their slot. */
  readonly invalid: Map<string, number>;
  readonly pending: Map<string, PendingBlock>;
  readonly voters: Map<string, Voter>;
  /** The electorates of the verified blocks of the tree and of the trail, by their members. */
  readonly electorates: Map<readonly Member[], { readonly electorate: Electorate; uses: number }>;
  /** By leader, the slots of its offences by their marks (distrust.ts). */
  readonly offences: Map<string, Map<string, number>>;
  readonly suspects: Map<string, Suspect>;
  /** Known decoys by block key; the secret of an own one comes with its reveal. */
  readonly decoys: Map<string, { readonly slot: number; readonly secret: Uint8Array | null }>;
  /** Blocks known to be off this node's final chain, by key, with their slot (conflict.ts). */
  readonly offChain: Map<string, number>;
  conflicted: boolean;
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
