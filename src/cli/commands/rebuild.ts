/** `cairn rebuild`: makes a stopped node's account table anew from its op log. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadKernels } from '../../../native/index.ts';
import { diskFiles, rebuildTable } from '../../../storage/index.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { withProgress } from '../progress.ts';
import { onNodeData, sizeText } from './node-data.ts';

interface Options extends CommonOptions {
  readonly data: string;
}

export function rebuildCommand(): Command {
  return newCommand('rebuild', "rebuild a stopped node's account table from its op log", [
    ['cairn rebuild --data net/validator-1/data', 'a node does this by itself when the table is not clean'],
  ])
    .requiredOption('--data <directory>', "the node's data directory")
    .action(run);
}

async function run(options: Options): Promise<void> {
  const kernels = loadKernels();
  const stateDirectory = join(options.data, 'state');
  const startedMs = performance.now();
  const figures = await onNodeData(stateDirectory, () =>
    withProgress('rebuilding the account table', ({ update }) =>
      rebuildTable({ files: diskFiles(), kernels, stateDirectory, onProgress: update }),
    ),
  );
  const ms = performance.now() - startedMs;
  const opsPerSecond = Math.round((figures.ops * 1000) / ms);
  printResult(options, { ...figures, ms: Math.round(ms), opsPerSecond }, [
    `rebuilt ${figures.accounts} accounts from ${figures.ops} ops in ${figures.batches} batches (${sizeText(figures.logBytes)}) in ${Math.round(ms)} ms: ${opsPerSecond} ops a second`,
  ]);
}
