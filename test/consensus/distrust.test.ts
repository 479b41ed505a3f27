/** Whom a node follows: leaders caught at an offence, and for how long. */
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../../src/codec/model.ts';
import { bestHeader, distrustedLeaders } from '../../src/consensus/index.ts';
import { blockOn, chainOn, GENESIS, keyAt, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const best = (machine: Machine): string => byteKey(bestHeader(machine.state).hash);
const key = ({ hash }: BlockHeader): string => byteKey(hash);

describe('distrust', () => {
  it('blocks of a leader of two histories are not followed until somebody else has led', () => {
    const machine = new Machine({ own: 3 });
    const below = blockOn(GENESIS, 1, 0);
    const [a, b] = ['a', 'b'].map((salt) => blockOn(below, 2, 0, salt));
    machine.blocks([below]);
    machine.persist();
    machine.blocks([a!]);
    expect(best(machine)).toBe(key(a!));
    machine.blocks([b!]);
    expect(best(machine)).toBe(key(below));
    expect(distrustedLeaders(machine.state)).toEqual([keyAt(0)]);
    machine.blocks([blockOn(a!, 3, 0)]);
    expect(best(machine)).toBe(key(below));
    machine.pass(4000);
    const next = blockOn(below, 6, 1);
    machine.blocks([next]);
    expect(best(machine)).toBe(key(next));
    const again = blockOn(next, 6 + 13, 0);
    machine.pass(10_000);
    machine.blocks([again]);
    machine.pass(10_000);
    expect(best(machine)).toBe(key(again));
  });

  it('ends when everybody in line has let a turn go by: nobody else is there to lead', () => {
    const machine = new Machine({ own: null });
    const below = blockOn(GENESIS, 1, 0);
    const decoy = blockOn(below, 2, 0, 'decoy');
    machine.blocks([below]);
    machine.verifiesAtOnce = false;
    machine.blocks([decoy]);
    machine.reject(decoy.hash, true);
    machine.verifiesAtOnce = true;
    const chain = [blockOn(below, 3, 0), ...chainOn(blockOn(below, 3, 0), 4, 0)];
    machine.blocks(chain.slice(0, 3));
    machine.pass(4 * 4 * 500 - 10);
    expect(best(machine)).toBe(key(below));
    machine.pass(20);
    expect(best(machine)).toBe(key(chain[2]!));
    machine.blocks(chain.slice(3, 4));
    expect(best(machine)).toBe(key(chain[3]!));
    // Another offence is another matter.
    machine.verifiesAtOnce = false;
    machine.blocks([blockOn(chain[3]!, 7, 0, 'decoy')]);
    machine.reject(blockOn(chain[3]!, 7, 0, 'decoy').hash, true);
    machine.verifiesAtOnce = true;
    machine.blocks([chain[4]!]);
    expect(best(machine)).toBe(key(chain[3]!));
  });

  it('votes of more than 1/3 are stronger', () => {
    const machine = new Machine({ own: null });
    const [a, b] = ['a', 'b'].map((salt) => blockOn(GENESIS, 1, 0, salt));
    machine.blocks([a!, b!]);
    machine.vote(voteFor(1, GENESIS, b!));
    expect(best(machine)).toBe(key(GENESIS));
    machine.vote(voteFor(2, GENESIS, b!));
    expect(best(machine)).toBe(key(b!));
  });

  it('one invalid block is enough, and finality far above forgets it', () => {
    const machine = new Machine({ own: null });
    machine.verifiesAtOnce = false;
    const bad = blockOn(GENESIS, 1, 0, 'bad');
    machine.blocks([bad], 'mallory');
    machine.reject(bad.hash);
    expect(machine.last('peerFault')).toMatchObject({ peer: 'mallory', code: 'invalidBlock' });
    machine.verifiesAtOnce = true;
    const chain = chainOn(GENESIS, 90, 0);
    machine.blocks(chain.slice(0, 5));
    machine.pass(7_000);
    expect(best(machine)).toBe(key(GENESIS));
    for (const [i, header] of chain.entries()) {
      machine.blocks([header]);
      machine.votes([1, 2, 3], chain[i - 1] ?? GENESIS, header);
    }
    expect(best(machine)).toBe(key(chain[89]!));
    expect(distrustedLeaders(machine.state)).toEqual([]);
  });

  it('is bounded for each leader, and not spent on strangers', () => {
    const machine = new Machine({ own: null });
    const twins = (slot: number) =>
      ['a', 'b'].map((salt) => blockOn(GENESIS, slot, Math.floor((slot - 1) / 4) % 4, salt));
    for (let slot = 1; slot < 400; slot++) if (Math.floor((slot - 1) / 4) % 4 === 1) machine.blocks(twins(slot));
    const marks = machine.state.offences.get(byteKey(keyAt(1)))!;
    expect(marks.size).toBe(machine.state.rules.limits.offencesPerLeaderMax);
    expect(machine.state.offences.size).toBe(1);
  });
});
