/** The bench's results as a table for people and as JSON for machines. */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../native/worker-url.ts';
import type { BenchResult } from './model.ts';
import { type BenchRun, CASES } from './run-bench.ts';

/** Where and from what the figures come. */
export interface Setting {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  /** Of the sources; with `+` behind it when they were changed since. Null outside of a repository. */
  readonly commit: string | null;
}

function commit(): string | null {
  const git = (...words: string[]): string =>
    execFileSync('git', ['-C', packageRoot(fileURLToPath(import.meta.url)), ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+'}`;
  } catch {
    return null;
  }
}

/** This machine and these sources. */
export function setting(): Setting {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    commit: commit(),
  };
}

const UNITS: readonly (readonly [number, string])[] = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** A rate with three digits: `30.2 M`. */
export function rateText(rate: number | null): string {
  if (rate === null) return '-';
  const [factor, letter] = UNITS.find(([least]) => rate >= least) ?? [1, ''];
  return `${(rate / factor).toPrecision(3)} ${letter}`.trim();
}

const times = (ratio: number | null): string => (ratio === null ? '-' : `${ratio.toPrecision(3)}x`);

/** The fastest peer, or null. */
export function bestPeer({ peers }: BenchResult): { readonly name: string; readonly rate: number } | null {
  let best: { name: string; rate: number } | null = null;
  for (const [name, rate] of Object.entries(peers))
    if (rate !== null && rate > (best?.rate ?? 0)) best = { name, rate };
  return best;
}

function row(result: BenchResult): string[] {
  const peer = bestPeer(result);
  return [
    result.name,
    `${result.unit}/s`,
    rateText(result.native),
    rateText(result.portable),
    peer === null ? '-' : `${rateText(peer.rate)} ${peer.name}`,
    times(peer === null || result.native === null ? null : result.native / peer.rate),
    rateText(result.limit),
    result.ofLimit === null ? '-' : `${Math.round(result.ofLimit * 100)} %`,
    result.resultHash.slice(0, 8),
  ];
}

const HEAD = ['case', 'unit', 'native', 'portable', 'best peer', 'of it', 'limit', 'of limit', 'result'];

/** Lines of the table, the remarks under it, and the setting. */
export function reportLines(run: BenchRun, where: Setting): string[] {
  const rows = [HEAD, ...run.results.map(row)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  const limits = CASES.filter(({ name }) => run.results.some((result) => result.name === name));
  return [
    ...lines,
    '',
    ...limits.map(({ name, limitIs }) => `limit of ${name}: ${limitIs}`),
    ...run.results.filter(({ note }) => note !== '').map(({ name, note }) => `${name}: ${note}`),
    ...(run.nativeMissing === null ? [] : [`native: ${run.nativeMissing}`]),
    ...(run.missingPeers.length === 0
      ? []
      : [`peers not installed: ${run.missingPeers.join(', ')} (npm ci --prefix tools/bench-peers)`]),
    `${where.cpu}, ${where.cores} cores, ${Math.round(where.memoryBytes / 2 ** 30)} GiB; Node.js ${where.node}; commit ${where.commit ?? 'unknown'}`,
  ];
}
