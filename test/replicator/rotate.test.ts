import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planReplicas, type ReplicaStatus, type ReplicatorAction } from '../../replicator/rotate.ts';
import {
  periodOf,
  periodStartSlot,
  proofDeadlineSlot,
  rotationOf,
  rotationStartPeriod,
} from '../../replicator/schedule.ts';

/** Periods of 10 slots, rotations of 3 periods: rotation 1 is slots 30 .. 59. */
const schedule = { slotsPerPeriod: 10, periodsPerRotation: 3 };
const replica = (rotation: number, commit: ReplicaStatus['commit'], ...provenPeriods: number[]): ReplicaStatus => ({
  segment: 0,
  rotation,
  commit,
  provenPeriods,
});
const plan = (slot: number, ...replicas: ReplicaStatus[]): readonly ReplicatorAction[] =>
  planReplicas({ slot, schedule, segments: [0], replicas });
const brief = (actions: readonly ReplicatorAction[]): string[] =>
  actions.map((action) => [action.kind, action.rotation, ...('period' in action ? [action.period] : [])].join(' '));

describe('the schedule', () => {
  it('puts slots into periods and periods into rotations', () => {
    expect([0, 9, 10, 59].map((slot) => periodOf(schedule, slot))).toEqual([0, 0, 1, 5]);
    expect([0, 2, 3, 5, 6].map((period) => rotationOf(schedule, period))).toEqual([0, 0, 1, 1, 2]);
    expect(periodStartSlot(schedule, 3)).toBe(30);
    expect(rotationStartPeriod(schedule, 2)).toBe(6);
  });

  it('takes a proof in its period and the one after', () => {
    expect(proofDeadlineSlot(schedule, 4)).toBe(59);
    expect(periodOf(schedule, proofDeadlineSlot(schedule, 4))).toBe(5);
    expect(periodOf(schedule, proofDeadlineSlot(schedule, 4) + 1)).toBe(6);
  });
});

describe('the plan', () => {
  it('encodes a segment that has no replica, commits it, then proves', () => {
    expect(plan(31)).toEqual([{ kind: 'encode', segment: 0, rotation: 1 }]);
    expect(plan(31, replica(1, 'none'))).toEqual([{ kind: 'commit', segment: 0, rotation: 1 }]);
    expect(plan(31, replica(1, 'sent'))).toEqual([]);
    expect(plan(31, replica(1, 'final'))).toEqual([
      { kind: 'prove', segment: 0, rotation: 1, period: 3, deadlineSlot: 49 },
    ]);
    expect(plan(31, replica(1, 'final', 3))).toEqual([]);
    expect(brief(plan(40, replica(1, 'final', 3)))).toEqual(['prove 1 4']);
  });

  it('proves only the newest open period, once', () => {
    expect(brief(plan(45, replica(1, 'final')))).toEqual(['prove 1 4']);
    expect(plan(45, replica(1, 'final', 4))).toEqual([]);
  });

  it('sends no proof that can only come too late, or for a period that began before the commit', () => {
    const due = (slot: number, changes: Partial<ReplicaStatus> = {}): string[] =>
      brief(
        planReplicas({
          ...{ slot, schedule, deadlineSlots: 12, segments: [0] },
          replicas: [{ ...replica(1, 'final'), ...changes }],
        }),
      );
    expect([due(41), due(41, { provenPeriods: [4] }), due(42, { provableFrom: 5 })]).toEqual([['prove 1 4'], [], []]);
    // Period 3 may be proven in slots up to 42: not once the head is there.
    expect([due(41, { provableFrom: 3, provenPeriods: [4] }), due(39), due(31, { provableFrom: 4 })]).toEqual([
      [],
      ['prove 1 3'],
      [],
    ]);
    // Patience with the proof before is half of the time there is.
    expect([due(44, { proofPending: true }), due(45, { proofPending: true })]).toEqual([[], ['prove 1 4']]);
  });

  it('rotates from the own replica, first proving what the old key still owes', () => {
    expect(brief(plan(60, replica(1, 'final', 3, 4)))).toEqual(['prove 1 5', 'rotate 2']);
    expect(plan(60, replica(1, 'final', 5))).toEqual([{ kind: 'rotate', segment: 0, fromRotation: 1, rotation: 2 }]);
    expect(brief(plan(70, replica(1, 'final'), replica(2, 'none')))).toEqual(['commit 2']);
  });

  it('commits to the new replica when the last proof of the old one is decided, or half a period has passed', () => {
    const pending = { ...replica(1, 'final', 5), proofPending: true };
    expect(brief(plan(64, replica(1, 'final'), replica(2, 'none')))).toEqual(['prove 1 5']);
    expect(brief(plan(64, pending, replica(2, 'none')))).toEqual([]);
    expect(brief(plan(64, replica(1, 'final', 5), replica(2, 'none')))).toEqual(['commit 2']);
    expect(brief(plan(65, pending, replica(2, 'none')))).toEqual(['commit 2']);
    expect(brief(plan(65, replica(1, 'final'), replica(2, 'none')))).toEqual(['prove 1 5', 'commit 2']);
  });

  it('drops the old replica only when the new commit is final', () => {
    expect(brief(plan(60, replica(1, 'final', 5), replica(2, 'sent')))).toEqual([]);
    expect(brief(plan(60, replica(1, 'final', 5), replica(2, 'final', 6)))).toEqual(['drop 1']);
    expect(brief(plan(60, replica(1, 'final'), replica(2, 'final')))).toEqual(['prove 2 6', 'drop 1']);
  });

  it('rotates from the newest of several old replicas, and drops the others', () => {
    expect(brief(plan(95, replica(0, 'final'), replica(1, 'final'), replica(2, 'none')))).toEqual([
      'rotate 3',
      'drop 1',
      'drop 0',
    ]);
  });

  it('drops replicas of segments no longer kept, and leaves those of a later rotation alone', () => {
    const status = { ...replica(1, 'final'), segment: 9 };
    expect(planReplicas({ slot: 31, schedule, segments: [], replicas: [status] })).toEqual([
      { kind: 'drop', segment: 9, rotation: 1 },
    ]);
    expect(brief(plan(31, replica(5, 'none')))).toEqual(['encode 1']);
  });
});

