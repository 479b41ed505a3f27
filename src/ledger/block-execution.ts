/**
 * Execution of one block, by its leader as it fills and by everybody else when it arrives: both go through the same object, so both make the
 * same ops in the same order.
 *
 *   const execution = BlockExecution.start({ rules, slot, leader, parent, segmentCount, recent, state });   // parent's window and state
 *   execution.apply(transaction, facts)       // leader: leave out what is refused; others: use executeBlock
 *   execution.executeVotes(votes)             // all that stand in the block, in order, also when there are none; apply nothing afterwards
 *   execution.compact(activity)               // the parent's: rent, evictions
 *   execution.electorate()                    // who judges and leads the block's children
 *   execution.overlay.ops()                   // the block's batch
 *   execution.finish(pohHash)                 // the window its children are checked against
 */
import { address, type Hash, type PublicKey, type Slot } from '../../native/index.ts';
import type { ActivityReader } from '../../storage/state-reader.ts';
import type { Transaction, Vote } from '../codec/index.ts';
import type { Electorate } from '../consensus/electorate.ts';
import { beginBlock } from './bonds/block-start.ts';
import type { Reveal } from './bonds/decoy.ts';
import { electorateAfter } from './bonds/electorate-after.ts';
import { executeVotes } from './bonds/votes.ts';
import { type CompactionOutcome, compact } from './compaction.ts';
import type { BlockContext, BlockFacts, TransactionFacts } from './context.ts';
import { executeTransaction } from './execute.ts';
import type { IdSecret } from './id-set.ts';
import { invariant } from './invariant.ts';
import type { LedgerKernels, LedgerState } from './ledger-state.ts';
import { Overlay, type Savepoint } from './overlay.ts';
import { AppliedTransactions, type RecentWindow } from './recent.ts';
import { type BlockRefusal, type Refusal, refuse } from './refusal.ts';
import { designateHashes } from './replication/designated.ts';
import { forgetSeals } from './replication/seals.ts';
import type { LedgerRules } from './rules.ts';
import { ADDRESS_SIZE_BYTES } from './state-key.ts';

/** Where a block stands. */
export interface BlockPlace {
  readonly rules: LedgerRules;
  /** Hashes evictions, checks signatures in evidence. */
  readonly kernels: LedgerKernels;
  /** The block's slot, above the parent's. */
  readonly slot: Slot;
  /** Who leads the block. */
  readonly leader: PublicKey;
  /** The parent's hash and state root: its header will do. */
  readonly parent: { readonly hash: Hash; readonly stateRoot: Hash };
  /** The block header's `segmentCount`. */
  readonly segmentCount: number;
  /** The window after the parent block. */
  readonly recent: RecentWindow;
  /** The state after the parent block; not changed. */
  readonly state: LedgerState;
  /** The node's secret for its id sets; leave out in tests. */
  readonly idSecret?: IdSecret;
}

/** Opaque; from `BlockExecution.savepoint`. */
export interface ExecutionSavepoint {
  readonly applied: number;
  readonly reveals: number;
  readonly writes: Savepoint;
}

export class BlockExecution {
  readonly context: BlockContext;
  /** The block's writes over its parent's state. */
  readonly overlay: Overlay;
  #compaction: CompactionOutcome | null = null;
  #votesExecuted = false;

  private constructor(context: BlockContext, overlay: Overlay) {
    this.context = context;
    this.overlay = overlay;
  }

  /** Starts a block: makes its overlay and writes what a block writes before its first transaction (designated hashes, its parent's tally, a new epoch). */
  static start(place: BlockPlace): BlockExecution {
    const { rules, kernels, slot, leader, parent, segmentCount, recent, state } = place;
    invariant(
      slot > recent.end.slot,
      'argument',
      () => `slot ${slot} does not follow the parent's slot ${recent.end.slot}`,
    );
    const overlay = new Overlay(state);
    designateHashes(rules.replication, overlay, recent.end, slot);
    forgetSeals(rules.replication, overlay, recent.end.slot, slot);
    beginBlock(kernels, rules.consensus, overlay, { ...parent, slot: recent.end.slot }, slot, leader);
    const applied = new AppliedTransactions(place.idSecret);
    return new BlockExecution({ rules, kernels, slot, leader, segmentCount, recent, applied, reveals: [] }, overlay);
  }

  /** Transactions applied so far. */
  get transactionCount(): number {
    return this.context.applied.size;
  }

