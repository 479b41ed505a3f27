/** Periods and rotations by slot, and the hashes that blocks settle for them, over any pattern of skipped slots. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commitSlots,
  isProofOpen,
  periodOfSlot,
  proofSlots,
  readDesignated,
  readRotationHash,
  rotationOfSlot,
} from '../../src/ledger/index.ts';
import { periodsDesignated } from '../../src/ledger/replication/schedule.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { Chain, document } from './fixture.ts';

/** 4 slots a period, 2 periods a rotation: rotation r is slots 8 r .. 8 r + 7. */
const schedule = { slotsPerPeriod: 4, periodsPerRotation: 2 };

describe('schedule', () => {
  it('has the edges of its table', () => {
    expect([0, 3, 4, 7, 8, 12].map((at) => periodOfSlot(schedule, at))).toEqual([0, 0, 1, 1, 2, 3]);
    expect([0, 7, 8, 15, 16].map((at) => rotationOfSlot(schedule, at))).toEqual([0, 0, 1, 1, 2]);
    expect(proofSlots(schedule, 1)).toEqual({ first: 4, last: 11 });
    expect(commitSlots(schedule, 1)).toEqual({ first: 8, last: 15 });
    for (let at = 0; at < 20; at++) expect(isProofOpen(schedule, 1, at)).toBe(at >= 4 && at <= 11);
    expect(periodsDesignated(schedule, 0, 1)).toEqual({ first: 0, last: 0 });
    expect(periodsDesignated(schedule, 3, 4)).toBeNull();
    expect(periodsDesignated(schedule, 4, 5)).toEqual({ first: 1, last: 1 });
    expect(periodsDesignated(schedule, 3, 13)).toEqual({ first: 1, last: 3 });
  });
});

describe('designated hashes', () => {
  it('are those of the last block at or before each period start, for any pattern of skipped slots', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 11 }), { minLength: 1, maxLength: 30 }), (gaps) => {
        const chain = new Chain(document({ replication: schedule }));
        const ends = [{ slot: 0, pohHash: chain.rules.chainId }];
        for (const gap of gaps) {
          chain.block(chain.recent.end.slot + gap);
          ends.push({ slot: chain.recent.end.slot, pohHash: chain.recent.end.pohHash });
        }
        const last = chain.recent.end.slot;
        const newest = Math.ceil(last / 4) - 1;
        for (let period = 0; period <= newest + 2; period++) {
          const expected = ends.filter((end) => end.slot <= period * 4).at(-1);
          const known = period <= newest && period > newest - 4;
          expect(readDesignated(chain.state, period)).toEqual(known ? expected : undefined);
        }
        // The current and the previous rotation's hashes are there as soon as they are settled.
        const rotation = rotationOfSlot(schedule, last);
        if (rotation > 0) expect(readRotationHash(schedule, chain.state, rotation - 1)).toBeDefined();
        if (last > rotation * 8) expect(readRotationHash(schedule, chain.state, rotation)).toBeDefined();
        expect([...chain.state.records(Uint8Array.of(3))].length).toBeLessThanOrEqual(4);
      }),
      { numRuns: 200, seed: 8 },
    );
  });

  it('cost a bounded number of ops, however many periods a block skips', () => {
    const chain = new Chain(document({ replication: schedule }));
    for (let at = 1; at <= 20; at++) chain.block(at);
    const isDesignated = (op: StateOp): boolean => 'key' in op && op.key[0] === 3;
    const ops = chain.start(1_000_000).overlay.ops().filter(isDesignated);
    // The 4 newest are written and the 4 held before are deleted.
    expect(ops.map((op) => op.kind)).toEqual([...Array(4).fill('putRecord'), ...Array(4).fill('deleteRecord')]);
  });

  it('differ between forks', () => {
    const chain = new Chain(document({ replication: schedule }));
    chain.block(3);
    const [left, right] = [chain.start(4), chain.start(5)];
    expect(readDesignated(left.overlay, 1)).toBeUndefined();
    expect(readDesignated(right.overlay, 1)?.slot).toBe(3);
  });
});
