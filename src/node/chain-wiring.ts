/**
 * How the parts of a chain node are wired: each is handed what it needs of the others, and nothing else.
 *
 * Parts know each other through functions, read when they are called: a part may be wired to one that is made after it (`Wiring.parts` is the
 * node itself, still being put together), but must not call it before the node has started.
 */
import { type Hash, height, type PublicKey, type Slot, sameBytes, slot } from '../../native/index.ts';
import { type BlockHeader, encodeBase58, type SigningKey } from '../codec/index.ts';
import { type ConsensusEvent, electorateOf, leaderFor, leaderOf } from '../consensus/index.ts';
import { PeerFault, type Transport } from '../net/transport.ts';
import { BlockIntake } from './chain/block-intake.ts';
import type { ChainBlock } from './chain/chain-block.ts';
import type { CheckDeps } from './chain/check-block.ts';
import { ConsensusEffects } from './chain/consensus-effects.ts';
import type { ChainNodeOptions } from './chain-options.ts';
import type { ChainParts } from './chain-parts.ts';
import { ValidatorSide } from './duties/validator-side.ts';
import { blindVote } from './faults/blind-vote.ts';
import { lyingTransport } from './faults/lying-transport.ts';
import { HandOverRepair } from './hand-overs/hand-over-repair.ts';
import { HistoryPruner } from './history/history-pruner.ts';
import type { Platform } from './platform.ts';
import { Producer } from './producer.ts';
import { peerKeyMessage, type StatusMessage } from './protocols.ts';
import { BlockSource } from './relay/block-source.ts';
import { Peers } from './relay/peers.ts';
import { Submissions } from './relay/submissions.ts';
import { VoteGossip } from './relay/vote-gossip.ts';
import { servedByHash, servedByHeight } from './serve/recent-blocks.ts';
import type { PohService } from './threads/index.ts';

/** What the parts are wired with besides each other. */
export interface Wiring {
  readonly parts: ChainParts;
  readonly options: ChainNodeOptions;
  readonly platform: Platform;
  readonly check: CheckDeps;
  readonly voteGossip: () => VoteGossip;
  /** What a validator does besides voting and leading; null for an archive. */
  readonly side: () => ValidatorSide | null;
  /** Feeds the consensus machine. */
  readonly feed: (event: ConsensusEvent) => void;
  /** Ends production and voting: something the node cannot go on after. */
  readonly fail: (error: Error) => void;
}

/** The transport, or one that lies where the options say so. */
export function transportOf({ transport, byzantine, kernels, key }: ChainNodeOptions, chainId: Hash): Transport {
  if (byzantine === undefined || key === null) return transport;
  return lyingTransport(transport, byzantine, kernels, chainId, key);
}

export function newEffects(wiring: Wiring): ConsensusEffects {
  const { parts, options, check, feed, fail } = wiring;
  const { transport, store, tree, mempool, transactions, finality, clock } = parts;
  return new ConsensusEffects({
    ...{ check, store, tree, mempool, transactions, finality, clock, feed },
    log: options.log,
    producer: () => parts.producer,
    blocks: () => parts.blocks,
    isKept: (hash) => electorateOf(parts.consensus(), hash) !== null,
    gossipVote: (vote, again) => wiring.voteGossip().send(vote, again),
    takeVotes: (votes) => parts.intake.checkedVotes(votes, null),
    ban: (peer, reason) => transport.ban(peer, reason),
    suspect: (peer, code) => transport.fault(new PeerFault(peer, code, 'a block with a wrong state root')),
    onEvidence: (evidence) => wiring.side()?.evidence(evidence),
    onExecuted: (block) => wiring.side()?.executed(block),
    onWrongRoot: options.byzantine === 'lazy' ? (header) => voteBlindly(wiring, header) : undefined,
    onFatal: fail,
  });
}

/** What a lazy validator does with a block it should have refused. */
function voteBlindly({ parts, voteGossip }: Wiring, header: BlockHeader): void {
  if (parts.key !== null) voteGossip().send(blindVote(parts.consensus(), header, parts.key));
}

export function newIntake({ parts, check, feed, fail }: Wiring): BlockIntake {
  const { kernels, rules, tree, finality, clock } = parts;
  return new BlockIntake({
    ...{ kernels, tree, feed },
    chainId: rules.chainId,
    signatures: check.signatures,
    onSeen: (header) => finality.seen(header.slot, clock.nowMs()),
    onError: fail,
  });
}

export function newVoteGossip({ parts, platform }: Wiring): VoteGossip {
  const { consensus, poh } = parts.genesis;
  return new VoteGossip({
    transport: parts.transport,
    topic: `cairn/${encodeBase58(parts.rules.chainId).slice(0, 8)}/votes`,
    clock: platform.clock,
    // Half of what the machine waits before it sends again.
    repeatIntervalMs: consensus.timeoutSlots * poh.slotDurationMs,
    randomBytes: platform.randomBytes,
    oldestSlot: () => parts.tree.root.header.slot - 2 * consensus.unfinalizedBlocksMax,
    judge: (vote, from) => parts.intake.gossipedVote(vote, from),
  });
}

