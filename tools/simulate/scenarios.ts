/** The scenarios by name. */
import type { FaultKind } from './faults.ts';
import type { Scenario } from './scenario.ts';

const ALL: readonly FaultKind[] = ['crash', 'disk', 'pause', 'cut', 'cutOneWay', 'clog', 'wire'];
const NONE = { kinds: [], everyMs: 1_000 } as const;

export const SCENARIOS: readonly Scenario[] = [
  { name: 'calm', about: 'no fault at all: what the others are compared with', faults: NONE },
  { name: 'mixed', about: 'faults of every kind, four honest validators', faults: { kinds: ALL, everyMs: 4_000 } },
];
