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
 * - The votes inside every received block are fed as `vote` events too: after the `block` event, and once more after its `verified`
 *   (before that the machine may not know a new validator yet, and takes no vote of a stranger).
 * - The electorate fed with a block is the ledger's, worked out by executing it; blocks of one epoch of one chain share its `members` array.
 * - After `decoyed` the leader goes on by itself: its next slot, on the same parent, with the reveal inside.
 * - Serve and forward only blocks verified here, and votes whose signature has been checked: else an honest peer is blamed for
 *   what it could have known to be wrong (`peerFault`).
 * - Never sign two headers for one slot, whatever effects say (a `stopLeading` can cross a block just finished).
 */
import type { Hash, Height, PublicKey, Slot } from '../../native/index.ts';
import type { BlockHeader, Certificate, Vote } from '../codec/model.ts';
import type { Electorate } from './electorate.ts';

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
  /** Slots in one epoch, >= 8. */
  readonly slotsPerEpoch: number;
  /** Slots after which the lead passes on by schedule; 0: never, else >= 2 * timeoutSlots. */
  readonly termSlots: number;
}

export interface ConsensusConfig {
  readonly parameters: ConsensusParameters;
  /** This node's key, or null for an observer. A key that is in no electorate observes until it is in one. */
  readonly own: PublicKey | null;
}

/** What a node knows from its disk when it starts. */
export interface ConsensusStart {
  /** The newest finalized block: genesis on a first start. */
  readonly root: BlockHeader;
  /** The electorate after the root: who judges its children. At least one member. */
  readonly electorate: Electorate;
  /**
   * The vote file was absent though this key may have voted before: no vote and no lead until finality has passed every slot those votes
   * can have been for (`silenceOf` says until which slot). False on a first start.
   */
  readonly votesLost: boolean;
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

/** What executing a block shows. */
export interface Executed {
  /** The electorate after the block: who judges and leads its children. */
  readonly electorate: Electorate;
  /** Decoys this block's transactions own up to. */
  readonly reveals: readonly DecoyReveal[];
}

/** A decoy owned up to: the secret shows that its leader never meant it to be valid. */
export interface DecoyReveal {
  /** Of the decoy's header. */
  readonly hash: Hash;
  /** Of the decoy. */
  readonly slot: Slot;
  /** 32 bytes; SHA-256('cairn/decoy/1' || chainId || secret) is the decoy's state root. */
  readonly secret: Uint8Array;
}

export type ConsensusEvent =
  /** A block arrived (from a peer), or is fed again from the pending store after a restart (`from` null, parents first). */
  | { readonly kind: 'block'; readonly header: BlockHeader; readonly from: PeerName | null }
  /** This node finished and persisted its own block. */
  | ({ readonly kind: 'produced'; readonly header: BlockHeader } & Executed)
  /** This node has sent out a decoy: a signed block with a state root nobody can know an execution for. Its slot is used up. */
  | { readonly kind: 'decoyed'; readonly header: BlockHeader }
  /** Answer to `verifyBlock`: re-executed and persisted. */
  | ({ readonly kind: 'verified'; readonly hash: Hash; readonly valid: true } & Executed)
  /**
   * Answer to `verifyBlock`: the block breaks a rule (never: "could not be checked here"). `decoyLike`: all is right but the state root, so
   * that it may turn out to be a decoy.
   */
  | {
      readonly kind: 'verified';
      readonly hash: Hash;
      readonly valid: false;
      readonly reason: string;
      readonly decoyLike: boolean;
    }
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

/** Proof or report of misbehaviour. All but `invalidBlock` prove it to anybody. */
export type Evidence =
  | { readonly kind: 'doubleVote'; readonly a: Vote; readonly b: Vote }
  | { readonly kind: 'surroundVote'; readonly a: Vote; readonly b: Vote }
  | { readonly kind: 'doubleProposal'; readonly a: BlockHeader; readonly b: BlockHeader }
  /** A vote for a decoy: whoever casts it has not executed the block. */
  | { readonly kind: 'decoyVote'; readonly secret: Uint8Array; readonly vote: Vote }
  | { readonly kind: 'invalidBlock'; readonly header: BlockHeader; readonly reason: string };

/**
 * Why a peer's message was refused. All are objective (an honest peer would not have sent it) but `unrevealedDecoy`: a leader that died between a decoy and
 * its reveal looks the same as one that signed a wrong state root. Such a peer is to be avoided for a while, not banned for good.
 */
export type PeerFaultCode =
  | 'wrongChain'
  | 'wrongCount'
  | 'wrongHeight'
  | 'wrongSlot'
  | 'gapTooLong'
  | 'wrongLeader'
  | 'invalidBlock'
  | 'unrevealedDecoy'
  | 'invalidAncestor'
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
  /** Gossip this vote (own or another's). `again`: peers may have had it; it must get past whatever keeps repeated messages back. */
  | { readonly kind: 'sendVote'; readonly vote: Vote; readonly again: boolean }
  /**
   * While leading: put this vote into the block being produced, or the next one when that is full, in the order of these effects: the chain counts a vote only
   * when it knows its source to be justified.
   */
  | { readonly kind: 'includeVote'; readonly vote: Vote }
  /**
   * Start producing: first a block for `slot` on `parentHash` (through the skipped slots at full speed), then slot after slot,
   * each on the one before, each fed as `produced`, until `stopLeading`. `votes` belong into the first block, in this order. Before each slot the producer
   * asks `leaderOf`: its own block may have ended its lead (a hand-over, a term).
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
  /**
   * Finality has split: these votes, a quorum, link the block `hash` in `slot` to a child in the next slot, and that block is not on this node's final chain. More
   * than 1/3 have cheated. The machine votes and leads no more; an operator must decide which chain to trust.
   */
  | { readonly kind: 'conflict'; readonly slot: Slot; readonly hash: Hash; readonly votes: readonly Vote[] }
  /** Feed `wake` at this local time. Replaces every earlier `wakeAt`. */
  | { readonly kind: 'wakeAt'; readonly ms: number }
  | { readonly kind: 'peerFault'; readonly peer: PeerName; readonly code: PeerFaultCode };

export type ConsensusErrorCode = 'noValidators' | 'parameterRange' | 'wrongVoter';

/** A configuration or a call that cannot be meant; the message names the field, what was found and what is expected. */
export class ConsensusError extends Error {
  override readonly name = 'ConsensusError';
  readonly code: ConsensusErrorCode;
  constructor(code: ConsensusErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
