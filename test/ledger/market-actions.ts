/** What happens in the random lives of a market: single actions, and the stretches of them that chance alone would take long to reach. */
import fc from 'fast-check';

export const REPLICATORS = 4;
export const VALIDATORS = 4;
export const SEGMENTS = 2;

const who = fc.nat(REPLICATORS - 1);
const segment = fc.nat(SEGMENTS - 1);
const words = fc.array(fc.constantFrom(true, true, true, false, undefined), {
  minLength: VALIDATORS,
  maxLength: VALIDATORS,
});
/** One thing that somebody does; `who` and validators by number, `ago` is how many periods back it is about. */
export type Action =
  | { kind: 'register' | 'addDeposit'; who: number; units: number }
  | { kind: 'commit'; who: number; segment: number; off: number }
  | { kind: 'prove'; who: number; segment: number; ago: number; fake: boolean }
  | { kind: 'packet'; ago: number; segments: number; words: (boolean | undefined)[] }
  | { kind: 'unseal'; ago: number; segments: number; validators: number[]; sender: number | undefined }
  | { kind: 'reveal'; who: number; segment: number; ago: number }
  | { kind: 'retire'; who: number; segment: number }
  | { kind: 'report' }
  | { kind: 'unregister' | 'withdraw'; who: number }
  | { kind: 'slots'; count: number }
  | { kind: 'until'; phase: 'proofs' | 'secrets' };
/** Any action, by how often a market sees it. */
export const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('register' as const), who, units: fc.integer({ min: 95, max: 180 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), who, segment, off: fc.constantFrom(0, 0, 0, 0, 1) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('prove' as const),
      who,
      segment,
      ago: fc.constantFrom(0, 0, 0, 1, 2),
      fake: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('packet' as const),
      ago: fc.constantFrom(0, 0, 1),
      segments: fc.constantFrom(1, 2),
      words,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('unseal' as const),
      ago: fc.constantFrom(0, 1, 1),
      segments: fc.constantFrom(1, 2),
      validators: fc.subarray(Array.from({ length: VALIDATORS }, (_, n) => n)),
      sender: fc.option(fc.nat(VALIDATORS - 1), { nil: undefined }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('reveal' as const), who, segment, ago: fc.constantFrom(1, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retire' as const), who, segment }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('report' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addDeposit' as const), who, units: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('unregister' as const, 'withdraw' as const), who }) },
  {
    weight: 16,
    arbitrary: fc.record({ kind: fc.constant('slots' as const), count: fc.constantFrom(1, 1, 1, 2, 4, 18) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('until' as const),
      phase: fc.constantFrom('proofs' as const, 'secrets' as const),
    }),
  },
);

/** Everybody registered and committed to both segments: what random actions would take long to reach. */
export const opening: Action[] = [
  ...[0, 1, 2, 3].map((n): Action => ({ kind: 'register', who: n, units: 130 })),
  ...[0, 1, 2, 3].flatMap((n): Action[] => [
    { kind: 'commit', who: n, segment: 0, off: 0 },
    { kind: 'commit', who: n, segment: 1, off: 0 },
  ]),
  { kind: 'until', phase: 'proofs' },
];
/** A period in which everybody proves and everything is approved, but for what the random actions between do. */
export const busy: Action[] = [
  { kind: 'until', phase: 'proofs' },
  ...[1, 2].map((ago): Action => ({ kind: 'reveal', who: 3, segment: 0, ago })),
  ...[0, 1, 2, 3].flatMap((n): Action[] => [
    { kind: 'commit', who: n, segment: 0, off: 0 },
    { kind: 'prove', who: n, segment: 0, ago: 0, fake: n === 3 },
    { kind: 'prove', who: n, segment: 1, ago: 0, fake: false },
  ]),
  { kind: 'packet', ago: 0, segments: 2, words: [true, true, true, undefined] },
  { kind: 'until', phase: 'secrets' },
  { kind: 'unseal', ago: 0, segments: 2, validators: [0, 1, 2], sender: undefined },
];

/** One leaves for good, and comes back. */
export const leaving: Action[] = [
  { kind: 'retire', who: 2, segment: 0 },
  { kind: 'retire', who: 2, segment: 1 },
  { kind: 'unregister', who: 2 },
  { kind: 'slots', count: 24 },
  { kind: 'withdraw', who: 2 },
  { kind: 'slots', count: 40 },
  { kind: 'withdraw', who: 2 },
  { kind: 'register', who: 2, units: 130 },
];

/** What is drawn of a genesis's rules. */
export const parameters: fc.Arbitrary<Record<string, number>> = fc.record({
  replicasPerSegment: fc.integer({ min: 1, max: 3 }),
  rewardLockoutPeriods: fc.nat(3),
  missesMax: fc.nat(2),
  slashPerMissPermille: fc.constantFrom(0, 333, 700),
  fakeSharePermille: fc.constantFrom(0, 340, 500),
  proofDeadlineSlots: fc.integer({ min: 1, max: 3 }),
  sealSlots: fc.constant(1),
  periodsPerRotation: fc.constantFrom(1, 2, 5),
});
