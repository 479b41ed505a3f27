/**
 * The generator's side of a block: fills the current slot with batches of transactions and votes, and closes it at its last tick.
 *
 * Invariants
 * - A transaction is executed on the slot's overlay before its batch is mixed into the sequence; a batch that the sequence did not take (the slot
 *   closed first) is rolled back and its transactions go back to the front of the mempool, in order.
 * - Never two blocks of this key in one slot: a slot that was closed once is not opened again, whatever is asked.
 * - At most one batch is between execution and mixin, so entries, counts and execution order agree.
 * - A block extends exactly the parent it was opened on. Every change of parent starts the sequence anew from that parent's last hash.
 * - No slot is opened, after the first one asked for, that by the chain is another's.
 * - A decoy uses up its slot like a block; the next one stands on the decoy's parent, with the same votes and transactions.
 * - Nothing here persists or announces: the caller does, before it shows the block to anybody.
 */
import { type Hash, type PohCount, type PublicKey, type Slot, slot as toSlot } from '../../native/index.ts';
import {
  addressOf,
  BLOCK_SIZE_BYTES_MAX,
  type Block,
  blockVotes,
  decoyRoot,
  ENTRY_HEAD_SIZE_BYTES,
  itemsRoot,
  type SigningKey,
  type Transaction,
  VOTE_SIZE_BYTES,
  type Vote,
} from '../codec/index.ts';
import type { Refusal } from '../ledger/index.ts';
import type { PohPoint } from '../poh/index.ts';
import type { ChainBlock } from './chain/chain-block.ts';
import { type CheckDeps, isBonded } from './chain/check-block.ts';
import { isLeftBranch } from './chain/left-branch.ts';
import { after, type Clock, systemClock } from './clock.ts';
import type { Mempool } from './mempool.ts';
import {
  keepUnmixed,
  newOpenSlot,
  type OpenSlot,
  seal,
  signOpen,
  takeBackUnmixed,
  transactionsOf,
} from './open-slot.ts';
import type { PohService } from './threads/poh-service.ts';

/** Most transactions mixed in at once: bounds how long execution holds the event loop. */
const BATCH_TRANSACTIONS_MAX = 256;
/** How long transactions may gather before they are mixed in. */
const BATCH_INTERVAL_MS = 20;
/** Most votes in one block. */
const BLOCK_VOTES_MAX = 4096;

export interface ProducerDeps extends Pick<CheckDeps, 'kernels' | 'rules' | 'idSecret'> {
  readonly poh: PohService;
  /** The machine's unless given. */
  readonly clock?: Clock;
  readonly mempool: Mempool;
  readonly key: SigningKey;
  /** Called once a slot's block is closed and signed; production of the next slot has begun by then. */
  readonly onBlock: (block: ChainBlock) => void;
  /** Whether this key may lead a slot on a parent, by the chain alone: it goes on into no slot that is another's, whoever is slow to say so. */
  readonly mayLead: (parent: ChainBlock, slot: Slot) => boolean;
  /** Asked as a slot closes: a secret makes its block a decoy, signed with a state root that nobody can have computed (src/consensus/decoys.ts); null as a rule. */
  readonly decoySecret?: ((parent: ChainBlock, slot: Slot) => Uint8Array | null) | undefined;
  /** Called with a decoy; the next slot is being produced on the same parent as soon as this returns, and must hold its reveal. */
  readonly onDecoy?: ((decoy: Block, secret: Uint8Array) => void) | undefined;
  /** Only a liar's: transactions it leaves out. */
  readonly leavesOut?: ((transaction: Transaction) => boolean) | undefined;
  /** Called for each transaction that execution refused, with its reason. */
  readonly onRefused: (transaction: Transaction, refusal: Refusal) => void;
  /** Called when production broke an invariant or lost its thread: the node must stop. */
  readonly onError: (error: Error) => void;
}

export class Producer {
  readonly #deps: ProducerDeps;
  #open: OpenSlot | null = null;
  #filling = false;
  #cancelFill: () => void = () => {};
  #isScheduled = false;
  #votes: Vote[] = [];
  #produced = 0;
  #closedSlot = 0;

