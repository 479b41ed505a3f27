/**
 * Starts a role from its configuration: keys, genesis, network, RPC. What `cairn validator|archive|replicator` runs.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Kernels, loadKernels } from '../../native/index.ts';
import { packageRoot } from '../../native/worker-url.ts';
import { type SigningKey, signingKey } from '../codec/index.ts';
import { type Genesis, parseGenesis } from '../ledger/index.ts';
import { createLibp2pTransport } from '../net/libp2p-transport.ts';
import type { Transport } from '../net/transport.ts';
import type { MethodTable } from '../rpc/method.ts';
import { faultMethods, nodeMethods, replicatorMethods } from '../rpc/methods/index.ts';
import { rpcMetrics } from '../rpc/metrics.ts';
import type { Answer } from '../rpc/node-api.ts';
import { RpcServer } from '../rpc/server.ts';
import type { NodeHealth } from '../rpc/views/node.ts';
import { ChainNode } from './chain-node.ts';
import { ConfigError, type NodeConfig } from './config.ts';
import { historyKeeping } from './history/history-keeping.ts';
import { readSeed } from './key-file.ts';
import { createLogger, type Logger } from './log.ts';
import { chainMetrics } from './metrics.ts';
import { openReplicatorRole } from './replicator/open-role.ts';
import { replicatorMetrics } from './replicator/replicator-metrics.ts';

/** A role that runs. */
export interface RunningNode {
  readonly role: NodeConfig['role'];
  /** Address for peers, with the node's name in it. */
  readonly peer: string;
  /** Address of the JSON-RPC. */
  readonly rpc: string;
  /** Resolves with the reason when the node had to give up by itself. */
  readonly failed: Promise<Error>;
  /** Stops cleanly; resolves when everything is on disk. */
  stop(): Promise<void>;
}

interface Role {
  readonly methods: MethodTable;
  readonly health: () => Answer<NodeHealth>;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What every role is made from. */
export interface RoleContext {
  readonly config: NodeConfig;
  readonly genesis: Genesis;
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly log: Logger;
  readonly version: string;
  readonly onFatal: (error: Error) => void;
  readonly rpcUrl: () => string | null;
}

/** Starts the configured role. Throws `ConfigError`, `KeyFileError`, `GenesisError`, or what storage and network throw. */
export async function runNode(config: NodeConfig): Promise<RunningNode> {
  const log = createLogger(config.log);
  const genesis = parseGenesis(await readFile(config.genesis));
  const kernels = loadKernels();
  const seed = config.keyFile === undefined ? null : await readSeed(config.keyFile);
  const networkKeySeed =
    config.networkKeyFile === undefined ? new Uint8Array(randomBytes(32)) : await readSeed(config.networkKeyFile);
  const transport = await createLibp2pTransport({ networkKeySeed, listen: [config.listen], log });
  const { promise: failed, resolve: fail } = deferred<Error>();
  let rpc: RpcServer | undefined;
  let isOver = false;
  const context: RoleContext = {
    config,
    genesis,
    kernels,
    transport,
    log,
    version: await packageVersion(),
    onFatal: (error) => {
      // What breaks after that, or while stopping, follows from it.
      if (isOver) return log.debug({ error: error.message }, 'failed while stopping');
      isOver = true;
      log.fatal({ error: error.message, stack: error.stack }, 'the node gives up');
      fail(error);
    },
    rpcUrl: () => rpc?.url ?? null,
  };
  const { role, registry } = await openRole(context, seed);
  const faults = config.faults?.cutPeers === true ? faultMethods({ cutPeers: (peers) => transport.cut(peers) }) : {};
  rpc = new RpcServer({
    methods: { ...role.methods, ...faults },
    health: role.health,
    host: config.rpc.host,
    port: config.rpc.port,
    log,
    metrics: registry,
    observe: await rpcMetrics(registry),
  });
  await rpc.start();
  await role.start();
  const server = rpc;
  return {
    role: config.role,
    peer: transport.addresses()[0] ?? '',
    rpc: server.url,
    failed,
    stop: async () => {
      isOver = true;
      await server.stop();
      await role.stop();
      log.info('stopped');
    },
  };
}

async function openRole(context: RoleContext, seed: Uint8Array | null): Promise<{ role: Role; registry: Registry }> {
  const { Registry, collectDefaultMetrics } = await import('prom-client');
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  if (context.config.role === 'replicator')
    return { role: await replicatorRole(context, required(context, seed), registry), registry };
  const key = context.config.role === 'validator' ? signingKey(required(context, seed)) : null;
  const node = await openChainNode(context, key);
  chainMetrics(registry, node);
  const role: Role = {
    methods: nodeMethods(node.api),
    health: () => node.api.health(),
    start: () => node.start(),
    stop: () => node.stop(),
  };
  return { role, registry };
}

async function openChainNode(context: RoleContext, key: SigningKey | null): Promise<ChainNode> {
  const { config, genesis, kernels, transport, log, version, onFatal, rpcUrl } = context;
  return ChainNode.open({
    role: config.role === 'validator' ? 'validator' : 'archive',
    version,
    genesis,
    key,
    dataDirectory: config.dataDirectory,
    history: historyKeeping(config.role, config.history, genesis, config.genesis),
    bootstrap: config.bootstrap,
    byzantine: config.faults?.byzantine,
    kernels,
    transport,
    log,
    onFatal,
    rpcUrl,
  });
}

async function replicatorRole(context: RoleContext, seed: Uint8Array, registry: Registry): Promise<Role> {
  const opened = await openReplicatorRole(context, seed);
  replicatorMetrics(registry, opened.api);
  return {
    methods: replicatorMethods(opened.api),
    health: () => opened.api.health(),
    start: opened.start,
    stop: opened.stop,
  };
}

function required({ config }: RoleContext, seed: Uint8Array | null): Uint8Array {
  if (seed === null) throw new ConfigError('invalid', config.genesis, `keyFile is missing: a ${config.role} signs`);
  return seed;
}

async function packageVersion(): Promise<string> {
  const root = packageRoot(fileURLToPath(import.meta.url));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

type Registry = import('prom-client').Registry;
