/** `cairn inspect log|table|history`: what a stopped node keeps, in figures; changes nothing. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadKernels } from '../../../native/index.ts';
import {
  diskFiles,
  type HistorySummary,
  inspectHistory,
  inspectLog,
  inspectTable,
  type LogSummary,
  type SlotReading,
  type TableSummary,
} from '../../../storage/index.ts';
import { encodeBase58 } from '../../codec/index.ts';
import { type CommonOptions, newCommand, newGroup, printResult } from '../command.ts';
import { withProgress } from '../progress.ts';
import { logDirectory, onNodeData, sizeText } from './node-data.ts';

interface Options extends CommonOptions {
  readonly data: string;
  readonly roots?: boolean;
  readonly bonds?: boolean;
}

/** Segments and shards listed for people; JSON has all. */
const LINES_MAX = 40;

export function inspectCommand(): Command {
  const command = newGroup('inspect', "look into a stopped node's data directory", [
    ['cairn inspect log --data net/validator-1/data', 'segments, heights, ops, superblocks'],
    ['cairn inspect table --data net/validator-1/data', 'shards, accounts, clean mark'],
    ['cairn inspect history --data net/archive-1/data', 'blocks, segments and their roots, index'],
  ]);
  command.addCommand(part('log', 'the op log: segments, heights, ops, superblocks').action(runLog));
  command.addCommand(
    part('table', 'the account table: shards, accounts, fill, clean mark')
      .option('--bonds', 'the bond table instead')
      .action(runTable),
  );
  command.addCommand(
    part('history', 'the history: blocks, segments and their roots, index')
      .option('--roots', 'recompute the root of every whole segment')
      .action(runHistory),
  );
  return command;
}

function part(name: string, description: string): Command {
  return newCommand(name, description, [
    [`cairn inspect ${name} --data net/validator-1/data`, 'the node must be stopped'],
  ]).requiredOption('--data <directory>', "the node's data directory");
}

/** The first lines, and how many more there are. */
function listed(lines: readonly string[], what: string): string[] {
  const more = lines.length - LINES_MAX;
  return more <= 0 ? [...lines] : [...lines.slice(0, LINES_MAX), `  ... ${more} more ${what}: --json has all`];
}

async function runLog(options: Options): Promise<void> {
  const kernels = loadKernels();
  const directory = await logDirectory(options.data);
  const log = await onNodeData(directory, () => inspectLog({ files: diskFiles(), kernels, directory }));
  const { chainId, superblocks, tornTail, ...figures } = log;
  const result = {
    directory,
    chainId: encodeBase58(chainId),
    ...figures,
    superblocks: superblocks.map(superblockResult),
    tornTail: tornTail ?? null,
  };
  printResult(options, result, logLines(directory, log));
}

function superblockResult({ offset, contents, fault }: SlotReading): object {
  if (contents === undefined) return { offset, valid: false, fault };
  const { position, ...block } = contents.block;
  return { offset, valid: true, ...block, height: position.height, ops: position.opCount };
}

function logLines(directory: string, log: LogSummary): string[] {
  const { superblocks, segments, tornTail } = log;
  return [
    `op log      ${directory}`,
    `chain       ${encodeBase58(log.chainId)}`,
    `heights     ${log.height < log.firstHeight ? 'none' : `${log.firstHeight} to ${log.height}`}`,
    `ops         ${log.firstOp} to ${log.opCount - 1} kept, floor ${log.floor}`,
    `size        ${sizeText(log.sizeBytes)} in ${segments.length} segments of ${sizeText(log.segmentSizeBytes)}`,
    `closed      ${log.clean ? 'cleanly' : 'no: the next start recovers it'}`,
    ...superblocks.map(superblockLine),
    ...listed(
      segments.map(
        ({ index, sizeBytes, firstHeight, batches, ops }) =>
          `segment ${String(index).padStart(3)} ${sizeText(sizeBytes).padStart(11)}  heights ${firstHeight} to ${firstHeight + batches - 1}, ${ops} ops`,
      ),
      'segments',
    ),
    ...(tornTail === undefined
      ? []
      : [
          `torn tail   segment ${tornTail.segment} from offset ${tornTail.offset}: expected ${tornTail.expected}, found ${tornTail.found}; never acknowledged, the next start cuts it`,
        ]),
  ];
}

