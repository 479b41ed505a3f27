/** Following a long chain from behind: an observer or a validator that was away, restart, certificates, determinism. */

import { describe, expect, it } from 'vitest';
import type { Height } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../../src/codec/model.ts';
import type { ConsensusEffect, ConsensusEvent } from '../../src/consensus/index.ts';
import { createConsensus, finalizedHeader, isCatchingUp, step } from '../../src/consensus/index.ts';
import { chainOn, configOf, FOUR, GENESIS, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';
import { CALM, Simulation } from './simulator.ts';

describe('an observer', () => {
  it('follows thousands of old blocks by the votes inside them, and its tree stays small', () => {
    const chain = chainOn(GENESIS, 5000, 0);
    const machine = new Machine({ own: null, unfinalizedBlocksMax: 64 });
    machine.feed({ kind: 'peerTip', peer: 'bob', height: 5000 as Height });
    let largest = 0;
    let served = 0;
    for (let round = 0; isCatchingUp(machine.state) && round < 200; round++) {
      const asked = machine.last('requestRange')!;
      machine.clear();
      for (const header of chain.slice(asked.fromHeight - 1, asked.toHeight)) {
        machine.blocks([header], 'bob');
        served += 1;
        const [above, below] = [chain[header.height - 2], chain[header.height - 3] ?? GENESIS];
        if (above !== undefined) machine.votes([0, 1, 2], below, above);
        largest = Math.max(largest, machine.state.nodes.size);
      }
      machine.pass(1);
    }
    expect(finalizedHeader(machine.state).height).toBe(4998);
    expect(served).toBe(5000);
    expect(largest).toBeLessThan(8);
    expect(machine.state.trail.size).toBeLessThanOrEqual(machine.state.rules.limits.trailBlocksMax);
  });

  it('asks no further than verification has come', () => {
    const chain = chainOn(GENESIS, 400, 0);
    const machine = new Machine({ own: null });
    machine.verifiesAtOnce = false;
    machine.feed({ kind: 'peerTip', peer: 'bob', height: 400 as Height });
    machine.blocks(chain.slice(0, 128), 'bob');
    machine.pass(30_000);
    const highest = Math.max(...machine.all('requestRange').map(({ toHeight }) => toHeight));
    expect(highest).toBe(128);
  });

  it('that joins a running network reaches its tip, also when the leader leaves votes out', { timeout: 60_000 }, () => {
    const sim = new Simulation({ seed: 3, observers: 1, behaviours: ['omittingLeader', 'honest', 'honest', 'honest'] });
    const late = sim.nodes[4]!;
    late.crash();
    sim.run(200_000);
    expect(sim.oracles.finalHeight).toBeGreaterThan(300);
    late.restart();
    sim.run(20_000);
    expect(late.finalHeight).toBeGreaterThan(sim.oracles.finalHeight - 4);
  });
});

describe('delays longer than a slot', () => {
  it('still let blocks become final', () => {
    const sim = new Simulation({ seed: 5, network: { ...CALM, delayMs: [1000, 1500] }, unfinalizedBlocksMax: 256 });
    sim.run(60_000);
    expect(sim.lowestFinalHeight).toBeGreaterThan(60);
  });
});

describe('finality on a calm network', () => {
  it('keeps up with the chain, two slots behind at most', () => {
    const sim = new Simulation({ seed: 9, observers: 1 });
    sim.run(60_000);
    expect(sim.lowestFinalHeight).toBeGreaterThan(114);
    for (const node of sim.nodes) expect(node.state.best.header.height - node.finalHeight).toBeLessThanOrEqual(2);
  });

  it('a dead leader is replaced within two timeouts', () => {
    const sim = new Simulation({ seed: 11 });
    sim.run(10_000);
    const before = sim.oracles.finalHeight;
    sim.nodes[0]!.crash();
    sim.run(2 * 4 * 500);
    expect(sim.oracles.finalHeight).toBeGreaterThan(before + 1);
  });

  it('works with one, two and thirteen validators', () => {
    for (const count of [1, 2, 13]) {
      const sim = new Simulation({ seed: 13, bonds: Array.from({ length: count }, () => 10n) });
      sim.run(20_000);
      expect(sim.lowestFinalHeight).toBeGreaterThan(30);
    }
  });
});

describe('determinism', () => {
  it('the same events at the same times give the same effects', () => {
    const trace = (): string => {
      const state = createConsensus(
        configOf({ own: 3 }),
        { root: GENESIS, electorate: FOUR, votesLost: false, ownVotes: [], highestProducedSlot: null },
        0,
      );
      const out: ConsensusEffect[] = [];
      const feed = (event: ConsensusEvent, ms: number): void => {
        const effects = step(state, event, ms);
        out.push(...effects);
        for (const effect of effects)
          if (effect.kind === 'verifyBlock')
            feed({ kind: 'verified', hash: effect.hash, valid: true, electorate: FOUR, reveals: [] }, ms);
      };
      const chain: BlockHeader[] = chainOn(GENESIS, 30, 0);
      for (const [i, header] of chain.entries()) {
        feed({ kind: 'block', header, from: 'a' }, i * 500);
        for (const voter of [0, 1, 2])
          feed({ kind: 'vote', vote: voteFor(voter, chain[i - 1] ?? GENESIS, header), from: 'b' }, i * 500 + voter);
      }
      return JSON.stringify(out, (_, value) => (value instanceof Uint8Array ? byteKey(value) : value));
    };
    expect(trace()).toBe(trace());
  });

  it('the same seed gives the same run', () => {
    const run = (): string => {
      const sim = new Simulation({ seed: 21, network: { lossRate: 0.2, duplicateRate: 0.2, delayMs: [2, 700] } });
      sim.run(20_000);
      return JSON.stringify([sim.messagesSent, sim.nodes.map((node) => byteKey(node.state.best.header.hash))]);
    };
    expect(run()).toBe(run());
  });
});
