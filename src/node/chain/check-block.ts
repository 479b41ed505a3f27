/**
 * Checks one block against its parent and executes it: the only way a `ChainBlock` comes to be from a peer's bytes.
 *
 * Order (cheap and unambiguous first, so that rubbish costs little): header against parent, structure and roots, then PoH and signatures on worker threads at the
 * same time, execution, state root. The leader's right to the slot is the consensus machine's to judge; its signature was checked when
 * the block came in.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import { encodeBatch, frameBlock } from '../../../storage/index.ts';
import {
  addressOf,
  type Block,
  blockTransactions,
  blockVotes,
  type Transaction,
  type Vote,
} from '../../codec/index.ts';
import { rankOf } from '../../consensus/index.ts';
import {
  assertSupplyKept,
  BlockExecution,
  executeBlock,
  hasBond,
  type IdSecret,
  type LedgerRules,
} from '../../ledger/index.ts';
import { type PohBatch, type PohParameters, prepareBlockPoh } from '../../poh/index.ts';
import type { SignatureChecks } from '../signature-checks.ts';
import type { Verifier } from '../threads/verifier.ts';
import { checkedMixins } from './block-body.ts';
import { BlockRefused, type ChainBlock } from './chain-block.ts';

export interface CheckDeps {
  readonly kernels: Kernels;
  readonly verifier: Verifier;
  readonly signatures: SignatureChecks;
  readonly rules: LedgerRules;
  readonly poh: PohParameters;
  /** Spreads transaction ids over this node's sets; never leaves it. */
  readonly idSecret: IdSecret;
}

/** What execution needs of them. */
export type ExecutionDeps = Pick<CheckDeps, 'kernels' | 'rules' | 'idSecret'>;

/**
 * Verifies `block` on `parent` and returns it with its state.
 * @throws BlockRefused naming the first thing that is wrong
 */
export async function checkBlock(deps: CheckDeps, parent: ChainBlock, block: Block): Promise<ChainBlock> {
  checkHeader(parent, block);
  const batch = preparedPoh(deps, parent, block);
  const transactions = blockTransactions(block.entries);
  const [verdicts, wrongEntry] = await Promise.all([
    deps.signatures.transactions(transactions),
    deps.verifier.pohVerify(batch),
    checkVotes(deps, parent, block),
  ]);
  check(wrongEntry < 0, 'bad-poh', () => `entry ${wrongEntry} does not follow from the one before it`);
  return execute(deps, parent, block, transactions, Uint8Array.from(verdicts, Number));
}

/** Executes a block that was verified before: one read back from this node's own disk. Its roots are compared all the same. */
export function executeTrusted(deps: ExecutionDeps, parent: ChainBlock, block: Block): ChainBlock {
  checkHeader(parent, block);
  const transactions = blockTransactions(block.entries);
  return execute(deps, parent, block, transactions, new Uint8Array(transactions.length).fill(1));
}

function checkHeader(parent: ChainBlock, { header }: Block): void {
  const { header: before, cursor } = parent;
  check(sameBytes(header.chainId, before.chainId), 'wrong-chain', () => 'the header names another chain');
  check(header.height === before.height + 1, 'wrong-height', () => `height ${header.height} follows ${before.height}`);
  check(
    header.historyLength === cursor.length,
    'wrong-history-length',
    () => `history before it is ${cursor.length} bytes, the header says ${header.historyLength}`,
  );
  check(
    header.segmentCount === cursor.segmentCount && sameBytes(header.segmentsRoot, cursor.segmentsRoot),
    'wrong-segments',
    () => `history holds ${cursor.segmentCount} segments with another root, the header says ${header.segmentCount}`,
  );
}

function preparedPoh(deps: CheckDeps, parent: ChainBlock, block: Block): PohBatch {
  const { slot, hash: blockHash, pohHash } = parent.header;
  const prepared = prepareBlockPoh(deps.kernels, deps.poh, { slot, blockHash, pohHash }, block, checkedMixins(block));
  if ('fault' in prepared)
    throw new BlockRefused('bad-entries', `${prepared.fault} at entry ${prepared.entryIndex ?? 'none: the header'}`);
  return prepared.batch;
}

