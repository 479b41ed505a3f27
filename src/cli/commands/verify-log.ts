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
  const roots = new Roots();
  const startedMs = performance.now();
  const found = await onNodeData(directory, () =>
    withProgress('verifying the log', ({ update }) =>
      verifyLog({
        files: diskFiles(),
        kernels,
        directory,
        onProgress: update,
        ...(genesis === undefined ? {} : { onRoot: (_height, root) => roots.add(root) }),
      }),
    ),
  );
  const ms = performance.now() - startedMs;
  if ('fault' in found) throw invalid(options, found.fault);
  const headers = genesis === undefined ? null : await checkHeaders(kernels, genesis, data, found, roots);
  const { chainId, digest, opsRoot, ...figures } = found;
  const result = {
    chainId: encodeBase58(chainId),
    digest: encodeBase58(digest),
    opsRoot: encodeBase58(opsRoot),
    headers,
  };
  const speed = `${sizeText((figures.bytes * 1000) / ms)} a second`;
  printResult(options, { valid: true, directory, ...figures, ...result, ms: Math.round(ms) }, [
    `valid: heights ${figures.firstHeight} to ${figures.height}, ops ${figures.firstOp} to ${figures.opCount - 1}, ${sizeText(figures.bytes)} in ${figures.segments} segments (${speed})`,
    `last batch  ${result.digest}`,
    `ops root    ${result.opsRoot}`,
    `closed      ${figures.clean ? 'cleanly' : 'no, and nothing is torn'}`,
    ...(headers === null ? [] : [`headers     ${headers} state roots are those of the blocks in history`]),
  ]);
}

function invalid(options: Options, fault: LogFault): Error {
  if (options.json === true) printResult(options, { valid: false, ...fault }, []);
  const { path, offset, expected, found, acknowledged } = fault;
  const note = acknowledged ? '' : ' (a tail that no later write proves acknowledged: the next start cuts it)';
  return failed(`invalid: ${path}, offset ${offset}: expected ${expected}, found ${found}${note}`);
}

/** State roots by height, 32 bytes each, packed. */
class Roots {
  #bytes = new Uint8Array(32 * 1024);
  #count = 0;

  add(root: Uint8Array): void {
    if ((this.#count + 1) * 32 > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(root, 32 * this.#count++);
  }

  at(height: number): Uint8Array {
    return this.#bytes.subarray(height * 32, height * 32 + 32);
  }
}

/** Compares the log with genesis and with every block header that the node's history holds. @returns how many headers */
async function checkHeaders(
  kernels: Kernels,
  genesis: Genesis,
  data: string,
  log: LogFigures,
  roots: Roots,
): Promise<number> {
  const chainId = chainIdOf(kernels, genesis);
  if (!sameBytes(log.chainId, chainId))
    throw failed(`invalid: the log belongs to chain ${encodeBase58(log.chainId)}, genesis is ${encodeBase58(chainId)}`);
  if (log.height >= 0 && !sameBytes(roots.at(0), genesisRoot(genesis, kernels)))
    throw failed('invalid: batch 0 does not hold the accounts of genesis');
  return withHistory(kernels, genesis, data, async (history) => {
    const last = Math.min(log.height, history.tip?.height ?? 0);
    let checked = 0;
    for (let height = Math.max(1, history.startHeight); height <= last; height += 1) {
      const bytes = await history.readBlock(height);
      if (bytes === undefined) throw failed(`invalid: block ${height} is missing in ${join(data, 'history')}`);
      const { header } = decodeBlock(kernels, bytes);
      if (!sameBytes(header.stateRoot, roots.at(height)))
        throw failed(
          `invalid: state root after batch ${height} is ${encodeBase58(roots.at(height))}, the header of its block says ${encodeBase58(header.stateRoot)}`,
        );
      checked += 1;
    }
    return checked;
  });
}
