/** The view on a fake terminal: what is drawn, how it is redrawn, and the keys. */
import { EventEmitter } from 'node:events';
import type { ReadStream } from 'node:tty';
import pc from 'picocolors';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LiveView, PlainView, renderFrame, renderLine, type Snapshot } from '../../tools/devnet/view.ts';

const SNAPSHOT: Snapshot = {
  elapsedMs: 12_345,
  durationMs: 60_000,
  phase: 'loading',
  height: 24,
  slot: 25,
  leader: 'validator-1',
  pohHashesPerSecond: 100_004.4,
  transfersFinal: 12_345,
  transfersSubmitted: 12_400,
  transfersPerSecond: 499.7,
  finalityP50Ms: 1510,
  segments: 3,
  historyBytes: 1_234_567,
  replicasEncoded: 6,
  proofsAccepted: 12,
  proofsRejected: 1,
  rotations: 2,
  nodes: [
    { name: 'validator-1', state: 'running', detail: 'height 24, generator' },
    { name: 'validator-4', state: 'down', detail: '' },
  ],
  events: ['1 s: a', '2 s: b', '3 s: c', '4 s: d', '5 s: e', '6 s: f'],
};
const PLAIN = pc.createColors(false);

/** Replays cursor movements, so that a test sees what a person would. */
class FakeTerminal {
  readonly columns = 100;
  readonly lines: string[] = [''];
  row = 0;
  cursorHidden = false;

  write(text: string): boolean {
    // The escape character made visible, so that patterns can name it.
    const visible = text.replaceAll('\x1b', '␛');
    for (const part of visible.match(/␛\[[0-9;?]*[A-Za-z]|\n|\r|[^␛\n\r]+/g) ?? []) this.#apply(part);
    return true;
  }

  #apply(part: string): void {
    const up = /^␛\[(\d+)A$/.exec(part)?.[1];
    if (up !== undefined) this.row -= Number(up);
    else if (part === '\n') this.#newLine();
    else if (part === '␛[J') this.lines.splice(this.row + 1);
    else if (part === '␛[?25l') this.cursorHidden = true;
    else if (part === '␛[?25h') this.cursorHidden = false;
    else if (!part.startsWith('␛') && part !== '\r') this.lines[this.row] = part;
  }

  #newLine(): void {
    this.row += 1;
    this.lines[this.row] ??= '';
  }
}

class FakeKeys extends EventEmitter {
  raw = false;
  paused = true;
  setRawMode(raw: boolean): this {
    this.raw = raw;
    return this;
  }
  resume(): this {
    this.paused = false;
    return this;
  }
  pause(): this {
    this.paused = true;
    return this;
  }
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a frame', () => {
  it('shows every figure', () => {
    const text = renderFrame(SNAPSHOT, 100, PLAIN).join('\n');
    for (const expected of [
      '12 s of 60 s',
      'loading',
      '24 (slot 25), generator validator-1',
      '100,004 hashes a second',
      '12,345 final of 12,400, 500 a second',
      '1510 ms',
      '3 segments, 1,234,567 bytes',
      '6 encoded, 2 key rotations',
      '12 accepted, 1 rejected',
      'validator-4   down',
      '6 s: f',
    ])
      expect(text).toContain(expected);
    expect(text).not.toContain('1 s: a');
  });

  it('never is wider than the terminal, and survives what is not known yet', () => {
    const early = { ...SNAPSHOT, durationMs: null, leader: null, finalityP50Ms: null, nodes: [], events: [] };
    for (const columns of [10, 40, 80])
      for (const line of [...renderFrame(SNAPSHOT, columns, PLAIN), ...renderFrame(early, columns, PLAIN)])
        expect(line.length).toBeLessThanOrEqual(columns);
    expect(renderFrame(early, 80, PLAIN).join('\n')).toContain('none yet');
  });
});

describe('the live view', () => {
  it('redraws in place, leaves what was before, and ends with the last frame', () => {
    vi.useFakeTimers();
    const terminal = new FakeTerminal();
    terminal.write('$ npm start\n');
    let snapshot = SNAPSHOT;
    const view = new LiveView(terminal, null, () => {});
    view.start(() => snapshot);
    expect(terminal.cursorHidden).toBe(true);
    const height = terminal.lines.length;
    snapshot = { ...SNAPSHOT, height: 31 };
    vi.advanceTimersByTime(1000);
    expect(terminal.lines).toHaveLength(height);
    expect(terminal.lines[0]).toBe('$ npm start');
    expect(terminal.lines.filter((line) => line.includes('(slot 25)'))).toHaveLength(1);
    snapshot = { ...SNAPSHOT, height: 77, nodes: [] };
    view.stop();
    expect(terminal.lines).toHaveLength(height - 2);
    expect(terminal.lines.join('\n')).toContain('77 (slot 25)');
    expect(terminal.cursorHidden).toBe(false);
  });

  it.each(['q', '\x03'])('asks for a stop on %j and gives the keyboard back', (key) => {
    const keys = new FakeKeys();
    const quit = vi.fn();
    const view = new LiveView(new FakeTerminal(), keys as unknown as ReadStream, quit);
    view.start(() => SNAPSHOT);
    expect(keys.raw).toBe(true);
    keys.emit('data', Buffer.from('x'));
    expect(quit).not.toHaveBeenCalled();
    keys.emit('data', Buffer.from(key));
    expect(quit).toHaveBeenCalledTimes(1);
    view.stop();
    expect([keys.raw, keys.paused, keys.listenerCount('data')]).toEqual([false, true, 0]);
  });
});

describe('the plain view', () => {
  it('prints a line every five seconds, and events at once', () => {
    vi.useFakeTimers();
    const lines: string[] = [];
    const view = new PlainView({ write: (text: string) => lines.push(text) > 0 });
    view.start(() => SNAPSHOT);
    view.say('1 s: something');
    vi.advanceTimersByTime(10_500);
    view.stop();
    vi.advanceTimersByTime(10_000);
    expect(lines).toEqual(['1 s: something\n', `${renderLine(SNAPSHOT)}\n`, `${renderLine(SNAPSHOT)}\n`]);
    expect(renderLine(SNAPSHOT)).not.toContain('\x1b');
  });
});
