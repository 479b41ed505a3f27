/** `cairn verify poh`: recomputes every hash of a stretch of blocks that a node serves, trusting only where it starts. */
import type { Command } from 'commander';
import { type Kernels, loadKernels } from '../../../native/index.ts';
import { type Block, decodeBlock, encodeBase58 } from '../../codec/index.ts';
import type { Genesis } from '../../ledger/index.ts';
import { type StretchFigures, type StretchStart, verifyStretch } from '../../poh/index.ts';
import { CairnClient } from '../../rpc/client.ts';
import { trustedBlock, wholeNumber } from '../arguments.ts';
import { newCommand, printResult, type RpcOptions, withRpc } from '../command.ts';
import { failed } from '../failure.ts';
import { type Progress, withProgress } from '../progress.ts';
import { genesisBlockHeader, startAfter } from './chain-start.ts';
import { readGenesis } from './read-input.ts';

interface Options extends RpcOptions {
  readonly genesis: string;
  readonly after?: { readonly height: number; readonly hash: string };
  readonly count: number;
}

const BLOCKS_MAX = 10_000_000;

export function verifyPohCommand(): Command {
  const command = newCommand('poh', 'recompute the Proof of History of blocks a node serves', [
    ['cairn verify poh --genesis net/genesis.json --count 100', 'blocks 1 to 100, from genesis'],
    ['cairn verify poh --genesis net/genesis.json --after 500:HASH --count 50', 'from a block you trust'],
  ]);
  return withRpc(command)
    .requiredOption('--genesis <file>', "the network's genesis.json")
    .option('--after <height:hash>', 'start after this block, which you trust (default: genesis)', trustedBlock)
    .option('--count <blocks>', 'how many blocks', wholeNumber(1, BLOCKS_MAX), 100)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const kernels = loadKernels();
  const genesis = await readGenesis(options.genesis);
  const client = new CairnClient(options.rpc);
  const start = await startOf(kernels, client, genesis, options.after);
  const first = (options.after?.height ?? 0) + 1;
  const startedMs = performance.now();
  const total = await withProgress('verifying blocks', (progress) =>
    verify({ kernels, client, genesis, first, count: options.count, progress }, start),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  const last = first + total.blocks - 1;
  printResult(options, { valid: true, first, last, ...total, hashesPerSecond: Math.round(total.hashes / seconds) }, [
    `valid: blocks ${first} to ${last}, ${total.hashes} sequential hashes, ${total.ticks} ticks, ${total.mixins} mixins`,
  ]);
}

interface Stretch {
  readonly kernels: Kernels;
  readonly client: CairnClient;
  readonly genesis: Genesis;
  readonly first: number;
  readonly count: number;
  readonly progress: Progress;
}

/** Fetches and verifies block by block: bounded memory, however long the stretch. */
async function verify(stretch: Stretch, start: StretchStart): Promise<StretchFigures> {
  const { kernels, client, genesis, first, count, progress } = stretch;
  const total = { blocks: 0, entries: 0, ticks: 0, mixins: 0, hashes: 0 };
  let parent = start;
  for (let height = first; height < first + count; height += 1) {
    const block = await fetchBlock(kernels, client, height);
    const result = verifyStretch(kernels, genesis.poh, parent, [block]);
    if (!result.ok) {
      const where = result.entryIndex === undefined ? 'header' : `entry ${result.entryIndex}`;
      throw failed(`invalid: block ${height}, ${where}: ${result.fault}`);
    }
    for (const key of ['blocks', 'entries', 'ticks', 'mixins', 'hashes'] as const) total[key] += result.figures[key];
    parent = startAfter(block.header);
    progress.update(total.blocks, count);
  }
  return total;
}

async function startOf(
  kernels: Kernels,
  client: CairnClient,
  genesis: Genesis,
  after: Options['after'],
): Promise<StretchStart> {
  if (after === undefined) return startAfter(genesisBlockHeader(kernels, genesis));
  const { header } = await fetchBlock(kernels, client, after.height);
  const found = encodeBase58(header.hash);
  if (found !== after.hash) throw failed(`the node's block ${after.height} is ${found}, not the trusted ${after.hash}`);
  return startAfter(header);
}

async function fetchBlock(kernels: Kernels, client: CairnClient, height: number): Promise<Block> {
  const bytes = await client.blockBytes(height);
  try {
    return decodeBlock(kernels, bytes);
  } catch (error) {
    throw failed(`invalid: the node's block ${height} is not a block: ${(error as Error).message}`);
  }
}
