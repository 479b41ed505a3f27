/**
 * Runs the cases: for each, both twins, the peers and the limit in turn, in one process and one run.
 *
 * Invariant: a rate is reported only after both twins computed the same bytes for the case's fixed input.
 */
import { tmpdir } from 'node:os';
import { limitLoops } from '../../native/binding.ts';
import type { Kernels } from '../../native/index.ts';
import { chooseKernels, KernelLoadError } from '../../native/load.ts';
import { accounts1M, accounts10M, accounts100M } from './cases/accounts.ts';
import { aesDecrypt, aesMany, aesOne } from './cases/aes.ts';
import { compaction } from './cases/compaction.ts';
import { ed25519Verify } from './cases/ed25519.ts';
import { sha256Pairs } from './cases/hashing.ts';
import { openMake, openVerify, proofVrf } from './cases/open-proof.ts';
import { logVerify, logVerifyCores, stateOpen, stateRebuild, stateRebuildCores } from './cases/open-state.ts';
import { oplogAppend, oplogAppendSmall } from './cases/oplog.ts';
import { pohGenerate, pohVerify } from './cases/poh.ts';
import { pohVerifyCores } from './cases/poh-cores.ts';
import { replicaDecode, replicaEncode, replicaVerifyStream } from './cases/replica.ts';
import { replicaEncodeDisk } from './cases/replica-disk.ts';
import { sha512Batch } from './cases/sha512.ts';
import { stateSync } from './cases/sync.ts';
import { tableLookup, tableUpdate } from './cases/table.ts';
import { type Clock, type Effort, measure } from './measure.ts';
import type { BenchCase, BenchResult, Context, Prepared, Size, Work } from './model.ts';
import { loadPeers } from './peers.ts';

/** Every case, in the order of the report. */
export const CASES: readonly BenchCase[] = [
  pohGenerate,
  pohVerify,
  pohVerifyCores,
  sha256Pairs,
  aesOne,
  aesMany,
  aesDecrypt,
  ed25519Verify,
  sha512Batch,
  tableLookup,
  tableUpdate,
  oplogAppend,
  oplogAppendSmall,
  compaction,
  ...accounts1M,
  ...accounts10M,
  ...accounts100M,
  stateOpen,
  stateRebuild,
  stateRebuildCores,
  logVerify,
  logVerifyCores,
  stateSync,
  ...replicaEncode,
  ...replicaEncodeDisk,
  replicaDecode,
  ...replicaVerifyStream,
  openMake,
  openVerify,
  proofVrf,
];

const EFFORT: Readonly<Record<Size, Omit<Effort, 'clock'>>> = {
  tiny: { sampleMs: 0, rounds: 2 },
  quick: { sampleMs: 10, rounds: 5 },
  full: { sampleMs: 25, rounds: 25 },
};
const MEMORY_BYTES: Readonly<Record<Size, number>> = { tiny: 2 ** 15, quick: 2 ** 26, full: 2 ** 28 };

/** A case failed: its twins disagree, or there is no case of a name. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
  readonly code: 'results-differ' | 'unknown-case';
  constructor(code: BenchError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface BenchOptions {
  readonly size: Size;
  /** Names of cases, or parts of names; all when empty. */
  readonly only: readonly string[];
  /** Where the op log's case keeps its files; a temporary folder unless given. */
  readonly directory?: string;
  /** The wall's clock unless given; cases that wait for a disk always take that one. */
  readonly clock?: Clock;
  /** Told before each case, and at the end. */
  readonly onCase?: (done: number, total: number, name: string) => void;
}

export interface BenchRun {
  readonly results: readonly BenchResult[];
  /** Peers that are not installed. */
  readonly missingPeers: readonly string[];
  /** Why the native column is empty, or null. */
  readonly nativeMissing: string | null;
}

interface Twins {
  readonly native: Kernels | null;
  readonly portable: Kernels;
  readonly nativeMissing: string | null;
}

