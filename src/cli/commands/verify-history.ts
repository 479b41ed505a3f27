/**
 * `cairn verify history`: checks the whole history a node keeps: every block's place, PoH, roots and leader signature, and that each header's history
 * fields and every segment's root follow from the bytes before it.
 */
import type { Command } from 'commander';
import { type Kernels, loadKernels, sameBytes } from '../../../native/index.ts';
import { frameBlock, type HistoryCursor, type HistoryStore, segmentRootOf } from '../../../storage/index.ts';
import {
  type Block,
  type BlockHeader,
  decodeBlock,
  encodeBase58,
  headerSignature,
  packSignedMessages,
} from '../../codec/index.ts';
import type { Genesis } from '../../ledger/index.ts';
import { type StretchStart, verifyBlockPoh } from '../../poh/index.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed } from '../failure.ts';
import { type Progress, withProgress } from '../progress.ts';
import { genesisBlockHeader, startAfter } from './chain-start.ts';
import { withHistory } from './open-history.ts';
import { readGenesis } from './read-input.ts';

interface Options extends CommonOptions {
  readonly genesis: string;
  readonly data: string;
}

export function verifyHistoryCommand(): Command {
  return newCommand('history', "check every block and segment of a stopped node's history", [
    ['cairn verify history --genesis net/genesis.json --data net/archive-1/data', 'from its first block to its last'],
    ['cairn verify history --genesis net/genesis.json --data net/validator-1/data', 'what a pruned one still holds'],
  ])
    .requiredOption('--genesis <file>', "the network's genesis.json")
    .requiredOption('--data <directory>', "the node's data directory")
    .action(run);
}

interface Findings {
  readonly first: number;
  readonly last: number;
  readonly blocks: number;
  readonly hashes: number;
  readonly segments: number;
  /** True when the history begins at block 1, so that everything follows from genesis. */
  readonly fromGenesis: boolean;
  readonly tipHash: string | null;
}

async function run(options: Options): Promise<void> {
  const kernels = loadKernels();
  const genesis = await readGenesis(options.genesis);
  const found = await withHistory(kernels, genesis, options.data, (history) =>
    withProgress('verifying blocks', (progress) => verify({ kernels, genesis, history, progress })),
  );
  const from = found.fromGenesis ? 'from genesis on' : `from block ${found.first} on, taken as given`;
  printResult(options, { valid: true, ...found }, [
    `valid ${from}: ${found.blocks} blocks up to ${found.last}, ${found.hashes} sequential hashes, ${found.segments} segments`,
    `tip    ${found.tipHash ?? 'none'}`,
  ]);
}

interface Verification {
  readonly kernels: Kernels;
  readonly genesis: Genesis;
  readonly history: HistoryStore;
  readonly progress: Progress;
}

async function verify(verification: Verification): Promise<Findings> {
  const { kernels, genesis, history, progress } = verification;
  const fromGenesis = history.startHeight === 1;
  const last = history.tip?.height ?? history.startHeight - 1;
  let parent: StretchStart | null = fromGenesis ? startAfter(genesisBlockHeader(kernels, genesis)) : null;
  // Of a history that starts later, the roots recorded before its first block and the bytes that lead to it must be those of that block's header.
  let cursor = await history.cursorBefore(history.startHeight);
  let hashes = 0;
  for (let height = history.startHeight; height <= last; height += 1) {
    const block = await readBlock(verification, height);
    if (parent !== null) hashes += checkPoh(verification, parent, block);
    checkCursor(block.header, cursor);
    checkSignature(kernels, block.header);
    cursor = cursor.append(kernels, frameBlock(block.bytes));
    parent = startAfter(block.header);
    progress.update(height - history.startHeight + 1, last - history.startHeight + 1);
  }
  const segments = await checkSegments(verification);
  return {
    first: history.startHeight,
    last,
    blocks: last - history.startHeight + 1,
    hashes,
    segments,
    fromGenesis,
    tipHash: parent === null || last < history.startHeight ? null : encodeBase58(parent.blockHash),
  };
}

async function readBlock({ kernels, history }: Verification, height: number): Promise<Block> {
  try {
    const bytes = await history.readBlock(height);
    if (bytes === undefined) throw new RangeError('it is missing');
    return decodeBlock(kernels, bytes);
  } catch (error) {
    throw failed(`invalid: block ${height}: ${(error as Error).message}`);
  }
}

function checkPoh({ kernels, genesis }: Verification, parent: StretchStart, block: Block): number {
  const result = verifyBlockPoh(kernels, genesis.poh, parent, block);
  if ('hashes' in result) return result.hashes;
  const where = result.entryIndex === undefined ? 'header' : `entry ${result.entryIndex}`;
  throw failed(`invalid: block ${block.header.height}, ${where}: ${result.fault}`);
}

function checkCursor(header: BlockHeader, cursor: HistoryCursor): void {
  const isRight =
    header.historyLength === cursor.length &&
    header.segmentCount === cursor.segmentCount &&
    sameBytes(header.segmentsRoot, cursor.segmentsRoot);
  if (!isRight)
    throw failed(`invalid: block ${header.height}: its history fields do not follow from the blocks before it`);
}

function checkSignature(kernels: Kernels, header: BlockHeader): void {
  const { publicKeys, signatures, messages, offsets } = packSignedMessages([headerSignature(header)]);
  const verdicts = new Uint8Array(1);
  kernels.ed25519Verify(publicKeys, signatures, messages, offsets, verdicts);
  if (verdicts[0] !== 1) throw failed(`invalid: block ${header.height}: the leader's signature does not hold`);
}

/** Every segment on disk against its recorded root. Bounded memory: one segment. */
async function checkSegments({ kernels, genesis, history }: Verification): Promise<number> {
  const { segmentSizeBytes } = genesis.history;
  let checked = 0;
  for (let index = 0; index < history.cursor.segmentCount; index += 1) {
    const segment = history.segment(index);
    if (segment === undefined) continue;
    const bytes = new Uint8Array(segmentSizeBytes);
    for (let offset = 0; offset < segmentSizeBytes; ) {
      const piece = await segment.read(offset, Math.min(16 * 1024 * 1024, segmentSizeBytes - offset));
      if (piece.length === 0) throw failed(`invalid: segment ${index} ends at byte ${offset}`);
      bytes.set(piece, offset);
      offset += piece.length;
    }
    if (!sameBytes(segmentRootOf(kernels, genesis.history, bytes), segment.root))
      throw failed(`invalid: segment ${index}: its bytes do not have its root`);
    checked += 1;
  }
  return checked;
}
