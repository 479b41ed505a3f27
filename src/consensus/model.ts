/**
 * The face of the consensus machine: what it is told (events), what it asks for (effects), and what it starts from.
 *
 * The machine is pure: `step(state, event, nowMs)` reads no clock, no disk, no network, no key and no random source.
 * Everything it must know arrives in an event; everything it wants done leaves as an effect. Source: docs/protocol.md.
 *
 * What the node owes the machine
 * - Events come one at a time, in one order; `nowMs` is a monotone local clock in milliseconds (any origin, not wall time).
 * - Before an event: a header's hash and leader signature, and a vote's signature, have been checked.
 * - Effects are carried out in the order given. `justified.votes` and everything before a `castVote` are durable before the
 *   vote is signed; the vote is durable before `ownVotePersisted` is fed; a block is durable before `produced` or
 *   `verified {valid: true}` is fed. A failed sync stops the node: it is never answered with an event.
 * - The votes inside every received block are fed as `vote` events too, after the `block` event.
 * - Serve and forward only blocks verified here, and votes whose signature has been checked: else an honest peer is blamed for
 *   what it could have known to be wrong (`peerFault`).
 * - Never sign two headers for one slot, whatever effects say (a `stopLeading` can cross a block just finished).
 */
import type { Amount, Hash, Height, PublicKey, Slot } from '../../native/index.ts';
import type { BlockHeader, Certificate, Vote } from '../codec/model.ts';

/** The node's own name for a peer; opaque here. */
export type PeerName = string;

/** Genesis parameters the rules depend on. */
export interface ConsensusParameters {
  readonly chainId: Hash;
  /** Local pace of one slot, in milliseconds, > 0. */
  readonly slotDurationMs: number;
  /** Slots of silence after which the turn passes to the next validator, >= 1. */
  readonly timeoutSlots: number;
  /** PoH counts in one slot: hashesPerTick * ticksPerSlot, >= 1. */
  readonly hashesPerSlot: number;
  /** How far, in blocks, a leader may run ahead of finality, >= 2. */
  readonly unfinalizedBlocksMax: number;
}

/** One genesis-bonded validator. */
export interface Validator {
  readonly publicKey: PublicKey;
  /** > 0. */
  readonly bond: Amount;
}

export interface ConsensusConfig {
  readonly parameters: ConsensusParameters;
  /** In any order; at least one; no key twice. */
  readonly validators: readonly Validator[];
  /** This node's key, or null for an observer. A key that is not among the validators observes too. */
  readonly own: PublicKey | null;
}

/** What a node knows from its disk when it starts. */
export interface ConsensusStart {
  /** The newest finalized block: genesis on a first start. */
  readonly root: BlockHeader;
  /**
   * This node's own signed votes whose target is above the root, oldest first, and at least the newest one ever signed.
   * They bind it (local rule) and are sent again.
   */
  readonly ownVotes: readonly Vote[];
  /** Highest slot this node ever signed a header for, or null. */
  readonly highestProducedSlot: Slot | null;
}

/** A vote still to be signed. */
export type VoteIntent = Omit<Vote, 'signature' | 'bytes'>;

export type ConsensusEvent =
  /** A block arrived (from a peer), or is fed again from the pending store after a restart (`from` null, parents first). */
  | { readonly kind: 'block'; readonly header: BlockHeader; readonly from: PeerName | null }
  /** This node finished and persisted its own block. */
  | { readonly kind: 'produced'; readonly header: BlockHeader }
  /** Answer to `verifyBlock`: re-executed and persisted. */
  | { readonly kind: 'verified'; readonly hash: Hash; readonly valid: true }
  /** Answer to `verifyBlock`: the block breaks a rule (never: "could not be checked here"). */
  | { readonly kind: 'verified'; readonly hash: Hash; readonly valid: false; readonly reason: string }
  /** A vote arrived by gossip, inside a block, inside a certificate, or from the disk after a restart. */
  | { readonly kind: 'vote'; readonly vote: Vote; readonly from: PeerName | null }
  /** Answer to `castVote`: signed and durable. */
  | { readonly kind: 'ownVotePersisted'; readonly vote: Vote }
  /** A peer says how far its chain reaches. A claim only: it may start fetching, nothing else. */
  | { readonly kind: 'peerTip'; readonly peer: PeerName; readonly height: Height }
  /** Enough peers are connected, and those asked have answered with their tips. */
  | { readonly kind: 'peersReady' }
  /** The time asked for by `wakeAt` has come. Feeding it early or twice does no harm. */
  | { readonly kind: 'wake' };

