/**
 * The run's timetable: load from the start, then one step after another, each not before its share of the run; then the network gets time to
 * finish what the checks ask for.
 *
 * Invariants
 * - A step that fails is recorded and the next one is still done.
 * - Nothing waits without a bound; a stop asked for by the user ends every wait.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver } from '../workload/driver.ts';
import { pruningFailure, replicationFailure } from './checks.ts';
import type { CorruptionEvidence, FastSyncEvidence, RestartEvidence } from './evidence.ts';
import { type Mischief, startTwin } from './mischief.ts';
import { type PartitionEvidence, playPartition } from './partition.ts';
import type { PartitionSpec } from './partition-spec.ts';
import { corruptReplica, type Devnet, joinByFastSync, killAndRestart, until } from './steps.ts';

/** When each step is due, as shares of the run. The damage comes early: it shows only after the next key rotation. */
const RESTART_AT = 0.2;
const CORRUPT_AT = 0.4;
/** Late: by then validators prune, and the newcomer syncs from one of them. */
const SYNC_AT = 0.75;
/** When the second process with a copied key starts. */
const TWIN_AT_MS = 5_000;
/** Length the steps are scheduled by when the run has no end. */
const OPEN_RUN_MS = 60_000;
/** How long past its time a run may go on until what it promises has happened, on a slow machine. */
const GRACE_MS = 90_000;
const DRAIN_TIMEOUT_MS = 45_000;

export interface ScenarioOutcome {
  readonly restart: RestartEvidence | null;
  readonly corruption: CorruptionEvidence | null;
  readonly fastSync: FastSyncEvidence | null;
  readonly partition: PartitionEvidence | null;
  readonly stepFailures: readonly string[];
  /** Transfers that were not final in the end. */
  readonly open: number;
}

export interface ScenarioOptions {
  readonly devnet: Devnet;
  readonly driver: Driver;
  /** Infinity: until stopped. */
  readonly durationMs: number;
  /** True when the workload ends by itself and must be handed out whole. */
  readonly finite: boolean;
  readonly setPhase: (phase: string) => void;
  readonly partition: PartitionSpec | null;
  readonly mischief: Mischief | null;
}

/** Runs load and steps; resolves when the load has drained and nothing more is waited for. */
export async function playScenario(options: ScenarioOptions): Promise<ScenarioOutcome> {
  const { devnet, driver, durationMs, finite, setPhase, mischief } = options;
  const startedMs = performance.now();
  const planMs = Number.isFinite(durationMs) ? durationMs : OPEN_RUN_MS;
  const failures: string[] = [];
  const step = <T>(name: string, share: number, act: (devnet: Devnet) => Promise<T>): Promise<T | null> =>
    runStep(options, { name, dueMs: startedMs + share * planMs, act }, failures);

  setPhase('loading');
  const aside = [splitAside(options, startedMs, failures), twinAside(options, startedMs, failures)] as const;
  const restart = await step('restart', RESTART_AT, (each) => killAndRestart(each, mischief?.node ?? null));
  const corruption = await step('corruption', CORRUPT_AT, corruptReplica);
  const fastSync = await step('fast sync', SYNC_AT, joinByFastSync);
  await waitUntil(startedMs + durationMs, devnet.signal);
  await Promise.all(aside);
  if (finite) await until(() => driver.exhausted, GRACE_MS, devnet.signal);
  setPhase('waiting for the last transfers to be final');
  const open = await driver.drain(DRAIN_TIMEOUT_MS);
  setPhase('waiting for proofs and pruning');
  const isReached = (): boolean => isProven(devnet, corruption) && pruningFailure(devnet.observer.histories) === null;
  await until(isReached, GRACE_MS, devnet.signal);
  return { restart, corruption, fastSync, partition: await aside[0], stepFailures: failures, open };
}

/** The partition runs beside the other steps, at its own time. */
async function splitAside(
  { devnet, partition }: ScenarioOptions,
  startedMs: number,
  failures: string[],
): Promise<PartitionEvidence | null> {
  if (partition === null) return null;
  await waitUntil(startedMs + partition.atMs, devnet.signal);
  if (devnet.signal.aborted) return null;
  const wait = (ms: number): Promise<void> => waitUntil(performance.now() + ms, devnet.signal);
  return playPartition(devnet, partition, wait).catch((error: Error) => failed('partition', error, devnet, failures));
}

async function twinAside({ devnet, mischief }: ScenarioOptions, startedMs: number, failures: string[]): Promise<null> {
  if (mischief?.kind !== 'twin') return null;
  await waitUntil(startedMs + TWIN_AT_MS, devnet.signal);
  if (!devnet.signal.aborted)
    await startTwin(devnet, mischief).catch((error: Error) => failed('twin', error, devnet, failures));
  return null;
}

function failed(name: string, { message }: Error, { say }: Devnet, failures: string[]): null {
  say(`${name}: ${message}`);
  failures.push(`${name}: ${message}`);
  return null;
}

interface Step<T> {
  readonly name: string;
  readonly dueMs: number;
  readonly act: (devnet: Devnet) => Promise<T>;
}

async function runStep<T>(
  { devnet, driver, setPhase }: ScenarioOptions,
  { name, dueMs, act }: Step<T>,
  failures: string[],
): Promise<T | null> {
  await waitUntil(dueMs, devnet.signal);
  if (devnet.signal.aborted) return null;
  setPhase(name);
  try {
    return await act(devnet);
  } catch (error) {
    const failure = `${name}: ${(error as Error).message}`;
    devnet.say(failure);
    failures.push(failure);
    return null;
  } finally {
    setPhase(driver.exhausted ? 'all transfers submitted' : 'loading');
  }
}

/** Sleeps up to a moment of `performance.now()`, or until the signal. */
async function waitUntil(atMs: number, signal: AbortSignal): Promise<void> {
  const MAX_TIMER_MS = 2 ** 31 - 1;
  while (!signal.aborted && performance.now() < atMs) {
    const leftMs = Math.min(atMs - performance.now(), MAX_TIMER_MS);
    await sleep(leftMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether the replication goals are reached, and the damaged replica (if there is one) was found out. */
function isProven({ observer }: Devnet, corruption: CorruptionEvidence | null): boolean {
  const found =
    corruption === null || (observer.replicas.find(corruption.identity, corruption.segment)?.rejected ?? 0) > 0;
  return found && replicationFailure(observer.replicas.lives) === null;
}
