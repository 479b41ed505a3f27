/**
 * A node's configuration file: JSON, checked whole before anything starts.
 *
 * Invariants
 * - Every refusal names the field, what was found and what is wanted; all problems of a file are told at once.
 * - Unknown fields are refused (a misspelt option must not be silently ignored).
 * - Paths are relative to the configuration file's folder; what `loadNodeConfig` returns holds absolute ones.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';

const FILE_SIZE_MAX = 256 * 1024;
const BOOTSTRAP_MAX = 64;
/** Longest piece of a bad value quoted back in an error. */
const QUOTED_SIZE_MAX = 80;
/** IP or name, and TCP port. */
const LISTEN_ADDRESS = /^\/(ip4|ip6|dns4|dns6)\/[^/\s]+\/tcp\/(\d{1,5})$/;
/** What a peer is dialled by, its name included. */
export const DIAL_ADDRESS: RegExp =
  /^\/(ip4|ip6|dns4|dns6)\/[^/\s]+\/tcp\/(\d{1,5})\/p2p\/[1-9A-HJ-NP-Za-km-z]{40,64}$/;

export type ConfigErrorCode = 'not-found' | 'unreadable' | 'not-json' | 'invalid' | 'wrong-role';

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;
  readonly file: string;
  constructor(code: ConfigErrorCode, file: string, message: string) {
    super(`config ${file}: ${message}`);
    this.code = code;
    this.file = file;
  }
}

export type NodeConfigRole = 'validator' | 'archive' | 'replicator';

/** How much history a validator keeps; what is left out has its default (node/history/history-keeping.ts). */
export interface HistoryConfig {
  readonly mode: 'pruned' | 'archive';
  /** Bodies deeper than this below the last final block may go. */
  readonly depthBlocks?: number | undefined;
  /** Proven replicas of a segment that the ledger must show before it goes. */
  readonly replicasBeforePruning?: number | undefined;
}

/** A checked configuration, defaults filled in. */
export interface NodeConfig {
  readonly role: NodeConfigRole;
  readonly genesis: string;
  readonly dataDirectory: string;
  /** The node's ledger key: a validator's or a replicator's. An archive signs nothing and needs none. */
  readonly keyFile?: string | undefined;
  /** The key behind the peer's name; without it a fresh one is made at each start. */
  readonly networkKeyFile?: string | undefined;
  /** Where peers are listened for, e.g. `/ip4/127.0.0.1/tcp/9100`; port 0: any free one. */
  readonly listen: string;
  /** Peers to connect to at start: `/ip4/.../tcp/.../p2p/...`. */
  readonly bootstrap: readonly string[];
  readonly rpc: { readonly host: string; readonly port: number };
  readonly log: { readonly level: LogLevel; readonly file?: string | undefined };
  readonly replicator?: ReplicatorConfig | undefined;
  readonly archive?: Record<string, never> | undefined;
  /** Absent: a validator prunes, an archive keeps everything. */
  readonly history?: HistoryConfig | undefined;
  /** Only for tests and demonstrations: how a replicator or a validator cheats. */
  readonly faults?: FaultsConfig | undefined;
}

/** How a validator misbehaves on purpose (node/faults/). */
export const BYZANTINE_KINDS = [
  'double-vote',
  'double-propose',
  'lazy',
  'lazy-verifier',
  'copying-verifier',
  'silent',
  'censor',
] as const;
export type ByzantineKind = (typeof BYZANTINE_KINDS)[number];

export interface ReplicatorConfig {
  /** Most bytes of replicas kept. */
  readonly capacityBytes: number;
  /** Just these; else those that need replicas most. */
  readonly segments?: readonly number[] | undefined;
  /** Threads that hash and decode beside the process's own; chosen by the machine's cores when absent. */
  readonly threads?: number | undefined;
}

