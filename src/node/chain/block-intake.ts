/**
 * The door for blocks and votes from outside: what passes has the right chain, the name of somebody with a bond on it and a good signature; only then does the
 * consensus machine hear of it.
 *
 * Invariants
 * - A block already held is not checked or fed again. A block's votes are fed after the block.
 * - A bad signature, or a body that is not the header's, is the sender's fault. Nothing of a stranger's message is kept: strangers cost a look-up, no memory.
 */
import { type Hash, type Kernels, type PublicKey, sameBytes } from '../../../native/index.ts';
import { type Block, type BlockHeader, blockVotes, CodecError, decodeVote, type Vote } from '../../codec/index.ts';
import type { ConsensusEvent } from '../../consensus/index.ts';
import { type GossipVerdict, PeerFault, type PeerName } from '../../net/transport.ts';
import type { SignatureChecks } from '../signature-checks.ts';
import { blockBodyFault } from './block-body.ts';
import type { BlockTree } from './block-tree.ts';
import { isBonded } from './check-block.ts';

export interface IntakeDeps {
  readonly kernels: Kernels;
  readonly chainId: Hash;
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
    this.#require(sameBytes(header.chainId, this.#deps.chainId), from, 'wrong-chain', 'a block of another chain');
    if (this.#deps.tree.body(header.hash) !== undefined || header.height <= this.#deps.tree.root.header.height) return;
    // A stranger may be a validator of a block that is not here yet: nobody is blamed, and the block comes again when it is wanted.
    if (!this.#isKnown(header.leader)) return;
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
    const known = votes.filter(({ voter }) => this.#isKnown(voter));
    const verdicts = await this.#deps.signatures.votes(known);
    this.checkedVotes(
      known.filter((_, index) => verdicts[index]),
      from,
    );
  }

  /** Takes votes whose signatures were checked. */
  checkedVotes(votes: readonly Vote[], from: PeerName | null): void {
    for (const vote of votes) this.#deps.feed({ kind: 'vote', vote, from });
  }

  /** Judges a gossiped vote and, when it is good, feeds it. */
  gossipedVote(message: Uint8Array, from: PeerName): GossipVerdict {
    let vote: Vote;
    try {
      vote = decodeVote(new Uint8Array(message));
    } catch (error) {
      if (error instanceof CodecError) return 'reject';
      throw error;
    }
    if (!this.#isKnown(vote.voter)) return 'ignore';
    if (!this.#deps.signatures.vote(vote)) return 'reject';
    this.#deps.feed({ kind: 'vote', vote, from });
    return 'accept';
  }

  /** Whether a key has a bond, in the newest states here. */
  #isKnown(key: PublicKey): boolean {
    const { best, root } = this.#deps.tree;
    return isBonded(best, key) || isBonded(root, key);
  }

  #require(holds: boolean, from: PeerName | null, code: string, message: string): void {
    if (holds) return;
    this.counts.refused += 1;
    throw new PeerFault(from ?? 'own disk', code, message);
  }
}