/** Whether a key has a bond after a block: it may vote on top of it, or lead. */
export function isBonded({ electorate, state }: Pick<ChainBlock, 'electorate' | 'state'>, key: Vote['voter']): boolean {
  return rankOf(electorate, key) !== undefined || hasBond(state, addressOf(key));
}

async function checkVotes(deps: CheckDeps, parent: ChainBlock, block: Block): Promise<void> {
  const votes = blockVotes(block.entries);
  for (const vote of votes) {
    check(isBonded(parent, vote.voter), 'foreign-vote', () => 'a vote of a key without a bond');
    check(
      vote.targetSlot < block.header.slot,
      'future-vote',
      () => `a vote for slot ${vote.targetSlot} in a block of slot ${block.header.slot}`,
    );
  }
  const verdicts = await deps.signatures.votes(votes);
  check(verdicts.every(Boolean), 'bad-vote-signature', () => 'a vote in the block has a bad signature');
}

function execute(
  deps: ExecutionDeps,
  parent: ChainBlock,
  block: Block,
  transactions: readonly Transaction[],
  verdicts: Uint8Array,
): ChainBlock {
  const { header } = block;
  const execution = startExecution(deps, parent, header);
  const senders = sendersOf(deps.kernels, transactions);
  const refused = executeBlock(execution, transactions, { verdicts, senders });
  if (refused !== null)
    throw new BlockRefused(
      'bad-transaction',
      `transaction ${refused.index}: ${refused.refusal.code}: ${refused.refusal.message}`,
    );
  const batch = batchOf(parent, execution, blockVotes(block.entries));
  const made = completed(deps.kernels, parent, block, execution, batch);
  check(
    sameBytes(made.commitment.root, header.stateRoot),
    'wrong-state-root',
    () => 'execution gives another state root than the header',
  );
  return made;
}

/** Starts the execution of a child of `parent`: the same for its leader and for everybody else. */
export function startExecution(
  deps: ExecutionDeps,
  parent: ChainBlock,
  { slot, leader }: Pick<ChainBlock['header'], 'slot' | 'leader'>,
): BlockExecution {
  return BlockExecution.start({
    rules: deps.rules,
    kernels: deps.kernels,
    slot,
    leader,
    parent: parent.header,
    segmentCount: parent.cursor.segmentCount,
    recent: parent.recent,
    state: parent.state,
    idSecret: deps.idSecret,
  });
}

/**
 * The op-log batch of an executed child of `parent`: takes in the votes the block holds and compacts, which ends it. Throws `LedgerInvariantError` 'supply' when
 * execution made or lost a unit.
 * @param votes all of the block's, in order
 */
export function batchOf(parent: ChainBlock, execution: BlockExecution, votes: readonly Vote[]): Uint8Array {
  execution.executeVotes(votes);
  execution.compact(parent.commitment);
  const ops = execution.overlay.ops();
  assertSupplyKept(ops, parent.state, execution.overlay);
  return encodeBatch(parent.commitment.place, ops);
}

/** Puts an executed block together with what its children need. */
export function completed(
  kernels: Kernels,
  parent: ChainBlock,
  block: Block,
  execution: BlockExecution,
  batch: Uint8Array,
): ChainBlock {
  const { header } = block;
  return {
    header,
    block,
    state: execution.overlay,
    overlay: execution.overlay,
    recent: execution.finish(header.pohHash),
    cursor: parent.cursor.append(kernels, frameBlock(block.bytes)),
    commitment: parent.commitment.next(batch),
    batch,
    evictions: execution.compaction,
    electorate: execution.electorate(),
    reveals: execution.reveals,
    transactionsTotal: parent.transactionsTotal + header.transactionCount,
  };
}

/** 20-byte addresses of the transactions' senders, packed. */
function sendersOf(kernels: Kernels, transactions: readonly Transaction[]): Uint8Array {
  const keys = new Uint8Array(transactions.length * 32);
  for (let index = 0; index < transactions.length; index += 1) keys.set(transactions[index]!.from, index * 32);
  const senders = new Uint8Array(transactions.length * 20);
  kernels.ripemd160Keys(keys, senders);
  return senders;
}

function check(holds: boolean, code: string, message: () => string): void {
  if (!holds) throw new BlockRefused(code, message());
}