function loadTwins(): Twins {
  const portable = chooseKernels({ kernels: 'portable', ed25519: undefined, without: [] });
  try {
    const native = chooseKernels({ kernels: 'native', ed25519: undefined, without: [] });
    return { native, portable, nativeMissing: null };
  } catch (error) {
    if (!(error instanceof KernelLoadError)) throw error;
    return { native: null, portable, nativeMissing: error.message };
  }
}

function chosen(only: readonly string[]): BenchCase[] {
  for (const part of only)
    if (!CASES.some(({ name }) => name.includes(part)))
      throw new BenchError(
        'unknown-case',
        `no case is named like '${part}'; there are ${CASES.map(({ name }) => name).join(', ')}`,
      );
  return CASES.filter(({ name, onRequest }) =>
    only.length === 0 ? onRequest !== true : only.some((part) => name.includes(part)),
  );
}

/** Runs the cases. Throws `BenchError`. */
export async function runBench(options: BenchOptions): Promise<BenchRun> {
  const cases = chosen(options.only);
  const twins = loadTwins();
  const peers = await loadPeers();
  const context: Context = {
    size: options.size,
    peers,
    native: twins.native,
    limits: limitLoops(),
    // Touched, so that every page is there before it is measured.
    memory: new Uint8Array(MEMORY_BYTES[options.size]).fill(1),
    directory: options.directory ?? tmpdir(),
  };
  const results: BenchResult[] = [];
  for (const each of cases) {
    options.onCase?.(results.length, cases.length, each.name);
    results.push(await runCase(each, context, twins, each.waits === true ? 'wall' : (options.clock ?? 'wall')));
  }
  options.onCase?.(cases.length, cases.length, 'done');
  return { results, missingPeers: peers.missing, nativeMissing: twins.nativeMissing };
}

async function runCase(each: BenchCase, context: Context, twins: Twins, clock: Clock): Promise<BenchResult> {
  const prepared = await each.prepare(context);
  try {
    const resultHash = await agreedResult(each.name, prepared, twins);
    const rates = await measure(await contestantsOf(prepared, twins), effortOf(each, context.size, clock));
    const native = rates.get('native') ?? null;
    const limit = rates.get('limit') ?? null;
    return {
      name: each.name,
      unit: each.unit,
      native,
      portable: rates.get('portable')!,
      peers: Object.fromEntries(Object.keys(prepared.peers).map((name) => [name, rates.get(`peer ${name}`) ?? null])),
      limit,
      ofLimit: native === null || limit === null ? null : native / limit,
      resultHash,
      note: prepared.note?.() ?? '',
    };
  } finally {
    await prepared.close?.();
  }
}

function effortOf({ rounds }: BenchCase, size: Size, clock: Clock): Effort {
  const effort = EFFORT[size];
  return { ...effort, rounds: Math.min(effort.rounds, rounds ?? effort.rounds), clock };
}

async function agreedResult(name: string, { result }: Prepared, { native, portable }: Twins): Promise<string> {
  const hashOf = async (kernels: Kernels): Promise<string> =>
    Buffer.from(portable.sha256(await result(kernels))).toString('hex');
  const found = await hashOf(portable);
  const other = native === null ? found : await hashOf(native);
  if (found !== other)
    throw new BenchError('results-differ', `${name}: the native twin computed ${other}, the portable one ${found}`);
  return found;
}

async function contestantsOf(prepared: Prepared, { native, portable }: Twins): Promise<Map<string, Work>> {
  const contestants = new Map<string, Work>();
  if (native !== null) contestants.set('native', await prepared.ours(native));
  contestants.set('portable', await prepared.ours(portable));
  for (const [name, work] of Object.entries(prepared.peers))
    if (work !== undefined) contestants.set(`peer ${name}`, work);
  if (prepared.limit !== undefined) contestants.set('limit', prepared.limit);
  return contestants;
}