/** Proof or report of misbehaviour. `doubleVote`, `surroundVote` and `doubleProposal` prove it to anybody. */
export type Evidence =
  | { readonly kind: 'doubleVote'; readonly a: Vote; readonly b: Vote }
  | { readonly kind: 'surroundVote'; readonly a: Vote; readonly b: Vote }
  | { readonly kind: 'doubleProposal'; readonly a: BlockHeader; readonly b: BlockHeader }
  | { readonly kind: 'invalidBlock'; readonly header: BlockHeader; readonly reason: string };

/** Why a peer's message was refused. All are objective: an honest peer would not have sent it. */
export type PeerFaultCode =
  | 'wrongChain'
  | 'wrongCount'
  | 'wrongHeight'
  | 'wrongSlot'
  | 'gapTooLong'
  | 'unknownLeader'
  | 'wrongLeader'
  | 'invalidBlock'
  | 'invalidAncestor'
  | 'unknownVoter'
  | 'voteOrder';

export type ConsensusEffect =
  /** Re-execute this block; its parent is verified. Answer with `verified`. */
  | { readonly kind: 'verifyBlock'; readonly hash: Hash }
  /** Fetch one block; `from` null: any peer. Also repeated after a while when nothing came. */
  | { readonly kind: 'requestBlock'; readonly hash: Hash; readonly from: PeerName | null }
  /**
   * Fetch a stretch of a peer's best chain, both heights inclusive, lowest first, with the certificates it keeps for them
   * (`justified.votes`): a chain whose leader left votes out is only followed with these.
   */
  | {
      readonly kind: 'requestRange';
      readonly fromHeight: Height;
      readonly toHeight: Height;
      readonly from: PeerName | null;
    }
  /** Sign, persist, then feed `ownVotePersisted`. Never send before that: a `sendVote` follows. */
  | { readonly kind: 'castVote'; readonly vote: VoteIntent }
  /** Gossip this vote (own or another's). */
  | { readonly kind: 'sendVote'; readonly vote: Vote }
  /** While leading: put this vote into the block being produced. */
  | { readonly kind: 'includeVote'; readonly vote: Vote }
  /**
   * Start producing: first a block for `slot` on `parentHash` (through the skipped slots at full speed), then slot after slot,
   * each on the one before, each fed as `produced`, until `stopLeading`. `votes` belong into the first block.
   */
  | { readonly kind: 'lead'; readonly parentHash: Hash; readonly slot: Slot; readonly votes: readonly Vote[] }
  /** Drop the block in the making and wait. */
  | { readonly kind: 'stopLeading' }
  /** The block to build on and to answer questions from. Always verified. */
  | { readonly kind: 'bestChanged'; readonly hash: Hash }
  /** More than 2/3 voted for this verified block. Keep `votes` with the block, also once it is final, and serve them with it. */
  | { readonly kind: 'justified'; readonly hash: Hash; readonly votes: readonly Vote[] }
  /** These blocks, oldest first, are final for good. The certificate shows the last of them final: its child and the votes. */
  | { readonly kind: 'finalize'; readonly hashes: readonly Hash[]; readonly certificate: Certificate }
  /** Forget these blocks: lost branches, refused or evicted ones. A block may be asked for again later. */
  | { readonly kind: 'prune'; readonly hashes: readonly Hash[] }
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  /** Feed `wake` at this local time. Replaces every earlier `wakeAt`. */
  | { readonly kind: 'wakeAt'; readonly ms: number }
  | { readonly kind: 'peerFault'; readonly peer: PeerName; readonly code: PeerFaultCode };

export type ConsensusErrorCode = 'noValidators' | 'duplicateValidator' | 'zeroBond' | 'parameterRange' | 'wrongVoter';

/** A configuration or a call that cannot be meant; the message names the field, what was found and what is expected. */
export class ConsensusError extends Error {
  override readonly name = 'ConsensusError';
  readonly code: ConsensusErrorCode;
  constructor(code: ConsensusErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
