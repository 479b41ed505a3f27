/**
 * A devnet of the replication market: one honest replicator, one that erases, one that answers late, one that copies. Waits until the ledger has paid and
 * refused them, kills the last archive, restores the history from replicas alone and has a new archive execute it.
 *
 * Invariant: no wait is without a bound, and every process is ended whatever happened.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { loadKernels } from '../../../native/index.ts';
import { formatAddress } from '../../../src/codec/index.ts';
import type { InitializedNode } from '../../../src/node/init.ts';
import { CairnClient } from '../../../src/rpc/client.ts';
import { Driver } from '../../workload/driver.ts';
import { WorkloadKeys } from '../../workload/signer.ts';
import { planZipf } from '../../workload/zipf-plan.ts';
import { ClusterPort } from '../cluster-port.ts';
import { type DevnetFolders, prepareNetwork, workloadBalances } from '../network.ts';
import { WORKLOAD_FEE } from '../parameters.ts';
import { Processes } from '../spawn.ts';
import { type CheatsEvidence, judgeCheats, onlyHonestPaid, type Party, type Restored, reasons } from './evidence.ts';
import {
  ACCOUNTS,
  CAPACITY_BYTES,
  CHEATS,
  CHEATS_GENESIS,
  SEGMENTS_WANTED,
  TRANSFERS_PER_SECOND,
  VALIDATORS,
} from './parameters.ts';

const POLL_MS = 500;
const LOAD_TIMEOUT_MS = 180_000;
const JUDGED_TIMEOUT_MS = 360_000;
const RESTORE_TIMEOUT_MS = 180_000;
/** Blocks that the trusted one lies behind the last final one: replicators have seen it by then. */
const TRUST_LAG_BLOCKS = 6;

export interface CheatsOptions {
  /** Where the nodes' folders stay; null: a temporary place, removed after a run in which every check held. */
  readonly dataDirectory: string | null;
  readonly seed: number;
  readonly say: (line: string) => void;
  readonly stop: AbortSignal;
}

export interface CheatsReport extends CheatsEvidence {
  readonly ok: boolean;
  readonly failures: readonly string[];
  readonly durationMs: number;
}

export interface CheatsResult {
  readonly report: CheatsReport;
  readonly summary: readonly string[];
  readonly directory: string | null;
}

/** Runs it. Rejects only when it could not be started; failed checks are in the report. */
export async function runCheats(options: CheatsOptions): Promise<CheatsResult> {
  const startedMs = performance.now();
  const directory =
    options.dataDirectory === null ? await mkdtemp(join(tmpdir(), 'cairn-cheats-')) : resolve(options.dataDirectory);
  const plan = planZipf({ accountCount: ACCOUNTS, seed: options.seed, fee: WORKLOAD_FEE });
  const keys = new WorkloadKeys(plan);
  const shape = {
    networkName: 'devnet-cheats',
    validators: VALIDATORS,
    archives: 1,
    replicators: CHEATS.length,
    parameters: CHEATS_GENESIS,
    replicatorCapacityBytes: CAPACITY_BYTES,
    replicatorFaults: (index: number) => CHEATS[index]?.faults,
  };
  const folders = await prepareNetwork(directory, shape, workloadBalances(plan, keys));
  const evidence = await new CheatsRun(options, folders, plan, keys).play();
  const failures = judgeCheats(evidence);
  const report = { ...evidence, ok: failures.length === 0, failures, durationMs: performance.now() - startedMs };
  const keep = options.dataDirectory !== null || !report.ok;
  if (!keep) await rm(directory, { recursive: true, force: true });
  return { report, summary: summaryOf(report), directory: keep ? directory : null };
}

type Plan = ReturnType<typeof planZipf>;

class CheatsRun {
  readonly #options: CheatsOptions;
  readonly #folders: DevnetFolders;
  readonly #plan: Plan;
  readonly #keys: WorkloadKeys;
  readonly #processes: Processes;
  readonly #unexpectedExits: string[] = [];
  readonly #stepFailures: string[] = [];
  readonly #rpc = new Map<string, string>();