  constructor(deps: ProducerDeps) {
    this.#deps = deps;
    deps.poh.onTick((_, count, hash) => this.#tick(count, hash));
    deps.mempool.onWaiting(() => this.#wake());
    deps.poh.onSlotEnd((slot, count, pohHash) => this.#close(slot, count, pohHash));
  }

  /** Blocks closed since the start. */
  get producedCount(): number {
    return this.#produced;
  }

  get publicKey(): PublicKey {
    return this.#deps.key.publicKey;
  }

  get isLeading(): boolean {
    return this.#open !== null;
  }

  /** Starts the sequence anew on `parent`, with `slot` as the first slot and `votes` to go into it; goes on slot after slot until `stop`. */
  lead(parent: ChainBlock, slot: Slot, votes: readonly Vote[]): void {
    this.stop();
    // The word that this slot is used up is still on its way to whoever asks.
    if (slot <= this.#closedSlot) return;
    this.#votes = [...votes];
    const { header } = parent;
    const at = { count: header.pohCount, hash: header.pohHash, slot, parentHash: header.hash };
    this.#openOn(parent, slot, () => this.#deps.poh.start(at));
  }

  /** Puts a vote into the block being produced, or the next. Dropped when this node does not lead. */
  includeVote(vote: Vote): void {
    if (this.#open !== null && this.#votes.length < BLOCK_VOTES_MAX) this.#votes.push(vote);
    this.#wake();
  }

  /** Opens a slot: its first entry mixes in the parent's hash. */
  #openOn(parent: ChainBlock, slot: Slot, begin: () => Promise<PohPoint>): void {
    const open = newOpenSlot(this.#deps, parent, slot);
    this.#open = open;
    begin().then(
      (mixed) => {
        open.entries.push({ kind: 'parent', ...mixed });
        if (open === this.#open) this.#schedule(0);
      },
      // A service that was stopped meanwhile refuses: only a slot that is still wanted makes that an error.
      (error) => open === this.#open && this.#deps.onError(error),
    );
  }

  /** Ticks before the parent entry belong to a sequence that was left. */
  #tick(count: PohCount, hash: Hash): void {
    const open = this.#open;
    if (open === null || open.entries.length === 0) return;
    open.entries.push({ kind: 'tick', count, hash });
    open.sizeBytes += ENTRY_HEAD_SIZE_BYTES;
  }

  /** Stops producing: the open slot is thrown away, its transactions wait again. The sequence runs on to the end of the slot, unheard, and waits there. */
  stop(): void {
    this.#cancelFill();
    this.#isScheduled = false;
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    // In this order: what was mixed in came before the batch under way, and each call puts before all that waits.
    this.#deps.mempool.putBack(open.unmixedBatch);
    this.#deps.mempool.release(transactionsOf(open));
  }

  /** Finality has left the branch this node builds on: its block would be nobody's. All else is an error. */
  #failed(error: Error): void {
    if (isLeftBranch(error)) this.stop();
    else this.#deps.onError(error);
  }

  #schedule(delayMs: number): void {
    this.#cancelFill();
    this.#isScheduled = true;
    const fill = (): void => {
      this.#isScheduled = false;
      void this.#fill().catch((error) => this.#failed(error));
    };
    this.#cancelFill = after(this.#deps.clock ?? systemClock, delayMs, fill);
  }

  /** Something has begun to wait: it goes in at the next interval, as when one fill follows another. */
  #wake(): void {
    const isReady = this.#open !== null && this.#open.entries.length > 0;
    if (isReady && !this.#filling && !this.#isScheduled) this.#schedule(BATCH_INTERVAL_MS);
  }

  /** Whether a later fill of the open slot would find something. */
  #hasWork(open: OpenSlot): boolean {
    return this.#deps.mempool.waitingCount > 0 || this.#votes.some(({ targetSlot }) => targetSlot < open.slot);
  }

  /** Mixes in what waits, one batch at a time, then comes back after the interval. */
  async #fill(): Promise<void> {
    const open = this.#open;
    if (open === null || this.#filling || open.entries.length === 0) return;
    this.#filling = true;
    let full = false;
    try {
      await this.#includeVotes(open);
      if (open === this.#open) full = await this.#includeTransactions(open);
    } finally {
      this.#filling = false;
      if (this.#open !== null && this.#hasWork(this.#open))
        this.#schedule(full && open === this.#open ? 0 : BATCH_INTERVAL_MS);
    }
  }

  /** Mixes in the votes that may stand in this slot; those for this slot's own or later blocks wait for a later one. */
  async #includeVotes(open: OpenSlot): Promise<void> {
    // A voter may have a bond on another branch only.
    this.#votes = this.#votes.filter(({ voter }) => isBonded(open.parent, voter));
    const fitting = this.#votes.filter(({ targetSlot }) => targetSlot < open.slot);
    const roomBytes = Math.max(0, BLOCK_SIZE_BYTES_MAX - open.sizeBytes);
    const countMax = Math.min(BLOCK_VOTES_MAX - open.voteCount, Math.floor(roomBytes / VOTE_SIZE_BYTES));
    const votes = fitting.slice(0, countMax);
    if (votes.length === 0) return;
    this.#votes = this.#votes.filter((vote) => !votes.includes(vote));
    const mixed = await this.#mixin(open, votes);
    if (mixed === null) {
      if (this.#open !== null) this.#votes.unshift(...votes);
      return;
    }
    open.voteCount += votes.length;
    open.sizeBytes += votes.length * VOTE_SIZE_BYTES;
    open.entries.push({ kind: 'votes', ...mixed, votes });
  }

  /** Executes and mixes in one batch; answers whether more may be waiting. */
  async #includeTransactions(open: OpenSlot): Promise<boolean> {
    const { mempool } = this.#deps;
    const room = Math.min(
      BATCH_TRANSACTIONS_MAX,
      this.#deps.rules.blockTransactionsMax - open.execution.transactionCount,
    );
    const taken = open.sizeBytes < BLOCK_SIZE_BYTES_MAX ? mempool.take(room) : [];
    if (taken.length === 0) return false;
    open.unmixed = open.execution.savepoint();
    open.unmixedBatch = taken;
    const batch = this.#execute(open, taken);
    if (batch.length === 0) {
      keepUnmixed(open);
      return taken.length === room;
    }
    const mixed = await this.#mixin(open, batch);
    if (mixed === null) {
      // The slot closed before the batch was mixed in (`#close` took these writes back), or this node no longer leads.
      mempool.putBack(batch);
      return false;
    }
    open.entries.push({ kind: 'transactions', ...mixed, transactions: batch });
    open.sizeBytes += batch.reduce((sum, { bytes }) => sum + bytes.length + 2, 64);
    keepUnmixed(open);
    mempool.include(batch);
    return taken.length === room;
  }

  /** Executes transactions in order; what is refused is reported and dropped. */
  #execute(open: OpenSlot, transactions: readonly Transaction[]): Transaction[] {
    const batch: Transaction[] = [];
    for (const transaction of transactions) {
      if (this.#deps.leavesOut?.(transaction) === true) {
        this.#deps.mempool.drop([transaction]);
        continue;
      }
      const facts = { signatureValid: true, sender: addressOf(transaction.from) };
      const refusal = open.execution.apply(transaction, facts);
      if (refusal === null) batch.push(transaction);
      else this.#refused(transaction, refusal);
    }
    return batch;
  }

  #refused(transaction: Transaction, refusal: Refusal): void {
    this.#deps.mempool.drop([transaction]);
    this.#deps.onRefused(transaction, refusal);
  }

  /** Where the items' root stands in the sequence; null when it does not stand in this slot. */
  async #mixin(open: OpenSlot, items: readonly { readonly bytes: Uint8Array }[]): Promise<PohPoint | null> {
    try {
      const mixed = await this.#deps.poh.mixin(open.slot, itemsRoot(this.#deps.kernels, items));
      return open === this.#open ? mixed : null;
    } catch (error) {
      // A sequence that was left refuses; only the current one's failure is an error.
      if (open === this.#open) throw error;
      return null;
    }
  }

  /** The slot's last tick has come: closes the block and hands it over. */
  #close(slot: Slot, count: PohCount, pohHash: Hash): void {
    const open = this.#open;
    if (open === null || open.slot !== slot || open.entries.length === 0) return;
    try {
      takeBackUnmixed(open);
      const secret = this.#deps.decoySecret?.(open.parent, slot) ?? null;
      if (secret !== null) {
        this.#closeDecoy(open, count, pohHash, secret);
        return;
      }
      const block = seal(this.#deps, open, count, pohHash);
      this.#closedSlot = slot;
      this.#goOn(block, toSlot(slot + 1));
      this.#produced += 1;
      this.#deps.onBlock(block);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  /** Opens the next slot on a block just closed, if it is this key's too. */
  #goOn(block: ChainBlock, next: Slot): void {
    if (this.#deps.mayLead(block, next))
      this.#openOn(block, next, () => this.#deps.poh.openSlot(next, block.header.hash));
    else {
      this.#cancelFill();
      this.#open = null;
    }
  }

  /** Signs the slot's block with a root that no execution gives, and begins the next slot on the same parent with all that was in it. */
  #closeDecoy(open: OpenSlot, count: PohCount, pohHash: Hash, secret: Uint8Array): void {
    const { kernels, rules, onDecoy } = this.#deps;
    const decoy = signOpen(this.#deps, open, count, pohHash, decoyRoot(kernels, rules.chainId, secret));
    this.#closedSlot = open.slot;
    const votes = [...blockVotes(open.entries), ...this.#votes];
    onDecoy?.(decoy, secret);
    this.lead(open.parent, toSlot(open.slot + 1), votes);
  }
}
