/** Storage kept against recompute time, for 1, 2 and 4 layers: as CSV, and as SVG drawn by hand. */
import type { LayerCount } from '../layers.ts';
import { checkpointings, justInTime, regenerationMs } from './cheats.ts';
import type { MachineRates, SoundnessParameters } from './parameters.ts';

/** One way to keep less, on a curve. */
export interface CurvePoint {
  readonly layers: LayerCount;
  readonly kept: number;
  readonly workBytes: number;
  readonly ms: number;
}

/** The cheapest ways to keep less, for each number of layers; the last of each keeps nothing. */
export function curves(parameters: SoundnessParameters, machine: MachineRates): CurvePoint[] {
  return ([1, 2, 4] as const).flatMap((layers) => {
    const own = { ...parameters, layers };
    return [...checkpointings(own), justInTime(own)].map((way) => ({
      layers,
      kept: way.kept,
      workBytes: way.workBytes,
      ms: regenerationMs(own, machine, way),
    }));
  });
}

/** Columns: layers, share kept, bytes encrypted a proof, milliseconds. */
export function curvesCsv(points: readonly CurvePoint[]): string {
  const lines = points.map(
    ({ layers, kept, workBytes, ms }) =>
      `${layers},${kept.toPrecision(6)},${Math.round(workBytes)},${ms.toPrecision(6)}`,
  );
  return `layers,kept,work_bytes,ms\n${lines.join('\n')}\n`;
}

const WIDTH = 720;
const HEIGHT = 420;
const MARGIN = { left: 70, right: 20, top: 40, bottom: 50 } as const;
const COLORS: Readonly<Record<LayerCount, string>> = { 1: '#1b6ca8', 2: '#c05621', 4: '#2f855a' };

/** Linear over 0 .. 100 % kept; logarithmic in time, whole decades. */
function scales(points: readonly CurvePoint[], limitMs: number) {
  const times = [...points.map(({ ms }) => ms), limitMs].filter((ms) => ms > 0);
  const low = Math.floor(Math.log10(Math.min(...times)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...times))));
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const plotHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  return {
    low,
    high,
    x: (kept: number): string => (MARGIN.left + kept * plotWidth).toFixed(1),
    y: (ms: number): string =>
      (MARGIN.top + plotHeight * (1 - (Math.log10(Math.max(ms, 10 ** low)) - low) / (high - low))).toFixed(1),
  };
}

const text = (x: string | number, y: string | number, content: string, anchor = 'middle'): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" font-family="sans-serif" font-size="12">${content}</text>`;

const decade = (exponent: number): string => (exponent < 3 ? `${10 ** exponent} ms` : `${10 ** (exponent - 3)} s`);

/** @param limitMs drawn as a dashed line: below it a cheat is in time */
export function curvesSvg(points: readonly CurvePoint[], title: string, limitMs: number): string {
  const { low, high, x, y } = scales(points, limitMs);
  const [right, bottom] = [WIDTH - MARGIN.right, HEIGHT - MARGIN.bottom];
  const parts = [text(WIDTH / 2, 20, title)];
  for (let exponent = low; exponent <= high; exponent += 1) {
    const at = y(10 ** exponent);
    parts.push(`<line x1="${MARGIN.left}" y1="${at}" x2="${right}" y2="${at}" stroke="#ddd"/>`);
    parts.push(text(MARGIN.left - 6, Number(at) + 4, decade(exponent), 'end'));
  }
  for (const share of [0, 0.25, 0.5, 0.75, 1]) parts.push(text(x(share), bottom + 18, `${share * 100} %`));
  parts.push(text(WIDTH / 2, HEIGHT - 12, 'share of the replica kept'));
  const limit = y(limitMs);
  parts.push(
    `<line x1="${MARGIN.left}" y1="${limit}" x2="${right}" y2="${limit}" stroke="#c00" stroke-dasharray="6 4"/>`,
  );
  parts.push(text(right - 4, Number(limit) - 5, 'deadline', 'end'));
  for (const [index, layers] of ([1, 2, 4] as const).entries()) {
    const own = points.filter((point) => point.layers === layers);
    const line = own.map(({ kept, ms }) => `${x(kept)},${y(ms)}`).join(' ');
    parts.push(`<polyline points="${line}" fill="none" stroke="${COLORS[layers]}" stroke-width="2"/>`);
    for (const { kept, ms } of own)
      parts.push(`<circle cx="${x(kept)}" cy="${y(ms)}" r="2.5" fill="${COLORS[layers]}"/>`);
    parts.push(
      `<rect x="${right - 90}" y="${MARGIN.top + 16 * index}" width="12" height="3" fill="${COLORS[layers]}"/>`,
    );
    parts.push(text(right - 72, MARGIN.top + 5 + 16 * index, `${layers} layer${layers === 1 ? '' : 's'}`, 'start'));
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${title}"><title>${title}</title><rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`;
}