  constructor(options: CheatsOptions, folders: DevnetFolders, plan: Plan, keys: WorkloadKeys) {
    this.#options = options;
    this.#folders = folders;
    this.#plan = plan;
    this.#keys = keys;
    this.#processes = new Processes({
      logDirectory: folders.logDirectory,
      onUnexpectedExit: (child, { code, signal }) => {
        this.#unexpectedExits.push(`${child.name} ended by itself (${signal ?? code}); see ${child.logFile}`);
      },
    });
  }

  async play(): Promise<CheatsEvidence> {
    const { network, archive } = this.#folders;
    try {
      const children = await Promise.all(network.nodes.map((node) => this.#start(node)));
      await this.#step('load', () => this.#load());
      const parties = await this.#judged();
      const dead = children[network.nodes.indexOf(archive)]!;
      this.#options.say('killing the last archive with SIGKILL');
      dead.signal('SIGKILL');
      await dead.exited;
      const restored = await this.#step('restore', () => this.#restore());
      return {
        parties,
        restored,
        unexpectedExits: this.#unexpectedExits,
        stepFailures: this.#stepFailures,
      };
    } finally {
      await this.#processes.stopAll();
    }
  }

  async #start(node: InitializedNode): Promise<Awaited<ReturnType<Processes['startNode']>>['child']> {
    const { child, ready } = await this.#processes.startNode(node.name, node.role, node.configFile);
    this.#rpc.set(node.name, ready.rpc);
    return child;
  }

  async #step<T>(name: string, act: () => Promise<T>): Promise<T | null> {
    try {
      return await act();
    } catch (error) {
      const failure = `${name}: ${(error as Error).message}`;
      this.#options.say(failure);
      this.#stepFailures.push(failure);
      return null;
    }
  }

  #client(node: InitializedNode): CairnClient {
    return new CairnClient(this.#rpc.get(node.name) ?? '');
  }

  /** Transfers until enough segments are complete. */
  async #load(): Promise<void> {
    const [validator] = this.#folders.validators;
    const client = this.#client(validator!);
    const driver = new Driver({
      plan: this.#plan,
      port: new ClusterPort([client]),
      sign: this.#keys.signer(loadKernels(), this.#plan.fee),
      ratePerSecond: TRANSFERS_PER_SECOND,
    });
    driver.start(0);
    const segments = async (): Promise<number> => (await client.status()).history.segments;
    try {
      await this.#until('segments', LOAD_TIMEOUT_MS, async () => (await segments()) >= SEGMENTS_WANTED);
    } finally {
      await driver.close();
    }
    this.#options.say(`${await segments()} segments are complete`);
  }

  /** Waits until the ledger has paid and refused everybody as it should, or time is up: then says how it stands. */
  async #judged(): Promise<readonly Party[]> {
    let parties: readonly Party[] = [];
    const isJudged = async (): Promise<boolean> => {
      parties = await this.#parties();
      return onlyHonestPaid({ parties }) === null && reasons({ parties }) === null;
    };
    await this.#step('market', () => this.#until('the ledger has judged everybody', JUDGED_TIMEOUT_MS, isJudged));
    for (const party of parties) this.#options.say(partyLine(party));
    return parties;
  }

  async #parties(): Promise<readonly Party[]> {
    const { identities, replicas } = await this.#client(this.#folders.validators[0]!).replication({});
    return this.#folders.replicators.map((node, index) => {
      const identity = formatAddress(node.address!);
      const record = identities.find(({ address }) => address === identity);
      const own = replicas.filter((row) => row.identity === identity);
      const sum = (of: (row: (typeof own)[number]) => number): number => own.reduce((total, row) => total + of(row), 0);
      return {
        name: node.name,
        what: CHEATS[index]!.what,
        identity,
        replicas: own.length,
        accepted: record?.accepted ?? 0,
        rejected: sum(({ rejected }) => rejected),
        fakes: record?.fakes ?? 0,
        paidUnits: record?.paid ?? '0',
        reasons: [...new Set(own.filter(({ rejected }) => rejected > 0).map(({ reason }) => reason))],
      };
    });
  }

  /** Restores the history from replicators alone, compares it, and lets a new archive execute it. */
  async #restore(): Promise<Restored> {
    const { newcomer, replicators, validators } = this.#folders;
    const client = this.#client(validators[0]!);
    const { height: tip } = (await client.status()).finalized;
    const { height, blockhash } = z
      .object({ height: z.number(), blockhash: z.string() })
      .parse({ height: tip - TRUST_LAG_BLOCKS, ...(await client.block({ height: tip - TRUST_LAG_BLOCKS })) });
    const from = replicators.flatMap(({ peer }) => ['--from', peer]);
    const args = ['sync', '--config', newcomer.configFile, ...from, '--trust', `${height}:${blockhash}`];
    const output = await this.#processes.run('restore', [...args, '--history', 'only', '--json'], RESTORE_TIMEOUT_MS);
    const result = restoreOutput.parse(JSON.parse(output.trim().split('\n').at(-1) ?? ''));
    this.#options.say(`${result.segments} segments restored from replicas alone in ${result.ms} ms`);
    await this.#start(newcomer);
    const equal = await this.#executes(newcomer, client, result.height);
    const compared = await compareSegments(this.#folders, result.segments);
    const verdicts = result.verdicts.map(({ peer, verdict, why }) => `${peer} ${verdict}: ${why}`);
    const { segments, bytes, ms } = result;
    return { segments, bytes, ms, height: result.height, ...compared, verdicts, stateRootEqual: equal };
  }

  /** Whether a node over the restored history reaches the network's head, with the state roots of the others on the way. */
  async #executes(node: InitializedNode, validator: CairnClient, restoredHeight: number): Promise<boolean> {
    const own = this.#client(node);
    const wanted = (await validator.status()).finalized.height;
    await this.#until('the new archive is level', RESTORE_TIMEOUT_MS, async () => (await own.blockHeight()) >= wanted);
    const roots = async (client: CairnClient): Promise<string[]> =>
      Promise.all([restoredHeight, wanted].map(async (height) => (await client.block({ height })).stateRoot));
    const [found, expected] = await Promise.all([roots(own), roots(validator)]);
    return found.join() === expected.join();
  }

  async #until(what: string, timeoutMs: number, isDone: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isDone().catch(() => false))) {
      if (this.#options.stop.aborted) throw new RangeError(`stopped before: ${what}`);
      if (performance.now() > deadline) throw new RangeError(`not within ${timeoutMs / 1000} s: ${what}`);
      await sleep(POLL_MS);
    }
  }
}

