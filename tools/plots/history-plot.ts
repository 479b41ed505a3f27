/** The figure of docs/performance.md about history on disk: CSV and SVG from the samples of a run. */
import type { DiskSample } from './history-disk.ts';
import { lineChart } from './line-chart.ts';

const COLUMNS = [
  'height',
  'streamBytes',
  'keptBytes',
  'keptBytesMax',
  'indexBytes',
  'archiveBytes',
  'archiveIndexBytes',
] as const satisfies readonly (keyof DiskSample)[];

/** One line a sample; an absent value is empty. */
export function samplesCsv(samples: readonly DiskSample[]): string {
  const rows = samples.map((sample) => COLUMNS.map((column) => sample[column] ?? '').join(','));
  return `${[COLUMNS.join(','), ...rows].join('\n')}\n`;
}

export function samplesChart(samples: readonly DiskSample[], title: string): string {
  const line = (read: (sample: DiskSample) => number | null): [number, number][] =>
    samples.flatMap((sample) => {
      const value = read(sample);
      return value === null ? [] : [[sample.height, value] as [number, number]];
    });
  return lineChart({
    title,
    xName: 'blocks',
    yName: 'bytes on disk',
    lines: [
      { name: 'archive: segments', color: '#888888', points: line(({ archiveBytes }) => archiveBytes) },
      { name: 'archive: index', color: '#bbbbbb', points: line(({ archiveIndexBytes }) => archiveIndexBytes) },
      { name: 'pruned: segments', color: '#0a7d3c', points: line(({ keptBytes }) => keptBytes) },
      { name: 'pruned: index', color: '#1f5fbf', points: line(({ indexBytes }) => indexBytes) },
      {
        name: 'pruned: bound on segments',
        color: '#c0392b',
        dashed: true,
        points: line((sample) => sample.keptBytesMax),
      },
    ],
  });
}
