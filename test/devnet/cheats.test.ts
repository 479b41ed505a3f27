import { describe, expect, it } from 'vitest';
import { type CheatsEvidence, judgeCheats, type Party } from '../../tools/devnet/cheats/evidence.ts';

const party = (what: Party['what'], changes: Partial<Party> = {}): Party => ({
  ...{ name: what, what, identity: 'cairn1', replicas: 2, accepted: 0, rejected: 3, fakes: 0, paidUnits: '0' },
  reasons: [
    { honest: 'unstated', 'erases 5 %': 'replica-opening', 'answers late': 'late', 'copies another': 'encoding' }[what],
  ],
  ...changes,
});
const honest = party('honest', { accepted: 6, rejected: 1, fakes: 1, paidUnits: '30' });
const cheats = [party('erases 5 %'), party('answers late'), party('copies another')];
const good: CheatsEvidence = {
  parties: [honest, ...cheats],
  restored: {
    ...{ segments: 4, bytes: 9, ms: 9, height: 50, compared: 4, different: 0 },
    verdicts: [],
    stateRootEqual: true,
  },
  unexpectedExits: [],
  stepFailures: [],
};

describe('judging a run with cheats', () => {
  it('holds when exactly the honest one is paid and the history came back', () => {
    expect(judgeCheats(good)).toEqual([]);
  });

  it.each<[string, Partial<CheatsEvidence>, RegExp]>([
    ['the honest one is not paid', { parties: [{ ...honest, paidUnits: '0' }, ...cheats] }, /was not paid/],
    ['the honest one was refused', { parties: [{ ...honest, rejected: 2 }, ...cheats] }, /1 proofs were rejected/],
    ['few of its proofs were accepted', { parties: [{ ...honest, accepted: 3 }, ...cheats] }, /3 proofs/],
    [
      'a cheat is paid',
      { parties: [honest, ...cheats.with(0, party('erases 5 %', { paidUnits: '5' }))] },
      /was paid 5/,
    ],
    [
      'a cheat has a proof accepted',
      { parties: [honest, ...cheats.with(1, party('answers late', { accepted: 1 }))] },
      /1 proofs accepted/,
    ],
    [
      'a cheat was not refused',
      { parties: [honest, ...cheats.with(2, party('copies another', { rejected: 1 }))] },
      /1 proofs .* were rejected, expected 2/,
    ],
    [
      'a cheat was refused for something else',
      { parties: [honest, ...cheats.with(1, party('answers late', { reasons: ['encoding'] }))] },
      /as encoding, expected late/,
    ],
    ['nothing was restored', { restored: null }, /no history/],
    ['a segment differs', { restored: { ...good.restored!, different: 1 } }, /1 of 4 segments differ/],
    ['too few were compared', { restored: { ...good.restored!, compared: 3 } }, /3 of 4/],
    ['another state came of it', { restored: { ...good.restored!, stateRootEqual: false } }, /state/],
    ['a process ended', { unexpectedExits: ['replicator-1 ended'] }, /ended/],
    ['a step failed', { stepFailures: ['load: no'] }, /load/],
  ])('fails when %s', (_, change, failure) => {
    const failures = judgeCheats({ ...good, ...change });
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatch(failure);
  });
});
