/** The figure of docs/performance.md about traffic by number of validators: CSV and SVG from measured runs and the model. */
import { modelTraffic, type Traffic } from '../simulate/traffic.ts';
import { lineChart } from './line-chart.ts';

/** Sizes drawn by the model. */
const SIZES = [4, 10, 25, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000];
/** Neighbours in gossipsub's mesh, by its defaults. */
const GOSSIPSUB_DEGREE = 6;

type Row = Omit<Traffic, 'finality'>;

/** The model's sizes and the measured ones, one a line. */
export function trafficCsv(measured: readonly Traffic[]): string {
  const row = (kind: string, { validators, degree, votesSent, voteBytes, otherBytes }: Row): string =>
    [kind, validators, degree, ...[votesSent, voteBytes, otherBytes].map(Math.round)].join(',');
  const rows = [
    ...measured.map((traffic) => row('measured', traffic)),
    ...SIZES.map((count) => row('model', modelTraffic(count))),
    ...SIZES.filter((count) => count > GOSSIPSUB_DEGREE).map((count) =>
      row('model with 6 neighbours', modelTraffic(count, GOSSIPSUB_DEGREE)),
    ),
  ];
  return `${['kind,validators,neighbours,votesSent,voteBytes,otherBytes', ...rows].join('\n')}\n`;
}

export function trafficChart(measured: readonly Traffic[]): string {
  const bytes = (row: Row): number => row.voteBytes + row.otherBytes;
  const model = (degree?: number): [number, number][] =>
    SIZES.filter((count) => count > (degree ?? 0)).map((count) => [count, bytes(modelTraffic(count, degree))]);
  return lineChart({
    title: 'What a validator sends, 500 ms slots',
    xName: 'validators',
    yName: 'bytes a second',
    lines: [
      { name: 'model, mesh as simulated', color: '#888888', dashed: true, points: model() },
      { name: 'model, 6 neighbours', color: '#1f5fbf', dashed: true, points: model(GOSSIPSUB_DEGREE) },
      {
        name: 'simulated (4, 25, 100)',
        color: '#c0392b',
        points: measured.map((traffic) => [traffic.validators, bytes(traffic)]),
      },
    ],
  });
}
