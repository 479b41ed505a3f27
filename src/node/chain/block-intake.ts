/**
 * The door for blocks and votes from outside: what passes has the right chain, a validator's name on it and a good signature; only then does the
 * consensus machine hear of it.
 *
 * Invariants
 * - A block already held is not checked or fed again. A block's votes are fed after the block.
 * - A bad signature, a foreign key, or a body that is not the header's is the sender's fault; nothing of such a message is kept.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import {
  type Block,
  type BlockHeader,
  blockVotes,
  CodecError,
  decodeVote,
  type Vote,
  voteMessage,
} from '../../codec/index.ts';
import type { ConsensusEvent } from '../../consensus/index.ts';
import type { LedgerRules } from '../../ledger/index.ts';
import { type GossipVerdict, PeerFault, type PeerName } from '../../net/transport.ts';
import type { SignatureChecks } from '../signature-checks.ts';
import { blockBodyFault } from './block-body.ts';
import type { BlockTree } from './block-tree.ts';

export interface IntakeDeps {
  readonly kernels: Kernels;
  readonly rules: LedgerRules;
  readonly signatures: SignatureChecks;
  readonly tree: BlockTree;
  readonly feed: (event: ConsensusEvent) => void;
  /** Called at the first sight of a good block. */
  readonly onSeen: (header: BlockHeader) => void;
  /** Called when votes could not be checked here: a thread has failed, or was stopped. */
  readonly onError: (error: Error) => void;
}

export class BlockIntake {
  readonly #deps: IntakeDeps;
  readonly counts: { received: number; refused: number } = { received: 0, refused: 0 };

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** Takes a block from a peer, or (`from` null) from the own pending store. Throws `PeerFault`. */
  block(block: Block, from: PeerName | null): void {
    const { header } = block;
    this.#require(sameBytes(header.chainId, this.#deps.rules.chainId), from, 'wrong-chain', 'a block of another chain');
    if (this.#deps.tree.body(header.hash) !== undefined || header.height <= this.#deps.tree.root.header.height) return;
    this.#requireValidator(header.leader, from);
    const fault = blockBodyFault(this.#deps.kernels, block);
    this.#require(fault === null, from, fault ?? '', 'the bytes are not what the leader named in the header signed');
    this.counts.received += 1;
    this.#deps.tree.addBody(block);
    this.#deps.onSeen(header);
    this.#deps.feed({ kind: 'block', header, from });
    // Their place in a block says nothing about who sent it: a bad one is the leader's doing.
    this.votes(blockVotes(block.entries), null).catch(this.#deps.onError);
  }

  /** Takes votes from a block, a certificate or the disk; those with bad signatures are left out. */
  async votes(votes: readonly Vote[], from: PeerName | null): Promise<void> {
    const own = votes.filter(({ voter }) => this.#deps.rules.validators.indexOf(voter) >= 0);
    const verdicts = await this.#deps.signatures.votes(own);
    for (let index = 0; index < own.length; index += 1)
      if (verdicts[index]) this.#deps.feed({ kind: 'vote', vote: own[index]!, from });
  }

  /** Judges a gossiped vote and, when it is good, feeds it. */
  gossipedVote(message: Uint8Array, from: PeerName): GossipVerdict {
    let vote: Vote;
    try {
      vote = decodeVote(Uint8Array.from(message));
    } catch (error) {
      if (error instanceof CodecError) return 'reject';
      throw error;
    }
    if (this.#deps.rules.validators.indexOf(vote.voter) < 0) return 'reject';
    if (!this.#deps.signatures.single(vote.voter, vote.signature, voteMessage(vote))) return 'reject';
    this.#deps.feed({ kind: 'vote', vote, from });
    return 'accept';
  }

  #requireValidator(key: BlockHeader['leader'], from: PeerName | null): void {
    const known = this.#deps.rules.validators.indexOf(key) >= 0;
    this.#require(known, from, 'unknown-leader', 'the header names a leader that is no validator');
  }

  #require(holds: boolean, from: PeerName | null, code: string, message: string): void {
    if (holds) return;
    this.counts.refused += 1;
    throw new PeerFault(from ?? 'own disk', code, message);
  }
}
