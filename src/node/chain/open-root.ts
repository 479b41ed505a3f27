/**
 * From disk to the block a node goes on from: genesis, or the last block whose state is in the op log, brought up to the history's tip.
 */
import type { Kernels } from '../../../native/index.ts';
import {
  CorruptionError,
  emptyCommitment,
  HistoryCursor,
  type HistoryStore,
  type StateStore,
} from '../../../storage/index.ts';
import { type Block, type BlockHeader, blockTransactions, decodeBlock } from '../../codec/index.ts';
import {
  type BlockEvictions,
  chainIdOf,
  electorateAfter,
  type Genesis,
  genesisBatch,
  genesisHeader,
  type LedgerState,
  Overlay,
  type RecentBlock,
  RecentWindow,
} from '../../ledger/index.ts';
import type { EvictionStore } from '../evictions/eviction-store.ts';
import type { ChainBlock } from './chain-block.ts';
import { settleBlock } from './chain-block.ts';
import type { ChainDirectory } from './chain-directory.ts';
import { type CheckDeps, executeTrusted } from './check-block.ts';

/** Writes genesis (batch 0) into a new state. */
export async function initializeState(state: StateStore, genesis: Genesis, kernels: Kernels): Promise<void> {
  if (!state.isInitialized) await state.initialize(genesisBatch(kernels, genesis));
}

/** Keeps a final block's evictions: always before its batch is appended. */
export async function appendEvictions(store: EvictionStore, evictions: BlockEvictions | null): Promise<void> {
  if (evictions !== null && evictions.evictions.length > 0) await store.append(evictions.first, evictions.evictions);
}

/** The block to go on from. Throws `CorruptionError` when history and state contradict each other. */
export async function openRoot(genesis: Genesis, check: CheckDeps, parts: ChainDirectory): Promise<ChainBlock> {
  const { state, history, certificates } = parts;
  const stateHeight = state.tip.height;
  const historyHeight = history.tip?.height ?? history.startHeight - 1;
  if (historyHeight < stateHeight)
    throw new CorruptionError(
      'history',
      historyHeight,
      `blocks up to height ${stateHeight}`,
      `height ${historyHeight}`,
    );
  const genesisBlock = genesisHeader(check.kernels, genesis, genesisRoot(genesis, check.kernels));
  const header = stateHeight === 0 ? genesisBlock : (await readBlock(check, history, stateHeight)).header;
  if (Buffer.compare(header.stateRoot, state.tip.commitment.root) !== 0)
    throw new CorruptionError('op log', stateHeight, 'the state root of the header', 'another');
  let root: ChainBlock = {
    header,
    block: null,
    state: finalState(state),
    overlay: null,
    recent: await recentWindow(check, history, header, genesisBlock),
    cursor: await cursorAfter(check, genesis, history, stateHeight),
    commitment: state.tip.commitment,
    batch: null,
    evictions: null,
    electorate: electorateAfter(check.rules, state),
    reveals: [],
    transactionsTotal: transactionsTotal(certificates, header),
  };
  for (let at = stateHeight + 1; at <= historyHeight; at += 1)
    root = await applyAgain(check, parts, root, await readBlock(check, history, at));
  return root;
}

/** The count is written after the op log: what a crash in between cut off is worked out from the block before. */
function transactionsTotal(certificates: ChainDirectory['certificates'], header: BlockHeader): number {
  const { height, transactionCount } = header;
  const before = height === 1 ? 0 : certificates.transactionsUpTo(height - 1);
  return certificates.transactionsUpTo(height) ?? (before === undefined ? 0 : before + transactionCount);
}

/** A block that reached the history but not the op log: executes it once more. */
async function applyAgain(
  check: CheckDeps,
  parts: ChainDirectory,
  root: ChainBlock,
  block: Block,
): Promise<ChainBlock> {
  const { state } = parts;
  const next = executeTrusted(check, root, block);
  await appendEvictions(parts.evictions, next.evictions);
  await state.append(next.batch!, next.commitment);
  settleBlock(next);
  return next;
}

async function readBlock(check: CheckDeps, history: HistoryStore, height: number): Promise<Block> {
  const bytes = await history.readBlock(height);
  if (bytes === undefined) throw new CorruptionError('history', height, `a block of height ${height}`, 'none');
  return decodeBlock(check.kernels, bytes);
}

/**
 * The stored state as a final block's: an overlay that is settled already. So whoever still reads through it once finality has moved on, on a
 * branch that left the chain right here, gets an error instead of later blocks' state.
 */
export function finalState(stored: LedgerState): LedgerState {
  const overlay = new Overlay(stored);
  overlay.settle();
  return overlay;
}

/** State root after batch 0: every node works it out for itself. */
export function genesisRoot(genesis: Genesis, kernels: Kernels): BlockHeader['stateRoot'] {
  return emptyCommitment(kernels, chainIdOf(kernels, genesis)).next(genesisBatch(kernels, genesis)).root;
}

/** The recency window after `tip`, from the blocks that reach back far enough. */
async function recentWindow(
  check: CheckDeps,
  history: HistoryStore,
  tip: BlockHeader,
  genesisBlock: BlockHeader,
): Promise<RecentWindow> {
  const { hashesPerSlot, recencyWindowSlots } = check.rules;
  const blocks: RecentBlock[] = [];
  const oldestSlot = tip.slot - recencyWindowSlots;
  for (let at = tip.height as number; at >= Math.max(1, history.startHeight); at -= 1) {
    const { header, entries } = await readBlock(check, history, at);
    blocks.push({ slot: header.slot, pohHash: header.pohHash, transactions: blockTransactions(entries) });
    if (header.slot < oldestSlot) break;
  }
  // With a shorter window an old transaction could be applied once more.
  const lowest = blocks.at(-1);
  if (lowest !== undefined && lowest.slot >= oldestSlot && blocks.length < tip.height)
    throw new CorruptionError(
      'history',
      history.startHeight,
      `blocks back to slot ${oldestSlot}`,
      `none before slot ${lowest.slot}`,
    );
  if (blocks.length === tip.height)
    blocks.push({ slot: genesisBlock.slot, pohHash: genesisBlock.pohHash, transactions: [] });
  return RecentWindow.rebuild({ hashesPerSlot, recencyWindowSlots }, blocks.reverse(), check.idSecret);
}

/** The history cursor as it stood after the block of a height: the history itself may be further. */
async function cursorAfter(
  check: CheckDeps,
  genesis: Genesis,
  history: HistoryStore,
  height: number,
): Promise<HistoryCursor> {
  const next =
    height === (history.tip?.height ?? history.startHeight - 1)
      ? undefined
      : await readBlock(check, history, height + 1);
  if (next === undefined) return history.cursor;
  const { historyLength, segmentCount } = next.header;
  const { segmentSizeBytes } = genesis.history;
  const sizeBytes = historyLength - segmentCount * segmentSizeBytes;
  const whole = history.segment(segmentCount);
  const unfinished =
    whole === undefined ? (await history.unfinishedBytes()).subarray(0, sizeBytes) : await whole.read(0, sizeBytes);
  const roots = history.segmentRoots().subarray(0, segmentCount * 32);
  return HistoryCursor.rebuild(check.kernels, genesis.history, roots, unfinished);
}