const restoreOutput = z.object({
  height: z.number(),
  segments: z.number(),
  bytes: z.number(),
  ms: z.number(),
  verdicts: z.array(z.object({ peer: z.string(), verdict: z.string(), why: z.string() })),
});

/** Compares the first `count` segment files with the dead archive's, byte for byte. */
async function compareSegments(
  { archive, newcomer }: DevnetFolders,
  count: number,
): Promise<Pick<Restored, 'compared' | 'different'>> {
  const stream = (node: InitializedNode): string => join(node.directory, 'data', 'history', 'stream');
  const names = (await readdir(stream(newcomer))).sort().slice(0, count);
  let different = 0;
  for (const name of names) {
    const [restored, original] = await Promise.all(
      [newcomer, archive].map((node) => readFile(join(stream(node), name)).catch(() => Buffer.alloc(0))),
    );
    if (restored!.length === 0 || !original!.equals(restored!)) different += 1;
  }
  return { compared: names.length, different };
}

function partyLine({ name, what, replicas, accepted, rejected, fakes, paidUnits, reasons: why }: Party): string {
  const refused = rejected === 0 ? '' : ` (${why.join(', ')})`;
  return `${name} ${what}: ${replicas} replicas, ${accepted} proofs accepted, ${rejected} rejected${refused}, ${fakes} own fakes, paid ${paidUnits} units`;
}

function summaryOf({ parties, restored, failures }: CheatsReport): string[] {
  const history =
    restored === null
      ? 'none'
      : `${restored.segments} segments from replicas alone, ${restored.different} differ from the archive's, state ${restored.stateRootEqual ? 'equal' : 'DIFFERENT'}`;
  return [
    ...parties.map(partyLine),
    `restored    ${history}`,
    ...(failures.length === 0 ? ['every check held'] : [`${failures.length} checks failed:`, ...failures]),
  ];
}
