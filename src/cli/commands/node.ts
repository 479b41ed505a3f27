/** `cairn validator|archive|replicator`: runs one node until it is asked to stop. */
import type { Command } from 'commander';
import { loadNodeConfig, type NodeConfig, type NodeConfigRole } from '../../node/config.ts';
import type { RunningNode } from '../../node/run.ts';
import { byteSize, wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand } from '../command.ts';
import { failed } from '../failure.ts';

interface Options extends CommonOptions {
  readonly config: string;
  readonly stopWithStdin?: boolean;
  readonly capacity?: number;
  readonly threads?: number;
}

const DESCRIPTIONS: Readonly<Record<NodeConfigRole, string>> = {
  validator: 'order, execute and vote: runs a validator',
  archive: 'keep all history and serve it: runs an archive node',
  replicator: 'store encoded replicas of history and prove it: runs a replicator',
};

/** What `history` in the configuration does in each role. */
const HISTORY_HELP: Readonly<Record<NodeConfigRole, string>> = {
  validator: `  "history": "pruned"   (default) block bodies deeper than 512 blocks go, a segment only once enough replicas of it are proven (genesis says how many)
  "history": { "mode": "pruned", "depthBlocks": 1000, "replicasBeforePruning": 2 }   keep more, ask for more replicas
  "history": "archive"  keep everything`,
  archive: '  An archive keeps everything; "history": "archive" may say so.',
  replicator: '  A replicator keeps replicas, not history: see "replicator" in its configuration.',
};

const THREADS_MAX = 64;

/** A clean stop that takes longer is cut off: what matters is synced long before. */
const STOP_TIMEOUT_MS = 15_000;

export function nodeCommand(role: NodeConfigRole): Command {
  const command = newCommand(role, DESCRIPTIONS[role], [
    [`cairn ${role} --config net/${role}-1/config.json`, 'a file made by cairn init; ends on SIGTERM or Ctrl-C'],
    ...(role === 'replicator'
      ? [
          [
            'cairn replicator --config net/replicator-1/config.json --capacity 10G',
            'ten gibibytes of replicas',
          ] as const,
        ]
      : []),
  ]);
  if (role === 'replicator')
    command
      .option('--capacity <size>', 'replica bytes kept, where they are needed most (default: from the file)', byteSize)
      .option('--threads <count>', 'threads beside its own that hash and decode', wholeNumber(0, THREADS_MAX));
  return command
    .requiredOption('--config <file>', 'configuration file')
    .option('--stop-with-stdin', 'stop when standard input ends (for a parent process)')
    .addHelpText('after', `\nHistory:\n${HISTORY_HELP[role]}`)
    .action((options: Options) => run(role, options));
}

async function run(role: NodeConfigRole, options: Options): Promise<void> {
  const config = withOptions(await loadNodeConfig(options.config, role), options);
  const { runNode } = await import('../../node/run.ts');
  endOnBrokenPromise(role);
  const stopAsked = untilStopAsked(options.stopWithStdin === true);
  const node = await runNode(config);
  process.stdout.write(`${JSON.stringify({ event: 'ready', role, peer: node.peer, rpc: node.rpc })}\n`);
  const failure = await Promise.race([stopAsked, node.failed]);
  // What made the node give up (a full disk) may well spoil its end too: the first reason is the one to tell.
  const stopFailure = await stopWithin(node, STOP_TIMEOUT_MS).then(
    () => null,
    (error: Error) => error,
  );
  if (failure !== null) throw failed(`the ${role} gave up: ${failure.message}`);
  if (stopFailure !== null) throw failed(`the ${role} did not stop cleanly: ${stopFailure.message}`);
  // Threads and sockets are closed; whatever timer is left must not keep the process.
  process.exit(0);
}

/** What the command line says wins over the file. */
function withOptions(config: NodeConfig, { capacity, threads }: Options): NodeConfig {
  if (config.replicator === undefined) return config;
  const capacityBytes = capacity ?? config.replicator.capacityBytes;
  return {
    ...config,
    replicator: { ...config.replicator, capacityBytes, ...(threads === undefined ? {} : { threads }) },
  };
}

/**
 * An error nobody waited for leaves the node in a state nobody knows: it ends at once, with one line. What it acknowledged is on disk, as after a
 * power cut.
 */
function endOnBrokenPromise(role: NodeConfigRole): void {
  process.once('uncaughtException', (error: Error) => {
    process.stderr.write(`error: the ${role} broke down: ${error.message}\n`);
    if (process.argv.includes('--debug')) process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  });
}

function untilStopAsked(withStdin: boolean): Promise<null> {
  return new Promise((resolve) => {
    const stop = (): void => resolve(null);
    process.once('SIGTERM', stop).once('SIGINT', stop);
    if (withStdin) process.stdin.once('end', stop).once('error', stop).resume();
  });
}

async function stopWithin(node: RunningNode, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => process.exit(1), timeoutMs);
  await node.stop();
  clearTimeout(timer);
}