/** What each of a replicator's does: node/replicator/faults.ts. */
export interface FaultsConfig {
  /** Lets a control call cut the wires to peers. */
  readonly cutPeers?: boolean | undefined;
  /** For validators: how it misbehaves. */
  readonly byzantine?: ByzantineKind | undefined;
  /** For replicators, as all that follow: lets a control call damage a replica. */
  readonly corruptByte?: boolean | undefined;
  /** Thousandths of each replica that are erased once it is encoded. */
  readonly erasePermille?: number | undefined;
  /** Proofs are sent after their deadline. */
  readonly provesLate?: boolean | undefined;
  /** Another replicator's data directory, whose replicas are proven as one's own. */
  readonly copyFrom?: string | undefined;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

const path = z.string('must be a path').min(1, 'must name a path');
const port = z
  .int('must be a whole number')
  .min(0, 'must be 0 (any free port) or more')
  .max(65_535, 'must be at most 65535');

const history = z.strictObject({
  mode: z.enum(['pruned', 'archive'], 'must be "pruned" or "archive"'),
  depthBlocks: z.int('must be a whole number').min(1, 'must be 1 or more').optional(),
  replicasBeforePruning: z
    .int('must be a whole number')
    .min(0, 'must be 0 (prune without replicas) or more')
    .max(1024, 'must be at most 1024')
    .optional(),
});

const faults = z.strictObject({
  cutPeers: z.boolean('must be true or false').optional(),
  byzantine: z.enum(BYZANTINE_KINDS, `must be one of ${BYZANTINE_KINDS.join(', ')}`).optional(),
  corruptByte: z.boolean('must be true or false').optional(),
  erasePermille: z.int('must be a whole number').min(1, 'must be 1 .. 1000').max(1000, 'must be 1 .. 1000').optional(),
  provesLate: z.boolean('must be true or false').optional(),
  copyFrom: path.optional(),
});

/** The faults that only a replicator has. */
const REPLICATOR_FAULTS = ['corruptByte', 'erasePermille', 'provesLate', 'copyFrom'] as const;

const schema: z.ZodType<NodeConfig> = z
  .strictObject({
    role: z.enum(['validator', 'archive', 'replicator'], 'must be "validator", "archive" or "replicator"'),
    genesis: path,
    dataDirectory: path,
    keyFile: path.optional(),
    networkKeyFile: path.optional(),
    listen: z
      .string()
      .regex(LISTEN_ADDRESS, 'must look like /ip4/127.0.0.1/tcp/9100 (port 0: any)')
      .default('/ip4/127.0.0.1/tcp/0'),
    bootstrap: z
      .array(z.string('must be text').regex(DIAL_ADDRESS, 'must look like /ip4/127.0.0.1/tcp/9100/p2p/12D3KooW...'))
      .max(BOOTSTRAP_MAX, `must hold at most ${BOOTSTRAP_MAX} addresses`)
      .default([]),
    rpc: z
      .strictObject({
        host: z.string('must be text').min(1, 'must name a host').default('127.0.0.1'),
        port: port.default(0),
      })
      .default({ host: '127.0.0.1', port: 0 }),
    log: z
      .strictObject({
        level: z
          .enum(
            ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
            'must be trace, debug, info, warn, error or silent',
          )
          .default('info'),
        file: path.optional(),
      })
      .default({ level: 'info' }),
    replicator: z
      .strictObject({
        capacityBytes: z.int('must be a whole number').positive('must be more than 0'),
        segments: z.array(z.int('must be a whole number').min(0, 'must be 0 or more')).max(1_000_000).optional(),
        threads: z.int('must be a whole number').min(0, 'must be 0 or more').max(64, 'must be at most 64').optional(),
      })
      .optional(),
    archive: z.strictObject({}).optional(),
    // "pruned" alone is short for { "mode": "pruned" }.
    history: z.preprocess((value) => (typeof value === 'string' ? { mode: value } : value), history.optional()),
    faults: faults.optional(),
  })
  .superRefine((config, context) => {
    const problem = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (config.role !== 'archive' && config.keyFile === undefined)
      problem('keyFile', `is needed by a ${config.role}; make one with: cairn keygen --out key.json`);
    if (config.role === 'replicator' && config.replicator === undefined)
      problem('replicator', 'is needed by a replicator: { "capacityBytes": ... }');
    if (config.role !== 'replicator' && config.replicator !== undefined)
      problem('replicator', `makes no sense for a ${config.role}; leave it out`);
    if (config.role !== 'validator' && config.history?.mode === 'pruned')
      problem('history', `"pruned" is for validators; an archive keeps everything and a replicator keeps replicas`);
    if (config.history?.mode === 'archive' && Object.keys(config.history).length > 1)
      problem('history', '"archive" keeps everything: leave out depthBlocks and replicasBeforePruning');
    for (const fault of config.role === 'replicator' ? [] : REPLICATOR_FAULTS)
      if ((config.faults?.[fault] ?? false) !== false) problem('faults', `${fault} is for replicators only`);
    if (config.role !== 'validator' && config.faults?.byzantine !== undefined)
      problem('faults', 'byzantine is for validators only');
  });

/**
 * Reads and checks a configuration file.
 * @param role when given, the role the file must be for
 * @throws ConfigError
 */
export async function loadNodeConfig(file: string, role?: NodeConfigRole): Promise<NodeConfig> {
  const config = parseNodeConfig(file, await readText(file));
  if (role !== undefined && config.role !== role)
    throw new ConfigError(
      'wrong-role',
      file,
      `role is "${config.role}"; start it with: cairn ${config.role} --config ${file}`,
    );
  return config;
}

/** Checks a configuration's text. @param file its path: names it in errors, and its folder is what paths are relative to */
export function parseNodeConfig(file: string, text: string): NodeConfig {
  const parsed = schema.safeParse(parseJson(file, text), { reportInput: true });
  if (!parsed.success) throw new ConfigError('invalid', file, describe(parsed.error.issues));
  return withAbsolutePaths(parsed.data, dirname(resolve(file)));
}

function withAbsolutePaths(config: NodeConfig, folder: string): NodeConfig {
  const absolute = (value: string): string => resolve(folder, value);
  return {
    ...config,
    genesis: absolute(config.genesis),
    dataDirectory: absolute(config.dataDirectory),
    ...(config.keyFile === undefined ? {} : { keyFile: absolute(config.keyFile) }),
    ...(config.networkKeyFile === undefined ? {} : { networkKeyFile: absolute(config.networkKeyFile) }),
    ...(config.faults?.copyFrom === undefined
      ? {}
      : { faults: { ...config.faults, copyFrom: absolute(config.faults.copyFrom) } }),
    log: { ...config.log, ...(config.log.file === undefined ? {} : { file: absolute(config.log.file) }) },
  };
}

function describe(issues: readonly z.core.$ZodIssue[]): string {
  return issues.map((issue) => describeIssue(issue)).join('; ');
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const field = issue.path.map(String).join('.') || 'the file';
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => (issue.path.length === 0 ? key : `${field}.${key}`)).join(', ');
    return `${names}: no such field; remove it or mend its spelling`;
  }
  const found = issue.input === undefined ? 'nothing' : quote(issue.input);
  // A problem of ours (custom) says itself what is wrong; for the rest, what was found helps.
  return issue.code === 'custom' ? `${field} ${issue.message}` : `${field} ${issue.message}, found ${found}`;
}

function quote(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > QUOTED_SIZE_MAX ? `${text.slice(0, QUOTED_SIZE_MAX)}...` : text;
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError('not-json', file, `is not JSON: ${(error as Error).message}`);
  }
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > FILE_SIZE_MAX)
      throw new ConfigError('unreadable', file, `is ${size} bytes; at most ${FILE_SIZE_MAX} are read`);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new ConfigError('not-found', file, 'does not exist; make one with: cairn init DIRECTORY');
    throw new ConfigError('unreadable', file, `cannot be read: ${message}`);
  }
}
