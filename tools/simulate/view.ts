/**
 * A timeline as one HTML page that needs nothing else: a row a node with who led, voted, was down or struck by a fault, and what became final when.
 */
import type { TraceEvent } from './trace.ts';

const ROW_PX = 34;
const TOP_PX = 60;
const LEFT_PX = 90;
const PX_PER_S = 14;
/** Widest drawing; longer runs are drawn to a smaller scale. */
const WIDTH_PX_MAX = 24_000;

interface Bar {
  readonly node: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly kind: 'lead' | 'down' | 'fault';
  readonly title: string;
}

/** @param lines the timeline, one JSON object each @param title set above it */
export function renderView(lines: readonly string[], title: string): string {
  const events = lines.map((line) => JSON.parse(line) as TraceEvent);
  const endMs = events.at(-1)?.ms ?? 0;
  const nodes = [...new Set(events.flatMap(({ node }) => node ?? []))].sort();
  const scale = Math.min(PX_PER_S, (WIDTH_PX_MAX * 1000) / Math.max(1, endMs)) / 1000;
  const x = (ms: number): string => (LEFT_PX + ms * scale).toFixed(1);
  const y = (node: string): number => TOP_PX + nodes.indexOf(node) * ROW_PX;
  const width = Math.ceil(LEFT_PX + endMs * scale + 40);
  const height = TOP_PX + nodes.length * ROW_PX + 40;
  const parts = [
    ...nodes.map((node) => `<text x="8" y="${y(node) + 18}">${escaped(node)}</text>`),
    ...seconds(endMs).map((ms) => `<text class="t" x="${x(ms)}" y="${height - 12}">${ms / 1000} s</text>`),
    ...barsOf(events, nodes, endMs).map(
      ({ node, fromMs, toMs, kind, title: text }) =>
        `<rect class="${kind}" x="${x(fromMs)}" y="${y(node) + (kind === 'lead' ? 4 : 0)}" width="${Math.max(1, (toMs - fromMs) * scale).toFixed(1)}" height="${kind === 'lead' ? 10 : 26}"><title>${escaped(text)}</title></rect>`,
    ),
    ...events.flatMap((event) => markOf(event, x, y, height)),
  ];
  return page(title, `<svg width="${width}" height="${height}">${parts.join('\n')}</svg>`);
}

function seconds(endMs: number): number[] {
  const stepMs = endMs > 600_000 ? 60_000 : 10_000;
  return Array.from({ length: Math.floor(endMs / stepMs) + 1 }, (_, at) => at * stepMs);
}

/** What lasts: leading, being down, being struck. */
function barsOf(events: readonly TraceEvent[], nodes: readonly string[], endMs: number): Bar[] {
  const bars: Bar[] = [];
  const since = new Map<string, { readonly ms: number; readonly title: string }>();
  const end = (node: string, kind: 'lead' | 'down', toMs: number): void => {
    const from = since.get(`${kind} ${node}`);
    if (from === undefined) return;
    since.delete(`${kind} ${node}`);
    bars.push({ node, kind, fromMs: from.ms, toMs, title: from.title });
  };
  for (const event of events) {
    const { ms, node, kind } = event;
    if (kind === 'fault')
      for (const struck of (event.nodes as readonly string[]).filter((name) => nodes.includes(name)))
        bars.push({
          node: struck,
          kind,
          fromMs: ms,
          toMs: ms + Number(event.forMs),
          title: `${event.number}: ${event.fault}`,
        });
    if (node === null) continue;
    if (kind === 'lead' || kind === 'down') {
      end(node, kind, ms);
      since.set(`${kind} ${node}`, {
        ms,
        title: kind === 'lead' ? `leads from slot ${event.slot}` : String(event.why),
      });
    }
    if (kind === 'stopLead' || kind === 'down') end(node, 'lead', ms);
    if (kind === 'up') end(node, 'down', ms);
  }
  for (const node of nodes) for (const kind of ['lead', 'down'] as const) end(node, kind, endMs);
  return bars;
}

/** What happens at a moment. */
function markOf(event: TraceEvent, x: (ms: number) => string, y: (node: string) => number, height: number): string[] {
  const { ms, node, kind } = event;
  const across = (title: string): string =>
    `<line class="${kind}" x1="${x(ms)}" x2="${x(ms)}" y1="30" y2="${height - 30}"><title>${escaped(title)}</title></line>`;
  switch (kind) {
    case 'final':
      return [
        `<circle class="final" cx="${x(ms)}" cy="42" r="3"><title>height ${event.height}, slot ${event.slot} final</title></circle>`,
      ];
    case 'vote':
      return node === null
        ? []
        : [
            `<line class="vote" x1="${x(ms)}" x2="${x(ms)}" y1="${y(node) + 16}" y2="${y(node) + 26}"><title>votes ${event.source} to ${event.target}</title></line>`,
          ];
    case 'evidence':
    case 'byzantine':
    case 'refused':
      return node === null
        ? []
        : [
            `<circle class="${kind}" cx="${x(ms)}" cy="${y(node) + 13}" r="4"><title>${escaped(JSON.stringify(event))}</title></circle>`,
          ];
    case 'calm':
      return [across('faults end')];
    case 'mended':
      return [across('too few are there: all are mended')];
    case 'violation':
      return [across(String(event.message))];
    default:
      return [];
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const STYLE = `body{font:13px system-ui,sans-serif;margin:16px;background:#fff;color:#222}
svg{background:#fafafa;border:1px solid #ddd}.wide{overflow-x:auto}.t{fill:#888;font-size:11px}
.lead{fill:#3b82f6}.down{fill:#ef4444;opacity:.35}.fault{fill:#f59e0b;opacity:.3}.final{fill:#16a34a}
.vote{stroke:#6b7280}.evidence{fill:#7c3aed}.byzantine{fill:#db2777}.refused{fill:#111}
line.calm,line.mended{stroke:#16a34a;stroke-dasharray:4}line.violation{stroke:#dc2626;stroke-width:3}`;

function page(title: string, svg: string): string {
  const legend =
    'blue: leads; grey marks: votes; red: down; amber: struck by a fault; green dots: final; violet: evidence; pink: a lie; black: a block refused; dashed: the faults end';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><h1>${escaped(title)}</h1><p>${legend}. Point at anything for more.</p><div class="wide">${svg}</div></body></html>
`;
}