function superblockLine({ offset, contents, fault }: SlotReading): string {
  const name = `superblock  at ${String(offset).padStart(4)}: `;
  if (contents === undefined)
    return `${name}damaged at ${fault?.offset}: expected ${fault?.expected}, found ${fault?.found}`;
  const { sequence, segment, start, end, position } = contents.block;
  return `${name}sequence ${sequence}, segment ${segment} acknowledged up to ${start}, in flight up to ${end}, height ${position.height}`;
}

async function runTable(options: Options): Promise<void> {
  const kernels = loadKernels();
  const stateDirectory = join(options.data, 'state');
  const name = options.bonds === true ? 'bonds' : 'accounts';
  const table = await onNodeData(stateDirectory, () =>
    withProgress('reading shards', ({ update }) =>
      inspectTable({ files: diskFiles(), kernels, stateDirectory, table: name, onProgress: update }),
    ),
  );
  const { cleanAt, ...figures } = table;
  printResult(
    options,
    {
      directory: join(stateDirectory, name),
      cleanAt: cleanAt === undefined ? null : encodeBase58(cleanAt),
      ...figures,
    },
    tableLines(join(stateDirectory, name), name, table),
  );
}

function tableLines(directory: string, name: 'accounts' | 'bonds', table: TableSummary): string[] {
  const { shards, entries, slots, sizeBytes } = table;
  const fill = (used: number, of: number): string => `${((used * 100) / Math.max(1, of)).toFixed(1)} %`;
  const each = entries === 0 ? '' : `, ${(sizeBytes / entries).toFixed(1)} bytes each`;
  return [
    `table       ${directory}`,
    `state       ${table.state}${table.state === 'clean' ? '' : ': the next start rebuilds it (cairn rebuild does it now)'}`,
    `${name.padEnd(12)}${entries} in ${slots} slots (${fill(entries, slots)}), ${sizeText(sizeBytes)} in ${shards.length} shards${each}`,
    ...listed(
      shards.map(
        (shard) =>
          `${shard.name.padEnd(12)}${String(shard.entries).padStart(10)} of ${shard.slots} slots (${fill(shard.entries, shard.slots)}), longest run ${shard.longestRun}`,
      ),
      'shards',
    ),
  ];
}

async function runHistory(options: Options): Promise<void> {
  const kernels = loadKernels();
  const directory = join(options.data, 'history');
  const history = await onNodeData(directory, () =>
    withProgress('checking roots', ({ update }) =>
      inspectHistory({
        files: diskFiles(),
        kernels,
        directory,
        recompute: options.roots === true,
        onProgress: update,
      }),
    ),
  );
  const { facts, tip, segments, ...figures } = history;
  const result = {
    directory,
    ...facts,
    tip: tip === undefined ? null : { ...tip, hash: encodeBase58(tip.hash) },
    ...figures,
    segments: segments.map(({ root, ...segment }) => ({
      ...segment,
      root: root === undefined ? null : encodeBase58(root),
    })),
  };
  printResult(options, result, historyLines(directory, history, options.roots === true));
}

function historyLines(directory: string, history: HistorySummary, hasChecked: boolean): string[] {
  const { facts, tip, segments, rootsChecked } = history;
  return [
    `history     ${directory}`,
    `blocks      ${tip === undefined ? 'none' : `${facts.startHeight} to ${tip.height} (${history.blocks})`}`,
    `tip         ${tip === undefined ? 'none' : `${encodeBase58(tip.hash)}, slot ${tip.slot}`}`,
    ...(history.prunedBytes === 0
      ? []
      : [`pruned      ${sizeText(history.prunedBytes)} up to block ${facts.startHeight - 1}`]),
    ...(history.leftoverBytes === 0
      ? []
      : [`leftover    ${sizeText(history.leftoverBytes)} of pruned segments, removed at the next start`]),
    `stream      ${sizeText(history.length)} in segments of ${sizeText(facts.segmentSizeBytes)}, leaves of ${facts.leafSizeBytes} B`,
    `index       ${history.transactions} transactions, ${sizeText(history.indexSizeBytes)}`,
    ...(history.unindexedBytes === 0
      ? []
      : [
          `unindexed   ${history.unindexedBytes} bytes behind the last block: never acknowledged, the next start cuts them`,
        ]),
    `roots       ${hasChecked ? `${rootsChecked} recomputed, all right` : 'as recorded; --roots recomputes them'}`,
    ...listed(
      segments.map(
        ({ index, sizeBytes, root }) =>
          `segment ${String(index).padStart(3)} ${(sizeBytes === 0 ? 'not held' : sizeText(sizeBytes)).padStart(11)}  ${root === undefined ? 'being filled' : `root ${encodeBase58(root)}`}`,
      ),
      'segments',
    ),
  ];
}
