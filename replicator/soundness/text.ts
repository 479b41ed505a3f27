/** The soundness report as lines for people. */
import type { AttackRow, SoundnessParameters, SoundnessReport } from './parameters.ts';

const UNITS: readonly (readonly [number, string])[] = [
  [2 ** 40, 'TiB'],
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
];

/** `64 MiB` */
export function sizeText(bytes: number): string {
  if (bytes === 0) return '-';
  const [factor, unit] = UNITS.find(([least]) => bytes >= least) ?? [1, 'B'];
  return `${Number((bytes / factor).toPrecision(3))} ${unit}`;
}

/** `1.5 ms`, `2.3 s` */
export function timeText(ms: number): string {
  if (ms === 0) return '-';
  if (ms < 1) return `${(ms * 1000).toPrecision(3)} us`;
  return ms < 1000 ? `${ms.toPrecision(3)} ms` : `${(ms / 1000).toPrecision(3)} s`;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** `2^-40`, or as a share where it is one worth reading. */
export function oddsText(log2: number): string {
  if (log2 === Number.NEGATIVE_INFINITY) return '0';
  return log2 > -10 ? percent(2 ** log2) : `2^${log2.toFixed(0)}`;
}

const pohText = (count: number): string =>
  count === 0 ? '-' : `${Math.max(1, Math.round(count / 1000)).toLocaleString('en')} k`;

function cells({ attack, detail, kept, workBytes, workMs, workPoh, passLog2, measured, verdict }: AttackRow): string[] {
  const tried = measured === null ? '-' : `${measured.passed} of ${measured.tried}`;
  const work = [sizeText(workBytes), timeText(workMs), pohText(workPoh)];
  return [attack, detail, percent(kept), percent(1 - kept), ...work, oddsText(passLog2), tried, verdict];
}

const HEAD = ['attack', 'how', 'keeps', 'saves', 'encrypts', 'time', 'PoH', 'passes', 'really', 'verdict'];

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

function setting({
  mode,
  segmentSizeBytes,
  layers,
  leafSizeBytes,
  sampleCount,
  checkCount,
  ...rest
}: SoundnessParameters): string {
  const drawn =
    mode === 'open'
      ? `${sampleCount} leaves of ${leafSizeBytes} bytes and ${checkCount} encodings a proof`
      : 'a slice of every sample block';
  const limit = mode === 'open' ? `deadline ${timeText(rest.deadlineMs)}` : `period ${timeText(rest.periodMs)}`;
  return `mode ${mode}: segment ${sizeText(segmentSizeBytes)}, layers ${layers}, ${drawn}, ${limit}; the cheat has ${rest.cores} cores like this one`;
}

/** Lines of the report. */
export function soundnessLines(report: SoundnessReport): string[] {
  const { parameters, machine, rows, scaledSizeBytes, sound, deadlineMsMax } = report;
  const rate = (bytes: number): string => `${(bytes / 1e9).toPrecision(3)} GB/s`;
  const limit = parameters.mode === 'open' ? parameters.deadlineMs : parameters.periodMs;
  return [
    setting(parameters),
    `this core: one chain ${rate(machine.oneChain)}, many chains ${rate(machine.manyChains)}, PoH ${(machine.poh / 1e6).toPrecision(3)} M/s`,
    '',
    ...table([HEAD, ...rows.map(cells)]),
    '',
    `keeps: share of one replica, the public history not counted. time: on all the cheat's cores, in his favour. really: accepted by the real verifier, at ${sizeText(scaledSizeBytes)}`,
    `a cheat who saves ${percent(parameters.savingShare)} or more needs at least ${timeText(deadlineMsMax)} a proof; there are ${timeText(limit)}`,
    sound ? 'SOUND on this machine' : 'NOT SOUND on this machine',
  ];
}