/** A replicator whose every action takes effect at once, or is lost, over the slots of several rotations. */
function live(lost: (slot: number) => boolean, slots: number): Map<number, number> {
  const replicas = new Map<number, { commit: ReplicaStatus['commit']; proven: number[] }>();
  const proofs = new Map<number, number>();
  for (let slot = 0; slot < slots; slot += 1) {
    const known = [...replicas].map(([rotation, { commit, proven }]) => replica(rotation, commit, ...proven));
    const actions = plan(slot, ...known);
    expect(new Set(brief(actions)).size).toBe(actions.length);
    if (lost(slot)) continue;
    for (const action of actions) {
      if (action.kind === 'encode' || action.kind === 'rotate') {
        if (action.kind === 'rotate') expect(replicas.has(action.fromRotation)).toBe(true);
        replicas.set(action.rotation, { commit: 'none', proven: [] });
      } else if (action.kind === 'commit') replicas.get(action.rotation)!.commit = 'final';
      else if (action.kind === 'drop') replicas.delete(action.rotation);
      else {
        expect(slot).toBeLessThanOrEqual(action.deadlineSlot);
        expect(replicas.get(action.rotation)!.commit).toBe('final');
        replicas.get(action.rotation)!.proven.push(action.period);
        proofs.set(action.period, (proofs.get(action.period) ?? 0) + 1);
      }
    }
    expect(replicas.size).toBeLessThanOrEqual(2);
  }
  return proofs;
}

describe('following the plan', () => {
  it('proves every period exactly once, through all rotations', () => {
    const proofs = live(() => false, 200);
    for (let period = 0; period < 20; period += 1) expect(proofs.get(period), `period ${period}`).toBe(1);
  });

  it('after an outage misses at most the periods it was down for, and never proves twice', () => {
    fc.assert(
      fc.property(fc.nat({ max: 150 }), fc.nat({ max: 40 }), (from, length) => {
        const proofs = live((slot) => slot >= from && slot < from + length, 220);
        for (let period = 0; period < 22; period += 1) {
          const start = periodStartSlot(schedule, period);
          const down = from < start + 10 && from + length > start;
          if (!down) expect(proofs.get(period)).toBe(1);
          else expect(proofs.get(period) ?? 0).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 100, seed: 9 },
    );
  });
});
