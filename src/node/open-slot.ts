/**
 * One slot of the generator's while it is being filled, and the block it is closed into.
 *
 * Invariants
 * - At most one batch is executed and not yet mixed into the sequence; it is kept, or taken back, before the slot is closed.
 * - What is sealed says of its state what execution made of exactly its entries.
 */
import { type Hash, height, type PohCount, type Slot } from '../../native/index.ts';
import {
  assembleBlock,
  type Block,
  blockVotes,
  countTransactions,
  type Entry,
  entriesRoot,
  entryMixins,
  type SigningKey,
  signHeader,
  type Transaction,
} from '../codec/index.ts';
import type { BlockExecution, ExecutionSavepoint } from '../ledger/index.ts';
import type { ChainBlock } from './chain/chain-block.ts';
import { batchOf, type CheckDeps, completed, startExecution } from './chain/check-block.ts';

/** Bytes kept free in a block: the last batch may pass the mark by 256 transactions of 2,202 bytes, and the slot's last ticks come after it. */
const BLOCK_RESERVE_BYTES: number = 640 * 1024;

/** One slot being filled. */
export interface OpenSlot {
  readonly parent: ChainBlock;
  readonly slot: Slot;
  readonly execution: BlockExecution;
  /** Set while a batch is executed but not yet mixed in: where to return to if the slot closes first. */
  unmixed: ExecutionSavepoint | null;
  /** That batch's transactions, until they stand in the block or wait again. */
  unmixedBatch: readonly Transaction[];
  readonly entries: Entry[];
  sizeBytes: number;
  voteCount: number;
}

/** What slots are opened and closed with. */
export interface SlotDeps extends Pick<CheckDeps, 'kernels' | 'rules' | 'idSecret'> {
  readonly key: SigningKey;
}

/** An empty slot on a parent. */
export function newOpenSlot(deps: SlotDeps, parent: ChainBlock, slot: Slot): OpenSlot {
  return {
    parent,
    slot,
    execution: startExecution(deps, parent, { slot, leader: deps.key.publicKey }),
    unmixed: null,
    unmixedBatch: [],
    entries: [],
    sizeBytes: BLOCK_RESERVE_BYTES,
    voteCount: 0,
  };
}

/** The slot's block, executed and signed. */
export function seal(deps: SlotDeps, open: OpenSlot, count: PohCount, pohHash: Hash): ChainBlock {
  const batch = batchOf(open.parent, open.execution, blockVotes(open.entries));
  const block = signOpen(deps, open, count, pohHash, open.parent.commitment.next(batch).root);
  return completed(deps.kernels, open.parent, block, open.execution, batch);
}

/** A block of the slot's entries, signed with a state root: the true one, or a decoy's. */
export function signOpen(
  { kernels, key }: SlotDeps,
  { parent, slot, entries }: OpenSlot,
  count: PohCount,
  pohHash: Hash,
  stateRoot: Hash,
): Block {
  const parentHash = parent.header.hash;
  const draft = {
    chainId: parent.header.chainId,
    height: height(parent.header.height + 1),
    slot,
    parentHash,
    pohCount: count,
    pohHash,
    entriesRoot: entriesRoot(kernels, entries, entryMixins(kernels, entries, parentHash)),
    transactionCount: countTransactions(entries),
    stateRoot,
    historyLength: parent.cursor.length,
    segmentCount: parent.cursor.segmentCount,
    segmentsRoot: parent.cursor.segmentsRoot,
    leader: key.publicKey,
  };
  return assembleBlock(signHeader(kernels, draft, key), entries);
}

/** The batch stands in the sequence: its writes stay. */
export function keepUnmixed(open: OpenSlot): void {
  if (open.unmixed !== null) open.execution.keep(open.unmixed);
  open.unmixed = null;
  open.unmixedBatch = [];
}

/** The slot closed first: undoes a batch that was executed but not mixed in. */
export function takeBackUnmixed(open: OpenSlot): void {
  if (open.unmixed !== null) open.execution.takeBack(open.unmixed);
  open.unmixed = null;
}

/** The transactions that stand in the slot so far, in order. */
export function transactionsOf({ entries }: OpenSlot): Transaction[] {
  return entries.flatMap((entry) => (entry.kind === 'transactions' ? entry.transactions : []));
}
