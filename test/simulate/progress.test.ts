/**
 * The premise of the liveness phase: with half of a set there, nobody may go on, and the simulator must not ask for it.
 */
import { describe, expect, it } from 'vitest';
import { byteKey, type PublicKey } from '../../native/index.ts';
import type { Member } from '../../src/consensus/electorate.ts';
import { areMajority } from '../../tools/simulate/progress.ts';

const keys = Array.from({ length: 5 }, (_, number) => new Uint8Array(32).fill(number + 1) as PublicKey);
const names = (...of: number[]): Set<string> => new Set(of.map((number) => byteKey(keys[number]!)));

function member(number: number, fields: Partial<Member> = {}): Member {
  const usual = { weight: 100n, inCurrent: true, inPrevious: true, excluded: false };
  return { publicKey: keys[number]!, seat: number, ...usual, ...fields };
}

describe('whether those who are there can ever go on', () => {
  it('exactly half is too few, one unit more is enough', () => {
    const even = { members: [0, 1, 2, 3].map((number) => member(number)) };
    expect(areMajority(even, names(0, 1))).toBe(false);
    expect(areMajority(even, names(0, 1, 2))).toBe(true);
    expect(areMajority({ members: [member(0, { weight: 101n }), member(1)] }, names(0))).toBe(true);
  });

  it('both sets count: leaving and entering members each in their own', () => {
    const members = [member(0), member(1), member(2, { inCurrent: false }), member(3, { inPrevious: false })];
    expect(areMajority({ members }, names(0, 1))).toBe(true);
    expect(areMajority({ members: [...members, member(4, { inPrevious: false })] }, names(0, 1))).toBe(false);
  });

  it('the excluded are part of the full sets, there or not', () => {
    const members = [member(0), member(1, { excluded: true }), member(2, { excluded: true })];
    expect(areMajority({ members }, names(0))).toBe(false);
    expect(areMajority({ members }, names(0, 1))).toBe(true);
  });
});
