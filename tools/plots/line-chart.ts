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
const HEIGHT = 420;
const MARGIN = { left: 80, right: 20, top: 50, bottom: 90 };
const TICKS = 5;

/** Draws it. Needs at least one point. */
export function lineChart({ title, xName, yName, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const xMax = roundUp(points.reduce((most, [x]) => Math.max(most, x), 0));
  const yMax = roundUp(points.reduce((most, [, y]) => Math.max(most, y), 0));
  const [plotWidth, plotHeight] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (value: number): string => (MARGIN.left + (value / xMax) * plotWidth).toFixed(1);
  const y = (value: number): string => (MARGIN.top + (1 - value / yMax) * plotHeight).toFixed(1);
  const ticks = Array.from({ length: TICKS + 1 }, (_, index) => index / TICKS);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(WIDTH / 2, 24, title, 'middle', 15),
    ...ticks.flatMap((share) => [
      `<path d="M${MARGIN.left} ${y(share * yMax)}H${WIDTH - MARGIN.right}" stroke="#dddddd"/>`,
      text(MARGIN.left - 8, Number(y(share * yMax)) + 4, amountText(share * yMax), 'end'),
      text(Number(x(share * xMax)), HEIGHT - MARGIN.bottom + 18, amountText(share * xMax), 'middle'),
    ]),
    text(WIDTH / 2, HEIGHT - MARGIN.bottom + 38, xName, 'middle'),
    text(MARGIN.left, MARGIN.top - 10, yName, 'middle'),
    ...lines.map(({ color, dashed, points: own }) => {
      const path = own.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${x(px)} ${y(py)}`).join('');
      return `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.5"${dashed === true ? ' stroke-dasharray="5 4"' : ''}/>`;
    }),
    ...legend(lines),
    '</svg>',
    '',
  ].join('\n');
}

/** Names below the plot, two columns. */
function legend(lines: readonly ChartLine[]): string[] {
  return lines.flatMap(({ name, color, dashed }, index) => {
    const left = MARGIN.left + (index % 2) * 380;
    const top = HEIGHT - MARGIN.bottom + 56 + Math.floor(index / 2) * 16;
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

/** The next 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return ([1, 2, 3, 4, 5, 6, 8].find((step) => step * power >= value) ?? 10) * power;
}

function amountText(value: number): string {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(2)} M`;
  return value >= 1e3 ? `${+(value / 1e3).toFixed(2)} k` : `${+value.toFixed(2)}`;
}
