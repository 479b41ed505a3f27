/**
 * `cairn verify log`: every checksum, chain and root of a stopped node's op log. With `--genesis` also that it is that network's log, and that the
 * state root after every batch is the one that the header of the block in the node's own history says.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Kernels, loadKernels, sameBytes } from '../../../native/index.ts';
import { diskFiles, type LogFault, type LogFigures, verifyLog } from '../../../storage/index.ts';
import { decodeBlock, encodeBase58 } from '../../codec/index.ts';
import { chainIdOf, type Genesis } from '../../ledger/index.ts';
import { genesisRoot } from '../../node/chain/open-root.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed } from '../failure.ts';
import { withProgress } from '../progress.ts';
import { logDirectory, onNodeData, sizeText } from './node-data.ts';
import { withHistory } from './open-history.ts';
import { readGenesis } from './read-input.ts';

interface Options extends CommonOptions {
  readonly genesis?: string;
}

export function verifyLogCommand(): Command {
  return newCommand('log', "check every checksum, chain and root of a stopped node's op log", [
    ['cairn verify log net/validator-1/data', 'a data directory, or the folder of the log itself'],
    ['cairn verify log net/validator-1/data --genesis net/genesis.json', 'also against the headers in its history'],
  ])
    .argument('<directory>', "the node's data directory, or its state/log")
    .option('--genesis <file>', "the network's genesis.json: compare state roots with the node's block headers")
    .action(run);
}

async function run(data: string, options: Options): Promise<void> {
  const kernels = loadKernels();
  const genesis = options.genesis === undefined ? undefined : await readGenesis(options.genesis);
  const directory = await logDirectory(data);
  const startedMs = performance.now();
  const found = await onNodeData(directory, () =>
    withProgress('verifying the log', ({ update }) =>
      verifyLog({
        files: diskFiles(),
        kernels,
        directory,
        withState: true,
        onProgress: update,
      }),
    ),
  );
  const ms = performance.now() - startedMs;
  if ('fault' in found) throw invalid(options, found.fault);
  const header = genesis === undefined ? null : await checkHeader(kernels, genesis, data, found);
  const { chainId, digest, opsRoot, state, ...figures } = found;
  const result = {
    chainId: encodeBase58(chainId),
    digest: encodeBase58(digest),
    opsRoot: encodeBase58(opsRoot),
    stateRoot: encodeBase58(state!.root),
    activeCount: state!.activeCount,
    header,
  };
  const speed = `${sizeText((figures.bytes * 1000) / ms)} a second`;
  printResult(options, { valid: true, directory, ...figures, ...result, ms: Math.round(ms) }, [
    `valid: heights ${figures.firstHeight} to ${figures.height}, ops ${figures.firstOp} to ${figures.opCount - 1}, ${sizeText(figures.bytes)} in ${figures.segments} segments (${speed})`,
    `last batch  ${result.digest}`,
    `state root  ${result.stateRoot}, of ${result.activeCount} accounts, bonds and records`,
    `closed      ${figures.clean ? 'cleanly' : 'no, and nothing is torn'}`,
    ...(header === null ? [] : [`header      block ${header} in the node's history has this state root`]),
  ]);
}

function invalid(options: Options, fault: LogFault): Error {
  if (options.json === true) printResult(options, { valid: false, ...fault }, []);
  const { path, offset, expected, found, acknowledged } = fault;
  const note = acknowledged ? '' : ' (a tail that no later write proves acknowledged: the next start cuts it)';
  return failed(`invalid: ${path}, offset ${offset}: expected ${expected}, found ${found}${note}`);
}

/** Compares the state root with that in the header of the block that the log ends with. @returns its height */
async function checkHeader(kernels: Kernels, genesis: Genesis, data: string, log: LogFigures): Promise<number> {
  const chainId = chainIdOf(kernels, genesis);
  if (!sameBytes(log.chainId, chainId))
    throw failed(`invalid: the log belongs to chain ${encodeBase58(log.chainId)}, genesis is ${encodeBase58(chainId)}`);
  const wanted = await stateRootOf(kernels, genesis, data, log.height);
  const { root } = log.state!;
  if (!sameBytes(root, wanted))
    throw failed(
      `invalid: state root after batch ${log.height} is ${encodeBase58(root)}, the header of its block says ${encodeBase58(wanted)}`,
    );
  return log.height;
}

/** What the header of a block in the node's history says. */
function stateRootOf(
  kernels: Kernels,
  genesis: Genesis,
  data: string,
  height: number,
): Promise<Uint8Array> | Uint8Array {
  if (height <= 0) return genesisRoot(genesis, kernels);
  return withHistory(kernels, genesis, data, async (history) => {
    const bytes = await history.readBlock(height);
    if (bytes === undefined) throw failed(`invalid: block ${height} is missing in ${join(data, 'history')}`);
    return decodeBlock(kernels, bytes).header.stateRoot;
  });
}
