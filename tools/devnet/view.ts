/**
 * What a run looks like while it runs: a frame of figures redrawn in place on a terminal, or a line every five seconds elsewhere.
 *
 * The frame is made by a pure function from a snapshot. It uses no alternate screen: what was printed before stays, and the last frame remains
 * when the run ends. Keys: `q` or Ctrl-C asks for a clean stop, a second time for a hurried one.
 */
import type { ReadStream, WriteStream } from 'node:tty';
import pc from 'picocolors';

export interface ViewNode {
  readonly name: string;
  readonly state: string;
  readonly detail: string;
}

/** Everything a frame shows. */
export interface Snapshot {
  readonly elapsedMs: number;
  /** Null: until somebody stops it. */
  readonly durationMs: number | null;
  readonly phase: string;
  readonly height: number;
  readonly slot: number;
  readonly leader: string | null;
  readonly pohHashesPerSecond: number;
  readonly transfersFinal: number;
  readonly transfersSubmitted: number;
  readonly transfersPerSecond: number;
  readonly finalityP50Ms: number | null;
  readonly segments: number;
  readonly historyBytes: number;
  readonly replicasEncoded: number;
  readonly proofsAccepted: number;
  readonly proofsRejected: number;
  readonly rotations: number;
  readonly nodes: readonly ViewNode[];
  /** Latest events, oldest first. */
  readonly events: readonly string[];
}

export type Colors = Pick<typeof pc, 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'>;

const EVENTS_SHOWN = 5;
const PLAIN_INTERVAL_MS = 5_000;
const FRAME_INTERVAL_MS = 250;
const STATE_COLORS: Readonly<Record<string, 'green' | 'red' | 'yellow'>> = {
  running: 'green',
  down: 'red',
  starting: 'yellow',
  syncing: 'yellow',
};

/** Draws a frame as lines no wider than `columns`. */
export function renderFrame(snapshot: Snapshot, columns: number, colors: Colors = pc): string[] {
  const total = snapshot.durationMs === null ? '' : ` of ${seconds(snapshot.durationMs)}`;
  const figures: readonly (readonly [string, string])[] = [
    ['height', `${snapshot.height} (slot ${snapshot.slot}), generator ${snapshot.leader ?? 'unknown'}`],
    ['PoH', `${group(Math.round(snapshot.pohHashesPerSecond))} hashes a second`],
    [
      'transfers',
      `${group(snapshot.transfersFinal)} final of ${group(snapshot.transfersSubmitted)}, ${group(Math.round(snapshot.transfersPerSecond))} a second`,
    ],
    ['finality', snapshot.finalityP50Ms === null ? 'none yet' : `${snapshot.finalityP50Ms} ms (median)`],
    ['history', `${snapshot.segments} segments, ${group(snapshot.historyBytes)} bytes`],
    ['replicas', `${snapshot.replicasEncoded} encoded, ${snapshot.rotations} key rotations`],
    ['proofs', `${snapshot.proofsAccepted} accepted, ${snapshot.proofsRejected} rejected`],
  ];
  return [
    line(`cairn devnet  ${seconds(snapshot.elapsedMs)}${total}  ${snapshot.phase}`, columns, colors.bold),
    ...figures.map(([name, value]) => label(name, value, columns, colors)),
    '',
    ...snapshot.nodes.map((node) => nodeLine(node, columns, colors)),
    '',
    ...snapshot.events.slice(-EVENTS_SHOWN).map((event) => line(`  ${event}`, columns, colors.dim)),
    line('  q: stop and report', columns, colors.dim),
  ];
}

/** One line for logs. */
export function renderLine(snapshot: Snapshot): string {
  return (
    `${seconds(snapshot.elapsedMs)} height ${snapshot.height}, ${Math.round(snapshot.pohHashesPerSecond)} PoH/s, ` +
    `${snapshot.transfersFinal} transfers final (${Math.round(snapshot.transfersPerSecond)}/s), ` +
    `finality ${snapshot.finalityP50Ms ?? '-'} ms, ${snapshot.segments} segments, ${snapshot.replicasEncoded} replicas encoded, ` +
    `proofs ${snapshot.proofsAccepted} accepted ${snapshot.proofsRejected} rejected, ${snapshot.phase}`
  );
}

function label(name: string, value: string, columns: number, colors: Colors): string {
  const text = clip(`  ${name.padEnd(10)}${value}`, columns);
  return text.slice(0, 12).replace(name, colors.cyan(name)) + text.slice(12);
}

function nodeLine({ name, state, detail }: ViewNode, columns: number, colors: Colors): string {
  const text = clip(`  ${name.padEnd(14)}${state.padEnd(10)}${detail}`, columns);
  return text.replace(state, colors[STATE_COLORS[state] ?? 'yellow'](state));
}

function line(text: string, columns: number, style: (text: string) => string): string {
  return style(clip(text, columns));
}

function clip(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}~`;
}

const seconds = (durationMs: number): string => `${Math.floor(durationMs / 1000)} s`;
const group = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

export interface View {
  start(snapshot: () => Snapshot): void;
  /** An event worth telling. */
  say(event: string): void;
  stop(): void;
}

type Output = Pick<WriteStream, 'write'> & { readonly columns?: number };

/** Redraws a frame in place. */
export class LiveView implements View {
  readonly #output: Output;
  readonly #input: ReadStream | null;
  readonly #onQuit: () => void;
  #timer: NodeJS.Timeout | undefined;
  #drawn = 0;
  #snapshot: (() => Snapshot) | null = null;

  /** @param input a terminal to read keys from, or null */
  constructor(output: Output, input: ReadStream | null, onQuit: () => void) {
    this.#output = output;
    this.#input = input;
    this.#onQuit = onQuit;
  }

  readonly #key = (data: Buffer): void => {
    // In raw mode Ctrl-C comes as a character instead of a signal.
    if (data.includes('q') || data.includes(0x03)) this.#onQuit();
  };

  start(snapshot: () => Snapshot): void {
    this.#snapshot = snapshot;
    this.#input?.setRawMode(true).resume().on('data', this.#key);
    this.#output.write('\x1b[?25l');
    this.draw();
    this.#timer = setInterval(() => this.draw(), FRAME_INTERVAL_MS);
  }

  /** The events are part of the frame. */
  say(_event: string): void {}

  draw(): void {
    if (this.#snapshot === null) return;
    const lines = renderFrame(this.#snapshot(), (this.#output.columns ?? 80) - 1);
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#output.write(`${up}\r${lines.map((each) => `${each}\x1b[K\n`).join('')}\x1b[J`);
    this.#drawn = lines.length;
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.draw();
    this.#input?.off('data', this.#key).setRawMode(false).pause();
    this.#output.write('\x1b[?25h');
  }
}

/** Prints a line now and then. */
export class PlainView implements View {
  readonly #output: Output;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  start(snapshot: () => Snapshot): void {
    this.#timer = setInterval(() => this.#output.write(`${renderLine(snapshot())}\n`), PLAIN_INTERVAL_MS);
  }

  say(event: string): void {
    this.#output.write(`${event}\n`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Says nothing. */
export const QUIET_VIEW: View = { start: () => {}, say: () => {}, stop: () => {} };
