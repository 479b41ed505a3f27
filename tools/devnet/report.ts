/** The report of a run: JSON for machines, a few lines for people. Amounts are decimal text; times are ms; sizes are bytes. */
import { writeFile } from 'node:fs/promises';
import { judge } from './checks.ts';
import type { Evidence, HistoryReading } from './evidence.ts';

/** Figures of the run that no check judges. */
export interface RunFigures {
  readonly workload: 'zipf' | 'ethereum';
  readonly seed: number;
  readonly durationMs: number;
  /** From first submission to last finality. */
  readonly activeMs: number;
  readonly finalityMs: { readonly p50: number; readonly p99: number } | null;
  readonly pohHashesPerSecond: number;
  readonly blocks: number;
  readonly segments: number;
  readonly historyBytes: number;
  readonly replicasEncoded: number;
  readonly proofsVerified: number;
  readonly proofsRejected: number;
  readonly proofsExpired: number;
  /** Re-encryptions by all validators together. */
  readonly verifications: number;
  readonly kernels: 'native' | 'portable';
  readonly resigned: number;
  readonly callsFailed: number;
  readonly rows: Readonly<Record<string, number>> | null;
  readonly nodes: readonly { readonly name: string; readonly role: string; readonly finalizedHeight: number | null }[];
  readonly node: string;
}

export interface Report extends Record<string, unknown> {
  readonly ok: boolean;
  readonly failures: readonly string[];
}

/** Judges the evidence and puts everything into one object, ready for JSON. */
export function makeReport(evidence: Evidence, figures: RunFigures): Report {
  const failures = judge(evidence);
  const { transfers, balances, fastSync, restart, corruption, replicas, roots, supply, histories } = evidence;
  const { consensus, mischief, partition } = evidence;
  const { activeMs, durationMs, workload, seed, ...rest } = figures;
  return {
    ok: failures.length === 0,
    failures,
    workload,
    seed,
    durationMs: Math.round(durationMs),
    transfersSubmitted: transfers.submitted,
    transfersFinal: transfers.final,
    transfersRefused: transfers.refused.slice(0, 10),
    transfersPerSecond: activeMs > 0 ? round(transfers.final / (activeMs / 1000)) : 0,
    ...rest,
    pohHashesPerSecond: Math.round(figures.pohHashesPerSecond),
    rotations: Math.max(0, ...replicas.map((life) => life.commits - 1)),
    replicasProven: replicas.filter((life) => life.accepted > 0).length,
    fastSync: fastSync === null ? null : { ...fastSync, ms: Math.round(fastSync.ms) },
    restart: restart === null ? null : { ...restart, ms: Math.round(restart.ms) },
    corruption,
    consensus,
    mischief,
    partition,
    prunedBytes: histories.reduce((sum, { prunedBytes }) => sum + prunedBytes, 0),
    histories,
    balances: {
      checked: balances.reduce((sum, each) => sum + each.checked, 0),
      mismatched: balances.reduce((sum, each) => sum + each.mismatched, 0),
      sources: balances,
    },
    stateRoots: roots,
    supply: {
      genesis: supply.genesis.toString(),
      readings: supply.readings.map(({ node, total }) => ({ node, total: total.toString() })),
    },
    replicas,
    interrupted: evidence.interrupted,
  };
}

/** Writes the report as indented JSON. */
export async function writeReport(file: string, report: Report): Promise<void> {
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
}

/** The report for people: about twenty lines. */
export function summarize(evidence: Evidence, figures: RunFigures): string[] {
  const { transfers, balances, fastSync, restart, corruption, replicas, histories, consensus, mischief } = evidence;
  const failures = judge(evidence);
  const finality = figures.finalityMs;
  const rate = figures.activeMs > 0 ? Math.round(transfers.final / (figures.activeMs / 1000)) : 0;
  const damaged = replicas.find(
    (life) => life.identity === corruption?.identity && life.segment === corruption.segment,
  );
  return [
    `transfers     ${transfers.final} of ${transfers.submitted} final, ${rate} a second`,
    `finality      ${finality === null ? 'none' : `${finality.p50} ms half the time, ${finality.p99} ms for 99 %`}`,
    `blocks        ${figures.blocks}, PoH ${Math.round(figures.pohHashesPerSecond)} hashes a second, ${figures.kernels} kernels`,
    `history       ${figures.segments} full segments, ${figures.historyBytes} bytes`,
    `replicas      ${figures.replicasEncoded} encoded; on the ledger ${replicas.length}, with ${figures.proofsVerified} proofs accepted and ${figures.proofsRejected} rejected`,
    ...histories.map(historyLine),
    `corruption    ${damaged === undefined ? 'none' : `segment ${damaged.segment}: ${damaged.rejected} proofs rejected since`}`,
    `fast sync     ${fastSync === null ? 'none' : `from ${fastSync.from} (pruned to block ${fastSync.fromKeeps}) ${fastSync.bytes} bytes in ${Math.round(fastSync.ms)} ms, state root ${fastSync.stateRootEqual ? 'equal' : 'DIFFERENT'}`}`,
    `restart       ${restart === null ? 'none' : `${restart.node} ${restart.caughtUp ? 'caught up' : 'did NOT catch up'} in ${Math.round(restart.ms)} ms`}`,
    `consensus     ${consensus.elections} changes of the lead among ${consensus.leaders.length}, epoch ${consensus.epoch}, era ${consensus.era}, ${consensus.decoys} decoys, ${consensus.evidence} pieces of evidence`,
    `slashed       ${list(consensus.slashed)}; absent ${list(consensus.stale)}`,
    ...(mischief === null ? [] : [`mischief      ${mischief.node}: ${mischief.kind}`]),
    ...partitionLine(evidence),
    ...balances.map((each) => `balances      ${each.node}: ${each.checked} checked, ${each.mismatched} differ`),
    failures.length === 0 ? 'every check held' : `${failures.length} checks failed:`,
    ...failures.map((failure) => `  ${failure}`),
  ];
}

const list = (names: readonly string[]): string => (names.length === 0 ? 'nobody' : names.join(', '));

function partitionLine({ partition }: Evidence): string[] {
  if (partition === null) return [];
  return [`partition     ${partition.sides.join(' | ')}: ${partition.finalized.join(' | ')} blocks final while apart`];
}

function historyLine({ node, mode, startHeight, keptBytes, prunedBytes, waitingSegments }: HistoryReading): string {
  const what =
    mode === 'archive' ? 'keeps all it has' : `pruned ${prunedBytes} bytes, ${waitingSegments} segments wait`;
  return `history       ${node}: ${keptBytes} bytes from block ${startHeight} on; ${what}`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
