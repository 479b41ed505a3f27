/** `cairn sync`: fills a new node's data directory from strangers, trusting nothing but genesis and one block's hash. */
import { type Command, InvalidArgumentError } from 'commander';
import { loadKernels } from '../../../native/index.ts';
import { encodeBase58, parseHash } from '../../codec/index.ts';
import { DIAL_ADDRESS, loadNodeConfig } from '../../node/config.ts';
import { createLogger } from '../../node/log.ts';
import type { FastSyncOptions, FastSyncProgress, FastSyncResult } from '../../node/sync/fast-sync.ts';
import { trustedBlock } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed, unusable } from '../failure.ts';
import { withProgress } from '../progress.ts';
import { readGenesis } from './read-input.ts';

interface Options extends CommonOptions {
  readonly config?: string;
  readonly genesis?: string;
  readonly data?: string;
  readonly from: readonly string[];
  readonly trust: { readonly height: number; readonly hash: string };
}

const PEERS_MAX = 16;
/** Shown while the number of blocks to come is not known. */
const UNKNOWN_TOTAL = 1;

export function syncCommand(): Command {
  return newCommand('sync', 'fill a new node from peers, trusting only genesis and one block hash', [
    [
      'cairn sync --config net/archive-2/config.json --from ADDR --trust 500:HASH',
      'genesis and folder from a configuration',
    ],
    ['cairn sync --genesis genesis.json --data data --from ADDR --from ADDR2 --trust 500:HASH', 'without one'],
  ])
    .option('--config <file>', "the new node's configuration")
    .option('--genesis <file>', "the network's genesis.json, instead of --config")
    .option('--data <directory>', 'an absent or empty folder, instead of --config')
    .requiredOption('--from <address>', 'a peer: /ip4/.../tcp/.../p2p/...; may be given again', collectPeer)
    .requiredOption('--trust <height:hash>', 'a final block you trust', trustedBlock)
    .action(run);
}

function collectPeer(address: string, earlier: readonly string[] | undefined): readonly string[] {
  if (!DIAL_ADDRESS.test(address))
    throw new InvalidArgumentError(
      'It must look like /ip4/127.0.0.1/tcp/9100/p2p/12D3KooW... (cairn prints it when a node starts).',
    );
  if ((earlier?.length ?? 0) >= PEERS_MAX) throw new InvalidArgumentError(`At most ${PEERS_MAX} peers.`);
  return [...(earlier ?? []), address];
}

async function run(options: Options): Promise<void> {
  const { genesis, data } = await target(options);
  const { height, hash } = options.trust;
  const result = await synced({
    genesis: await readGenesis(genesis),
    kernels: loadKernels(),
    from: options.from,
    trust: { height, hash: parseHash(hash, '--trust') },
    dataDirectory: data,
    log: createLogger({ level: options.debug === true ? 'debug' : 'silent' }),
  });
  const { bytes, ms } = result;
  const stateRoot = encodeBase58(result.stateRoot);
  printResult(
    options,
    { height: result.height, hash: encodeBase58(result.hash), stateRoot, bytes, ms: Math.round(ms), data },
    [
      `synced to height ${result.height} in ${Math.round(ms)} ms, ${bytes} bytes`,
      `state root  ${stateRoot}`,
      `data        ${data}`,
    ],
  );
}

async function target({
  config,
  genesis,
  data,
}: Options): Promise<{ readonly genesis: string; readonly data: string }> {
  if (config !== undefined && genesis === undefined && data === undefined) {
    const { genesis: file, dataDirectory } = await loadNodeConfig(config);
    return { genesis: file, data: dataDirectory };
  }
  if (config === undefined && genesis !== undefined && data !== undefined) return { genesis, data };
  throw unusable('name either --config, or both --genesis and --data');
}

async function synced(options: FastSyncOptions): Promise<FastSyncResult> {
  const { FastSyncError, fastSync } = await import('../../node/sync/fast-sync.ts');
  try {
    return await withProgress('fetching', (progress) =>
      fastSync({
        ...options,
        onProgress: ({ done, total }: FastSyncProgress) => progress.update(done, total ?? done + UNKNOWN_TOTAL),
      }),
    );
  } catch (error) {
    if (!(error instanceof FastSyncError)) throw error;
    throw error.code === 'not-empty' ? unusable(error.message) : failed(error.message);
  }
}