export function newBlockSource({ parts, options, fail }: Wiring): BlockSource {
  const { kernels, transport, store, tree } = parts;
  return new BlockSource({
    ...{ kernels, transport },
    log: options.log,
    sources: () => parts.peers.keepingBlocks(),
    byHash: (hash) => servedByHash(store, tree, hash),
    byHeight: (at) => servedByHeight(store, tree, at),
    onBlock: (block, from) => parts.intake.block(block, from),
    onVotes: (votes, from) => void parts.intake.votes(votes, from).catch(fail),
  });
}

export function newPeers({ parts, options, check, feed }: Wiring): Peers {
  const { transport, clock, rules, key } = parts;
  const keyProof = key?.sign(peerKeyMessage(rules.chainId, transport.self)) ?? null;
  return new Peers({
    ...{ transport, clock },
    log: options.log,
    chainId: rules.chainId,
    slotDurationMs: options.genesis.poh.slotDurationMs,
    bootstrap: options.bootstrap,
    status: () => ownStatus(parts, keyProof),
    isSigned: (signer, signature, message) => check.signatures.single(signer, signature, message),
    onStatus: (peer, { bestHeight }) => feed({ kind: 'peerTip', peer, height: height(bestHeight) }),
  });
}

function ownStatus(
  { rules, role, store, tree, key, rpcUrl, version }: ChainParts,
  keyProof: Uint8Array | null,
): StatusMessage {
  return {
    chainId: rules.chainId,
    role,
    startHeight: store.startHeight,
    finalizedHeight: tree.root.header.height,
    bestHeight: tree.best.header.height,
    publicKey: key?.publicKey ?? null,
    keyProof,
    rpc: rpcUrl(),
    version,
  };
}

export function newSubmissions({ parts, options, check }: Wiring): Submissions {
  const { transport, clock, mempool, genesis, tree } = parts;
  return new Submissions({
    ...check,
    ...{ transport, clock, mempool },
    log: options.log,
    slotDurationMs: genesis.poh.slotDurationMs,
    best: () => tree.best,
    nextLeader: () => nextLeader(parts) ?? tree.best.header.leader,
    leader: () => leaderPeer(parts),
  });
}

/** Where transactions go: this node when it leads, else the peer that signs as the leader of the next slot. */
function leaderPeer(parts: ChainParts): string | 'self' | null {
  if (parts.producer?.isLeading === true) return 'self';
  const leader = nextLeader(parts);
  return leader === null ? null : parts.peers.withKey(leader);
}

function nextLeader({ tree, consensus }: ChainParts): PublicKey | null {
  const { hash, slot: bestSlot } = tree.best.header;
  return leaderFor(consensus(), hash, slot(bestSlot + 1));
}

export function newProducer(wiring: Wiring, key: SigningKey, poh: PohService): Producer {
  const { parts, options, check, fail } = wiring;
  const { clock, mempool, effects, transactions } = parts;
  const isCensor = options.byzantine === 'censor';
  return new Producer({
    ...check,
    ...{ poh, clock, mempool, key },
    onBlock: (block) => effects.produced(block),
    mayLead: (parent, at) => mayLead(parts, key, parent, at),
    decoySecret: (parent, at) => wiring.side()?.decoySecret(parent, at) ?? null,
    onDecoy: (decoy, secret) => {
      effects.decoyed(decoy);
      wiring.side()?.reveal(decoy, secret);
    },
    leavesOut: isCensor ? ({ payload }) => payload.kind === 'transfer' : undefined,
    onRefused: (transaction, refusal) => transactions.drop(transaction.id, refusal),
    onError: fail,
  });
}

function mayLead({ genesis }: ChainParts, key: SigningKey, { electorate, header }: ChainBlock, at: Slot): boolean {
  const leader = leaderOf(electorate, header, at, genesis.consensus);
  return leader !== null && sameBytes(leader, key.publicKey);
}

export function newSide({ parts, options, platform }: Wiring, key: SigningKey): ValidatorSide {
  return new ValidatorSide({
    ...{ parts, key },
    log: options.log,
    randomBytes: platform.randomBytes,
    wallClockMs: platform.wallClockMs(),
    nextLeader: () => nextLeader(parts),
  });
}

export function newRepair({ parts, options, check }: Wiring): HandOverRepair {
  const { kernels, transport, store, peers, tree, rules } = parts;
  return new HandOverRepair({
    ...{ kernels, transport, store },
    signatures: check.signatures,
    chainId: rules.chainId,
    peers: () => peers.keepingBlocks(),
    final: () => tree.root,
    log: options.log,
  });
}

/** Null for a node that keeps everything. */
export function newPruner({ parts, options, fail }: Wiring): HistoryPruner | null {
  const { history: keeping, log } = options;
  if (keeping === undefined || keeping.mode === 'archive') return null;
  const { store, rules, tree } = parts;
  return new HistoryPruner({ store, keeping, rules, final: () => tree.root, log, onFatal: fail });
}
