/**
 * What this node does when the consensus machine asks: verify, persist, produce, send, finalize.
 *
 * Invariants
 * - `finalize` settles a block only after history and op log hold it durably, and a hand-over at it is kept, if one was due; in the order of the chain.
 * - A block is `verified {valid: false}` only when it breaks a rule; any other failure while checking it is fatal.
 * - A block is durable in the pending store before the machine hears that it is verified or produced.
 */
import { byteKey, type Hash, type PublicKey, type Slot } from '../../../native/index.ts';
import {
  type Block,
  blockTransactions,
  blockVotes,
  type Certificate,
  encodeBase58,
  type Vote,
} from '../../codec/index.ts';
import type { ConsensusEvent, Evidence } from '../../consensus/index.ts';
import type { PeerName } from '../../net/transport.ts';
import type { Clock } from '../clock.ts';
import type { FinalityLog } from '../finality-log.ts';
import type { Logger } from '../log.ts';
import type { Mempool } from '../mempool.ts';
import type { Producer } from '../producer.ts';
import type { BlockSource } from '../relay/block-source.ts';
import type { TransactionIndex } from '../transaction-index.ts';
import type { BlockTree } from './block-tree.ts';
import { BlockRefused, type ChainBlock, settleBlock } from './chain-block.ts';
import type { ChainStore } from './chain-store.ts';
import { type CheckDeps, checkBlock } from './check-block.ts';
import type { ConsensusActions } from './consensus-driver.ts';
import { isLeftBranch } from './left-branch.ts';

export interface EffectDeps {
  readonly check: CheckDeps;
  readonly store: ChainStore;
  readonly tree: BlockTree;
  readonly mempool: Mempool;
  readonly transactions: TransactionIndex;
  readonly finality: FinalityLog;
  readonly clock: Clock;
  readonly log: Logger;
  /** null for a node that does not validate. */
  readonly producer: () => Producer | null;
  readonly blocks: () => BlockSource;
  readonly feed: (event: ConsensusEvent) => void;
  /** Whether the machine holds a block, and takes it for valid. */
  readonly isKept: (hash: Hash) => boolean;
  readonly gossipVote: (vote: Vote, again: boolean) => void;
  /** Takes the votes of a block whose signatures were checked with it. */
  readonly takeVotes: (votes: readonly Vote[]) => void;
  readonly ban: (peer: PeerName, reason: string) => void;
  /** A peer has done what may be a fault: it counts against it, and fades. */
  readonly suspect: (peer: PeerName, code: string) => void;
  /** Misbehaviour was found. */
  readonly onEvidence: (evidence: Evidence) => void;
  /** A block was executed here, whoever made it. */
  readonly onExecuted: (block: ChainBlock) => void;
  /** A wrong state root was found in an otherwise good block: only a liar does anything with it. */
  readonly onWrongRoot?: ((header: ChainBlock['header']) => void) | undefined;
  readonly onFatal: (error: Error) => void;
}

/** Votes of a quorum that make a block final which is not on this node's final chain. */
export interface FinalityConflict {
  readonly slot: Slot;
  readonly hash: Hash;
  readonly votes: readonly Vote[];
}

/** Whose misbehaviour it is. */
export function culpritOf(evidence: Evidence): PublicKey {
  if (evidence.kind === 'invalidBlock') return evidence.header.leader;
  if (evidence.kind === 'doubleProposal') return evidence.a.leader;
  return evidence.kind === 'decoyVote' ? evidence.vote.voter : evidence.a.voter;
}

export class ConsensusEffects implements ConsensusActions {
  readonly #deps: EffectDeps;
  /** Own blocks are persisted one after the other, in the order in which they were closed. */
  #persisting: Promise<void> = Promise.resolve();
  readonly #verifying = new Set<Promise<void>>();
  #justified: Hash;
  readonly counts: { evidence: number; refused: number; decoys: number } = { evidence: 0, refused: 0, decoys: 0 };
  #conflict: FinalityConflict | null = null;

