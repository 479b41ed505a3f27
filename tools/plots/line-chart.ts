/**
 * A line chart as SVG text: axes from zero, a grid, a legend. Enough for the figures in docs/, and no dependency.
 *
 * Invariant: equal input gives equal text.
 */
export interface ChartLine {
  readonly name: string;
  /** `#rrggbb` */
  readonly color: string;
  /** Drawn dashed: a bound rather than a measurement. */
  readonly dashed?: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  readonly lines: readonly ChartLine[];
}

const WIDTH = 840;
const PLOT = { left: 80, right: 820, top: 56, bottom: 330 };
/** Below the plot: ticks, the axis' name, then the legend's rows. */
const LEGEND_AT: number = PLOT.bottom + 62;
const LEGEND_ROW = 18;
/** An axis has at most so many steps. */
const STEPS_MAX = 6;

/** Draws it. Needs at least one point. */
export function lineChart({ title, xName, yName, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const xTicks = ticksTo(points.reduce((most, [x]) => Math.max(most, x), 0));
  const yTicks = ticksTo(points.reduce((most, [, y]) => Math.max(most, y), 0));
  const [xMax, yMax] = [xTicks.at(-1)!, yTicks.at(-1)!];
  const x = (value: number): number => rounded(PLOT.left + (value / xMax) * (PLOT.right - PLOT.left));
  const y = (value: number): number => rounded(PLOT.bottom - (value / yMax) * (PLOT.bottom - PLOT.top));
  const height = LEGEND_AT + Math.ceil(lines.length / 2) * LEGEND_ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(WIDTH / 2, 24, title, 'middle', 15),
    ...yTicks.flatMap((tick) => [
      `<path d="M${PLOT.left} ${y(tick)}H${PLOT.right}" stroke="#dddddd"/>`,
      text(PLOT.left - 8, y(tick) + 4, amountText(tick), 'end'),
    ]),
    ...xTicks.map((tick) => text(x(tick), PLOT.bottom + 18, amountText(tick), 'middle')),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 38, xName, 'middle'),
    text(PLOT.left, PLOT.top - 12, yName, 'start'),
    ...lines.map(({ color, dashed, points: own }) => {
      const path = outline(own.map(([px, py]) => [x(px), y(py)])).map(([px, py]) => `${px} ${py}`);
      return `<path d="M${path.join('L')}" fill="none" stroke="${color}" stroke-width="1.5"${dashed === true ? ' stroke-dasharray="5 4"' : ''}/>`;
    }),
    ...legend(lines),
    '</svg>',
    '',
  ].join('\n');
}

/** To a tenth of a pixel. */
const rounded = (value: number): number => Math.round(value * 10) / 10;

type Point = readonly [x: number, y: number];

/** The points that can be seen: of each column of pixels the first, the highest, the lowest and the last; of a level stretch its ends. */
function outline(points: readonly Point[]): Point[] {
  const columns = new Map<number, Point[]>();
  for (const point of points) {
    const column = columns.get(Math.floor(point[0]));
    if (column === undefined) columns.set(Math.floor(point[0]), [point]);
    else column.push(point);
  }
  const seen = [...columns.values()].flatMap((column) => {
    const heights = column.map(([, y]) => y);
    const [top, bottom] = [Math.min(...heights), Math.max(...heights)];
    const kept = new Set([0, heights.indexOf(top), heights.indexOf(bottom), column.length - 1]);
    return [...kept].sort((a, b) => a - b).map((index) => column[index]!);
  });
  return seen.filter(([, y], index) => seen[index - 1]?.[1] !== y || seen[index + 1]?.[1] !== y);
}

/** Names below the plot, two columns. */
function legend(lines: readonly ChartLine[]): string[] {
  return lines.flatMap(({ name, color, dashed }, index) => {
    const left = PLOT.left + (index % 2) * 380;
    const top = LEGEND_AT + Math.floor(index / 2) * LEGEND_ROW;
    const dash = dashed === true ? ' stroke-dasharray="5 4"' : '';
    return [
      `<path d="M${left} ${top - 4}h24" stroke="${color}" stroke-width="2"${dash}/>`,
      text(left + 30, top, name, 'start'),
    ];
  });
}

function text(x: number, y: number, content: string, anchor: string, size = 12): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="#222222">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}

/** Ticks of an axis from 0 to at least `most`, by the least step of 1, 2, 2.5 or 5 times a power of ten that needs few enough. */
function ticksTo(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1) / STEPS_MAX));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((width) => most <= width * STEPS_MAX)!;
  return Array.from({ length: Math.max(1, Math.ceil(most / step)) + 1 }, (_, index) => index * step);
}

function amountText(value: number): string {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(2)} M`;
  return value >= 1e3 ? `${+(value / 1e3).toFixed(2)} k` : `${+value.toFixed(2)}`;
}