  /** Executes one transaction. Returns null when it was applied, else why it is refused, with nothing changed. */
  apply(transaction: Transaction, facts: TransactionFacts): Refusal | null {
    invariant(!this.#votesExecuted, 'compacted', () => 'a block takes no more transactions after its votes');
    const { blockTransactionsMax } = this.context.rules;
    if (this.transactionCount >= blockTransactionsMax) return tooMany(this.transactionCount + 1, blockTransactionsMax);
    return executeTransaction(this.context, this.overlay, transaction, facts);
  }

  /** A point to return to: close it with `keep` or `takeBack` before `finish`. */
  savepoint(): ExecutionSavepoint {
    return {
      applied: this.transactionCount,
      reveals: this.context.reveals.length,
      writes: this.overlay.savepoint(),
    };
  }

  /** Keeps what was applied since the savepoint, and closes it. */
  keep(savepoint: ExecutionSavepoint): void {
    this.overlay.release(savepoint.writes);
  }

  /** Undoes what was applied since the savepoint, as if it had never been, and closes it. */
  takeBack(savepoint: ExecutionSavepoint): void {
    this.overlay.rollback(savepoint.writes);
    this.context.applied.truncate(savepoint.applied);
    this.context.reveals.length = savepoint.reveals;
  }

  /**
   * Executes all votes that stand in the block, in its order: what the chain shows of finality and presence. Once, after the last transaction and before `compact`,
   * also when there are none. What does not count is passed over.
   */
  executeVotes(votes: readonly Vote[]): void {
    invariant(!this.#votesExecuted, 'compacted', () => "a block's votes are executed once");
    this.#votesExecuted = true;
    const { rules, slot, recent } = this.context;
    executeVotes(rules, this.overlay, { slot, parentSlot: recent.end.slot }, votes);
  }

  /** Who judges and leads the block's children. After `executeVotes`; blocks of one epoch of one chain share the array of members. */
  electorate(): Electorate {
    invariant(this.#votesExecuted, 'compacted', () => 'the electorate stands once the votes are executed');
    return electorateAfter(this.context.rules, this.overlay);
  }

  /** Decoys that this block has shown to be some. */
  get reveals(): readonly Reveal[] {
    return this.context.reveals;
  }

  /**
   * Ends the block's ops: moves the oldest live ones as its rules say, charges rent, evicts who cannot pay. Once, after the last transaction and with no open savepoint.
   * @param activity the log after the parent block
   */
  compact(activity: ActivityReader): CompactionOutcome {
    invariant(
      this.#votesExecuted && this.#compaction === null,
      'compacted',
      () => 'a block is compacted once, after its votes',
    );
    const { kernels, rules } = this.context;
    this.#compaction = compact(kernels, rules, this.overlay, activity);
    return this.#compaction;
  }

  /** What compaction did; null before it. */
  get compaction(): CompactionOutcome | null {
    return this.#compaction;
  }

  /** The window after this block, which ends with `pohHash`. Apply nothing afterwards. */
  finish(pohHash: Hash): RecentWindow {
    const { recent, slot, applied } = this.context;
    return recent.child({ slot, pohHash }, applied);
  }
}

/**
 * Executes all transactions of a block in order. One refusal makes the whole block invalid: drop the execution then.
 * @param facts packed, one verdict and one sender a transaction, in the same order
 */
export function executeBlock(
  execution: BlockExecution,
  transactions: readonly Transaction[],
  facts: BlockFacts,
): BlockRefusal | null {
  const count = transactions.length;
  invariant(
    facts.verdicts.length === count && facts.senders.length === count * ADDRESS_SIZE_BYTES,
    'argument',
    () => `${count} transactions need as many verdicts and senders`,
  );
  const { blockTransactionsMax } = execution.context.rules;
  if (count > blockTransactionsMax) return { index: -1, refusal: tooMany(count, blockTransactionsMax) };
  for (let index = 0; index < count; index++) {
    const refusal = execution.apply(transactions[index]!, factsAt(facts, index));
    if (refusal !== null) return { index, refusal };
  }
  return null;
}

function factsAt(facts: BlockFacts, index: number): TransactionFacts {
  const start = index * ADDRESS_SIZE_BYTES;
  return {
    signatureValid: facts.verdicts[index] === 1,
    sender: address(facts.senders.subarray(start, start + ADDRESS_SIZE_BYTES)),
  };
}

function tooMany(count: number, blockTransactionsMax: number): Refusal {
  return refuse(
    'too-many-transactions',
    `block holds ${count} transactions, at most ${blockTransactionsMax} are allowed`,
  );
}