  constructor(deps: EffectDeps) {
    this.#deps = deps;
    this.#justified = deps.tree.root.header.hash;
  }

  /** Hash of the highest justified block. */
  get justifiedHash(): Hash {
    return this.#justified;
  }

  /** The proof that finality has split, if it has: this node votes and leads no more. */
  get conflictFound(): FinalityConflict | null {
    return this.#conflict;
  }

  /** Takes a block this node has just closed: durable first, then known to consensus and to peers. */
  produced(block: ChainBlock): void {
    const { store, tree, transactions, feed, finality, clock } = this.#deps;
    finality.seen(block.header.slot, clock.nowMs());
    this.#persisting = this.#persisting
      .then(() => store.persistProduced(block.block!))
      .then(() => {
        tree.addVerified(block);
        transactions.add(block.block!);
        feed({ kind: 'produced', header: block.header, electorate: block.electorate, reveals: block.reveals });
        // A lead that has ended by now: the machine has dropped the block, and nobody else would take it.
        if (!this.#deps.isKept(block.header.hash)) return;
        this.#deps.onExecuted(block);
        this.#deps.blocks().push(block.block!.bytes);
      })
      .catch((error: Error) => this.#deps.onFatal(error));
  }

  /** Takes a decoy this node has just signed: its slot is used up for good before anybody sees it. */
  decoyed({ header, bytes }: Block): void {
    const { store, feed, log } = this.#deps;
    this.counts.decoys += 1;
    this.#persisting = this.#persisting
      .then(() => store.persistProducedSlot(header.slot))
      .then(() => {
        if (!this.#deps.isKept(header.parentHash)) return;
        log.info({ slot: header.slot }, 'a decoy goes out');
        feed({ kind: 'decoyed', header });
        this.#deps.blocks().push(bytes);
      })
      .catch((error: Error) => this.#deps.onFatal(error));
  }

  /** Resolves when no block is being verified or written. */
  async idle(): Promise<void> {
    await Promise.all([this.#persisting, ...this.#verifying]);
  }

  verifyBlock(hash: Hash): void {
    const verifying = this.#verify(hash)
      .catch((error: Error) => this.#deps.onFatal(error))
      .finally(() => this.#verifying.delete(verifying));
    this.#verifying.add(verifying);
  }

  async #verify(hash: Hash): Promise<void> {
    const { tree, store, feed, check, transactions, log } = this.#deps;
    const block = tree.body(hash);
    const parent = block === undefined ? undefined : tree.verified(block.header.parentHash);
    if (block === undefined || parent === undefined) return;
    try {
      const checked = await checkBlock(check, parent, block);
      await store.persistBlock(block);
      tree.addVerified(checked);
      transactions.add(block);
      const { electorate, reveals } = checked;
      feed({ kind: 'verified', hash, valid: true, electorate, reveals });
      // Before that the machine may not have known a new voter.
      this.#deps.takeVotes(blockVotes(block.entries));
      this.#deps.onExecuted(checked);
    } catch (error) {
      // Finality has left the branch this block builds on: nobody waits for the answer.
      if (isLeftBranch(error)) return;
      if (!(error instanceof BlockRefused)) throw error;
      this.counts.refused += 1;
      log.warn({ height: block.header.height, code: error.code, message: error.message }, 'block refused');
      const decoyLike = error.code === 'wrong-state-root';
      feed({ kind: 'verified', hash, valid: false, reason: `${error.code}: ${error.message}`, decoyLike });
      if (decoyLike) this.#deps.onWrongRoot?.(block.header);
    }
  }

  requestBlock(hash: Hash, from: string | null): void {
    void this.#deps.blocks().fetchBlock(hash, from);
  }

  requestRange(fromHeight: number, toHeight: number, from: string | null): void {
    void this.#deps.blocks().fetchRange(fromHeight, toHeight, from);
  }

  persistVote(vote: Vote): Promise<void> {
    return this.#deps.store.persistVote(vote);
  }

  sendVote(vote: Vote, again: boolean): void {
    this.#deps.gossipVote(vote, again);
  }

  includeVote(vote: Vote): void {
    this.#deps.producer()?.includeVote(vote);
  }

  lead(parentHash: Hash, slot: Slot, votes: readonly Vote[]): void {
    const parent = this.#deps.tree.verified(parentHash);
    if (parent === undefined) throw new RangeError('asked to lead on a block that is not verified here');
    this.#deps.log.info({ slot, parent: parent.header.height }, 'leading');
    this.#deps.producer()?.lead(parent, slot, votes);
  }

  stopLeading(): void {
    this.#deps.log.info('no longer leading');
    this.#deps.producer()?.stop();
  }

  bestChanged(hash: Hash): void {
    const { tree, mempool } = this.#deps;
    const before = tree.best;
    const best = tree.setBest(hash);
    if (best.block === null) return;
    // One step forward is the rule; after a switch of branches all of the new one is marked.
    const isStep = byteKey(best.header.parentHash) === byteKey(before.header.hash);
    for (const block of isStep ? [best] : tree.branch(best)) mempool.include(blockTransactions(block.block!.entries));
  }

  async justified(hash: Hash, votes: readonly Vote[]): Promise<void> {
    this.#justified = hash;
    await this.#deps.store.persistCertificate(hash, votes);
  }

  async finalize(hashes: readonly Hash[], certificate: Certificate): Promise<void> {
    const blocks = hashes.map((hash) => this.#deps.tree.verified(hash)!);
    const { store } = this.#deps;
    const last = blocks.at(-1);
    for (const block of blocks) {
      await (block === last ? store.finalizeLast(block, certificate) : store.finalize(block));
      this.#settle(block);
    }
    if (last !== undefined) await store.persistFinality(last, certificate);
  }

  /** The block is durable in history and op log: makes it the root and tells everybody. */
  #settle(block: ChainBlock): void {
    const { tree, mempool, transactions, finality, clock, check } = this.#deps;
    const { height, slot, hash, pohCount } = block.header;
    settleBlock(block);
    tree.advanceRoot(block);
    const included = blockTransactions(block.block!.entries);
    mempool.drop(included);
    const oldest = Math.max(0, slot + 1 - check.rules.recencyWindowSlots) * check.rules.hashesPerSlot;
    mempool.expire(oldest as typeof pohCount);
    transactions.remove(block.block!);
    finality.add({ height, slot, hash, pohCount, ids: included.map(({ id }) => id) }, clock.nowMs());
  }

  async prune(hashes: readonly Hash[]): Promise<void> {
    const { tree, store, mempool, transactions } = this.#deps;
    for (const hash of hashes) {
      const block = tree.forget(hash);
      if (block === undefined) continue;
      transactions.remove(block);
      // Those that another unfinalized block holds go on waiting for that one.
      mempool.release(blockTransactions(block.entries).filter(({ id }) => transactions.holding(id).length === 0));
    }
    await store.forget(hashes);
  }

  evidence(evidence: Evidence): void {
    this.counts.evidence += 1;
    this.#deps.log.warn({ kind: evidence.kind, who: encodeBase58(culpritOf(evidence)) }, 'evidence of misbehaviour');
    this.#deps.onEvidence(evidence);
  }

  conflict(slot: Slot, hash: Hash, votes: readonly Vote[]): void {
    this.#conflict = { slot, hash, votes };
    this.#deps.log.fatal(
      { slot, hash: encodeBase58(hash), voters: votes.map(({ voter }) => encodeBase58(voter)) },
      'finality has split: more than 1/3 of the bonds have cheated. This node votes and leads no more; decide which chain to trust',
    );
  }

  peerFault(peer: string, code: string): void {
    if (code === 'unrevealedDecoy') this.#deps.suspect(peer, code);
    else this.#deps.ban(peer, code);
  }
}
