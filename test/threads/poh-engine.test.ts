import { describe, expect, it } from 'vitest';
import { pohCount, slot } from '../../native/index.ts';
import { PohEngine } from '../../src/node/threads/poh-engine.ts';
import type { PohEvent } from '../../src/node/threads/poh-messages.ts';
import { kernels } from '../codec/fixtures.ts';
import { blockHashOf, digestOf, perSlot, pace as slowPace, startAt } from './recorder.ts';

/** 50 steps a ms, 5 ms a tick, 20 ms a slot. */
const pace = { ...slowPace, slotDurationMs: 20 };

/** An engine under a clock that only the test moves. */
class Bench {
  nowMs = 1_000;
  readonly events: PohEvent[] = [];
  readonly engine: PohEngine = new PohEngine(
    kernels,
    pace,
    () => this.nowMs,
    (event) => this.events.push(event),
  );

  /** Turns until nothing is due; returns the ms the engine would sleep. */
  settle(): number {
    for (let turns = 0; turns < 10_000; turns++) {
      const idleMs = this.engine.turn();
      if (idleMs > 0) return idleMs;
    }
    throw new RangeError('the engine never comes to rest');
  }

  advance(ms: number): number {
    this.nowMs += ms;
    return this.settle();
  }

  /** Lets time pass in small steps, as on a machine that keeps up. */
  run(ms: number): number {
    let idleMs = 0;
    for (let step = 0; step < ms * 4; step++) idleMs = this.advance(0.25);
    return idleMs;
  }

  start(parentSlot = 0, first = 1): number {
    this.engine.request({ kind: 'start', id: 1, at: startAt(parentSlot, first) });
    return this.settle();
  }

  mixin(id: number, slotNumber: number): void {
    this.engine.request({ kind: 'mixin', id, slot: slot(slotNumber), digest: digestOf(id) });
  }

  openSlot(id: number, slotNumber: number): void {
    this.engine.request({ kind: 'openSlot', id, slot: slot(slotNumber), parentHash: blockHashOf(slotNumber - 1) });
  }

  counts(kind: PohEvent['kind']): number[] {
    return this.events.flatMap((event) => (event.kind === kind && 'count' in event ? [event.count] : []));
  }
}

describe('the pace', () => {
  it('makes each tick at its time, never before', () => {
    const bench = new Bench();
    bench.start();
    expect(bench.counts('tick')).toEqual([]);
    bench.advance(4.99);
    expect(bench.counts('tick')).toEqual([]);
    bench.advance(0.02);
    expect(bench.counts('tick')).toEqual([250]);
    bench.advance(5);
    expect(bench.counts('tick')).toEqual([250, 500]);
    expect(bench.counts('slotEnd')).toEqual([]);
    bench.advance(10);
    expect(bench.counts('slotEnd')).toEqual([1_000]);
  });

  it('sleeps no longer than to the next tick', () => {
    const bench = new Bench();
    const idleMs = bench.start();
    expect(idleMs).toBeGreaterThan(0);
    expect(idleMs).toBeLessThanOrEqual(5);
    expect(bench.advance(2)).toBeCloseTo(3, 5);
  });

  it('puts a mixin where the clock stands', () => {
    const bench = new Bench();
    bench.start();
    bench.nowMs += 3;
    bench.mixin(2, 1);
    bench.settle();
    expect(bench.counts('point')).toEqual([1, 151]);
  });

  it('lets mixins that would force a tick early wait for it', () => {
    const bench = new Bench();
    bench.start();
    for (let id = 2; id < 302; id++) bench.mixin(id, 1);
    bench.settle();
    expect(bench.counts('point').length).toBe(249);
    expect(bench.counts('tick')).toEqual([]);
    bench.advance(5.01);
    expect(bench.counts('tick')).toEqual([250]);
    expect(bench.counts('point').length).toBe(301);
  });

  it('closes the slot on mixins that wait past its end', () => {
    const bench = new Bench();
    bench.start();
    bench.nowMs += 25;
    bench.mixin(2, 1);
    bench.settle();
    expect(bench.events.at(-1)).toEqual({ kind: 'closed', id: 2 });
    expect(bench.counts('slotEnd')).toEqual([1_000]);
  });

  it('hashes through skipped slots without waiting, then keeps the pace', () => {
    const bench = new Bench();
    bench.start(0, 10);
    expect(bench.counts('tick').at(-1)).toBe(9 * perSlot);
    expect(bench.counts('tick').length).toBe(36);
    bench.advance(5.01);
    expect(bench.counts('tick').at(-1)).toBe(9 * perSlot + 250);
    expect(bench.engine.rate().ticksBehind).toBe(0);
  });
});

describe('holding and lag', () => {
  it('stops one mixin short of the next tick until the slot is opened, and blames nobody for it', () => {
    const bench = new Bench();
    bench.start();
    bench.run(20);
    expect(bench.run(10)).toBe(Number.POSITIVE_INFINITY);
    bench.openSlot(2, 2);
    expect(bench.counts('point').at(-1)).toBe(pohCount(perSlot + 249));
    bench.settle();
    expect(bench.counts('tick').at(-1)).toBe(perSlot + 500);
    bench.run(11);
    expect(bench.counts('slotEnd')).toEqual([1_000, 2_000]);
    expect(bench.engine.rate()).toMatchObject({ ticksBehind: 0, slippedMs: 0 });
    // The slot ended at 20 ms, there was room until about 25 ms, and the call came at 30 ms.
    expect(bench.engine.rate().heldMs).toBeCloseTo(5, 5);
  });

  it('counts ticks the machine was late with', () => {
    const bench = new Bench();
    bench.start();
    bench.advance(16);
    expect(bench.counts('tick')).toEqual([250, 500, 750]);
    expect(bench.engine.rate().ticksBehind).toBe(2);
  });

  it('gives up lag beyond four slots', () => {
    const bench = new Bench();
    bench.start();
    bench.advance(20);
    bench.openSlot(2, 2);
    bench.advance(3_600_000);
    const owedMs = 4 * pace.slotDurationMs;
    expect(bench.engine.rate().slippedMs).toBeCloseTo(3_600_000 - owedMs, 1);
    // What is left of the lag is caught up at full speed: slots 3, 4 and 5 end at once, slot 6 in its time.
    for (const next of [3, 4, 5]) {
      bench.openSlot(next, next);
      bench.settle();
    }
    expect(bench.counts('slotEnd').at(-1)).toBe(5 * perSlot);
    bench.openSlot(6, 6);
    bench.settle();
    expect(bench.counts('slotEnd').at(-1)).toBe(5 * perSlot);
    bench.advance(20.01);
    expect(bench.counts('slotEnd').at(-1)).toBe(6 * perSlot);
  });
});
