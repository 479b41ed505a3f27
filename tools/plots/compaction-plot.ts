/** The figures of docs/performance.md about compaction: CSV, SVG and the figures of a run. */
import type { CompactionSample } from './compaction-disk.ts';
import { lineChart } from './line-chart.ts';

const COLUMNS = [
  'height',
  'diskBytes',
  'liveBytes',
  'windowPerLive',
  'ops',
  'cpuMs',
  'wallMs',
] as const satisfies readonly (keyof CompactionSample)[];

/** One line for every `every`-th block. */
export function compactionCsv(samples: readonly CompactionSample[], every: number): string {
  const rows = samples
    .filter((_, index) => index % every === 0)
    .map((sample) => COLUMNS.map((column) => +sample[column].toFixed(3)).join(','));
  return `${[COLUMNS.join(','), ...rows].join('\n')}\n`;
}

/** Bytes on disk beside what lives in them. */
export function diskChart(samples: readonly CompactionSample[], title: string): string {
  const line = (read: (sample: CompactionSample) => number): [number, number][] =>
    samples.map((sample) => [sample.height, read(sample)]);
  return lineChart({
    title,
    xName: 'blocks',
    yName: 'bytes',
    lines: [
      { name: 'op log on disk', color: '#0a7d3c', points: line(({ diskBytes }) => diskBytes) },
      { name: 'live ops', color: '#1f5fbf', points: line(({ liveBytes }) => liveBytes) },
      { name: 'twice the live ops', color: '#c0392b', dashed: true, points: line((sample) => 2 * sample.liveBytes) },
    ],
  });
}

/** What each block costs, against three times the median. */
export function costChart(samples: readonly CompactionSample[], title: string): string {
  const { medianOps } = compactionFigures(samples);
  return lineChart({
    title,
    xName: 'blocks',
    yName: 'ops',
    lines: [
      { name: 'ops written', color: '#0a7d3c', points: samples.map(({ height, ops }) => [height, ops]) },
      {
        name: 'three times the median',
        color: '#c0392b',
        dashed: true,
        points: samples.map(({ height }) => [height, 3 * medianOps]),
      },
    ],
  });
}

export interface CompactionFigures {
  /** Bytes on disk, and ops from the floor on, of what lives: the most ever (the log of genesis turns over once first), and in the last half of the run. */
  readonly diskPerLiveMax: number;
  readonly diskPerLiveLastHalf: number;
  readonly windowPerLiveMax: number;
  readonly windowPerLiveLastHalf: number;
  readonly medianOps: number;
  readonly opsMaxPerMedian: number;
  readonly medianCpuMs: number;
  readonly cpuP99PerMedian: number;
  readonly cpuMaxPerMedian: number;
}

/** Figures of a run; it needs one block at least. */
export function compactionFigures(samples: readonly CompactionSample[]): CompactionFigures {
  const most = (read: (sample: CompactionSample) => number, of = samples): number =>
    of.reduce((sum, sample) => Math.max(sum, read(sample)), 0);
  const ratio = ({ diskBytes, liveBytes }: CompactionSample): number => diskBytes / liveBytes;
  const window = (sample: CompactionSample): number => sample.windowPerLive;
  const lastHalf = samples.slice(Math.floor(samples.length / 2));
  const cpu = ({ cpuMs }: CompactionSample): number => cpuMs;
  const medianOps = quantile(
    samples.map(({ ops }) => ops),
    0.5,
  );
  const medianCpuMs = quantile(samples.map(cpu), 0.5);
  return {
    diskPerLiveMax: most(ratio),
    diskPerLiveLastHalf: most(ratio, lastHalf),
    windowPerLiveMax: most(window),
    windowPerLiveLastHalf: most(window, lastHalf),
    medianOps,
    opsMaxPerMedian: most(({ ops }) => ops) / medianOps,
    medianCpuMs,
    cpuP99PerMedian: quantile(samples.map(cpu), 0.99) / medianCpuMs,
    cpuMaxPerMedian: most(cpu) / medianCpuMs,
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
