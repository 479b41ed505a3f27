/** `cairn sync`: fills a new node's data directory from strangers, trusting nothing but genesis, and one block's hash where validators of long ago could have forged another chain. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { loadKernels } from '../../../native/index.ts';
import { encodeBase58, parseHash } from '../../codec/index.ts';
import { DIAL_ADDRESS, loadNodeConfig } from '../../node/config.ts';
import { createLogger } from '../../node/log.ts';
import type { FastSyncResult } from '../../node/sync/fast-sync.ts';
import { FastSyncError } from '../../node/sync/fast-sync-error.ts';
import type { FastSyncProgress } from '../../node/sync/progress-meter.ts';
import type { RestoreResult } from '../../node/sync/restore-history.ts';
import type { FastSyncOptions } from '../../node/sync/sync-ground.ts';
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
  readonly trust?: { readonly height: number; readonly hash: string };
  readonly history: HistoryWanted;
}

const HISTORY_WANTED = ['recent', 'full', 'only'] as const;
type HistoryWanted = (typeof HISTORY_WANTED)[number];

const PEERS_MAX = 16;
/** Shown while the number of blocks to come is not known. */
const UNKNOWN_TOTAL = 1;
/** With `--json`, progress goes to standard error as one line of JSON at most this often. */
const EVENT_INTERVAL_MS = 1_000;

export function syncCommand(): Command {
  return newCommand('sync', 'fill a new node from peers, trusting only genesis, and one block hash if given', [
    [
      'cairn sync --config net/archive-2/config.json --from ADDR',
      'what the validators handed over to since genesis show to be final',
    ],
    [
      'cairn sync --config net/archive-2/config.json --from ADDR --trust 500:HASH',
      'genesis and folder from a configuration',
    ],
    ['cairn sync --genesis genesis.json --data data --from ADDR --from ADDR2 --trust 500:HASH', 'without one'],
    ['cairn sync --config config.json --from ADDR --trust 500:HASH --json', 'progress as JSON lines on standard error'],
    [
      'cairn sync --config config.json --from VALIDATOR --from REPLICATOR --trust 500:HASH --history full',
      'an archive, its old history from replicas when no archive is left',
    ],
  ])
    .option('--config <file>', "the new node's configuration")
    .option('--genesis <file>', "the network's genesis.json, instead of --config")
    .option('--data <directory>', 'an absent or empty folder, instead of --config')
    .requiredOption('--from <address>', 'a peer: /ip4/.../tcp/.../p2p/...; may be given again', collectPeer)
    .option(
      '--trust <height:hash>',
      'a final block you trust; needed where those who have left as validators since genesis could have forged another chain',
      trustedBlock,
    )
    .addOption(
      new Option(
        '--history <how much>',
        'recent: what a node needs; full: from the first block on; only: all of it and no state, which is executed anew (replicators suffice)',
      )
        .choices(HISTORY_WANTED)
        .default('recent'),
    )
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
  const { trust } = options;
  const sync: FastSyncOptions = {
    genesis: await readGenesis(genesis),
    kernels: loadKernels(),
    from: options.from,
    ...(trust === undefined ? {} : { trust: { height: trust.height, hash: parseHash(trust.hash, '--trust') } }),
    dataDirectory: data,
    log: createLogger({ level: options.debug === true ? 'debug' : 'silent' }),
  };
  if (options.history === 'only') printRestored(options, data, await restored(options, sync));
  else printSynced(options, data, await synced(options, { ...sync, history: options.history }));
}

function printSynced(options: Options, data: string, result: FastSyncResult): void {
  const { bytes, ms, verdicts, handOvers } = result;
  const stateRoot = encodeBase58(result.stateRoot);
  printResult(
    options,
    {
      height: result.height,
      hash: encodeBase58(result.hash),
      stateRoot,
      handOvers,
      bytes,
      ms: Math.round(ms),
      data,
      verdicts,
    },
    [
      `synced to height ${result.height} in ${Math.round(ms)} ms, ${bytes} bytes`,
      ...trustLines(options, result),
      ...verdictLines(verdicts),
      `state root  ${stateRoot}`,
      `data        ${data}`,
    ],
  );
}

function printRestored(options: Options, data: string, result: RestoreResult): void {
  const { height, segments, bytes, ms, verdicts, handOvers } = result;
  printResult(
    options,
    { height, hash: encodeBase58(result.hash), segments, handOvers, bytes, ms: Math.round(ms), data, verdicts },
    [
      `restored ${segments} segments of history, to height ${height}, in ${Math.round(ms)} ms, ${bytes} bytes`,
      ...trustLines(options, result),
      ...verdictLines(verdicts),
      `data        ${data}`,
      'the first start of a node over it executes every block once more',
    ],
  );
}

/** What a sync without a trusted block went by, and what it could not see. */
function trustLines(
  { trust }: Options,
  { handOvers, height, hash }: Pick<FastSyncResult, 'handOvers' | 'height' | 'hash'>,
): string[] {
  if (trust !== undefined) return [];
  if (handOvers === 0) return ["trusted     genesis' validators, who still judge"];
  const block = `${height}:${encodeBase58(hash)}`;
  return [
    `trusted     genesis' validators and ${handOvers} hand-overs from them on`,
    `            whoever has left since could have forged all this: ask somebody you trust whether ${block} is theirs too`,
  ];
}

function verdictLines(verdicts: FastSyncResult['verdicts']): string[] {
  return verdicts.map(({ peer, verdict, why }) => `${verdict.padEnd(10)}  ${peer}: ${why}`);
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

async function synced(options: Options, sync: FastSyncOptions): Promise<FastSyncResult> {
  const { fastSync } = await import('../../node/sync/fast-sync.ts');
  return attempt(options, sync, fastSync);
}

async function restored(options: Options, sync: FastSyncOptions): Promise<RestoreResult> {
  const { restoreHistory } = await import('../../node/sync/restore-history.ts');
  return attempt(options, sync, restoreHistory);
}

async function attempt<T>(
  options: Options,
  sync: FastSyncOptions,
  run: (sync: FastSyncOptions) => Promise<T>,
): Promise<T> {
  try {
    if (options.json === true) return await run({ ...sync, onProgress: progressEvents() });
    return await withProgress('fetching', (progress) =>
      run({
        ...sync,
        onProgress: (now) => progress.update(now.done, now.total ?? now.done + UNKNOWN_TOTAL, noteOf(now)),
      }),
    );
  } catch (error) {
    if (!(error instanceof FastSyncError)) throw error;
    throw error.code === 'not-empty' ? unusable(error.message) : failed(error.message);
  }
}

function noteOf({ stage, bytes, bytesPerSecond, peers, banned }: FastSyncProgress): string {
  const megabytes = (value: number): string => (value / 1e6).toFixed(1);
  return `${stage}, ${megabytes(bytes)} MB, ${megabytes(bytesPerSecond)} MB/s, ${peers} peers, ${banned} banned`;
}

/** Writes progress as events, the first of each stage and then one an interval. */
function progressEvents(): (progress: FastSyncProgress) => void {
  let last: { stage: string; atMs: number } | undefined;
  return (progress) => {
    const atMs = performance.now();
    if (last?.stage === progress.stage && atMs - last.atMs < EVENT_INTERVAL_MS) return;
    last = { stage: progress.stage, atMs };
    process.stderr.write(`${JSON.stringify({ event: 'progress', ...progress })}\n`);
  };
}
