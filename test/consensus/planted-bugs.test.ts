/**
 * The oracles hold water: each bug planted here, in the machine (a module replaced for the test) or in the node around it, must be
 * caught by the simulated networks that the real code passes.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Electorate, ElectorateIndex, LedBlock, Tally } from '../../src/consensus/index.ts';
import type { ConsensusState, TreeNode } from '../../src/consensus/state.ts';
import type { SimulationOptions } from './simulator.ts';

type Plant = () => void;
type Module = Record<string, unknown>;

/** Replaces some exports of one of the machine's modules for whatever is imported next. */
function replace(file: string, change: (real: Module) => Module): Plant {
  return () =>
    vi.doMock(`../../src/consensus/${file}.ts`, async (importOriginal) => {
      const real = await importOriginal<Module>();
      return { ...real, ...change(real) };
    });
}

/** Plays a scenario over `seeds` seeds with a bug in place; the first complaint of an oracle, or null. */
async function hunt(
  plant: Plant,
  name: string,
  options: Partial<SimulationOptions> = {},
  seeds = 12,
): Promise<string | null> {
  vi.resetModules();
  plant();
  const { play, SCENARIOS } = await import('./scenarios.ts');
  const { CHANGING_SCENARIOS } = await import('./changing-scenarios.ts');
  const scenario = [...SCENARIOS, ...CHANGING_SCENARIOS].find((other) => other.name === name)!;
  for (let seed = 1; seed <= seeds; seed++)
    try {
      play({ ...scenario, options: { ...scenario.options, ...options } }, seed);
    } catch (error) {
      return (error as Error).message;
    }
  return null;
}

/** The rule of a quorum with another threshold, over both sets. */
function quorumBy(real: Module, isEnough: (stake: bigint, total: bigint) => boolean): unknown {
  const indexOf = real.indexOf as (electorate: Electorate) => ElectorateIndex;
  return (electorate: Electorate, { current, previous }: Tally) => {
    const { active } = indexOf(electorate);
    return isEnough(current, active.current) && isEnough(previous, active.previous);
  };
}

const UNEQUAL = 'everything at once, unequal bonds, clocks 3 % off';
const nothing: Plant = () => undefined;

afterEach(() => {
  vi.doUnmock('../../src/consensus/electorate.ts');
  vi.doUnmock('../../src/consensus/own-vote.ts');
  vi.doUnmock('../../src/consensus/link.ts');
  vi.doUnmock('../../src/consensus/source.ts');
  vi.doUnmock('../../src/consensus/room.ts');
  vi.doUnmock('../../src/consensus/resend.ts');
  vi.doUnmock('../../src/consensus/succession.ts');
  vi.doUnmock('../../src/consensus/distrust.ts');
  vi.doUnmock('../../src/consensus/decoys.ts');
  vi.doUnmock('../../src/consensus/silence.ts');
  vi.doUnmock('../../src/consensus/justify.ts');
});

describe('planted bugs are found', { timeout: 120_000 }, () => {
  it('exactly 2/3 counts as a quorum', async () => {
    const plant = replace('electorate', (real) => ({
      isQuorumOf: quorumBy(real, (stake, total) => stake * 3n >= total * 2n),
    }));
    const options: Partial<SimulationOptions> = { bonds: [1n, 1n, 1n], behaviours: ['honest', 'honest', 'dead'] };
    expect(await hunt(plant, 'loss 30 %, duplication 50 %', options)).toMatch(/only voters/);
  });

  it('more than 1/2 counts as a quorum', async () => {
    const plant = replace('electorate', (real) => ({
      isQuorumOf: quorumBy(real, (stake, total) => stake * 2n > total),
    }));
    expect(await hunt(plant, UNEQUAL)).toMatch(/only voters|two finalized/);
  });

  it('finality across a gap', async () => {
    const isLink = (target: TreeNode, vote: { sourceHash: Uint8Array }): boolean =>
      target.parent !== null && Buffer.compare(vote.sourceHash, target.parent.header.hash) === 0;
    const plant = replace('link', () => ({
      isFinalizingLink: isLink,
      linkVotes: (child: TreeNode) =>
        [...child.votes.values()].flat().flatMap(({ vote, counted }) => (counted && isLink(child, vote) ? [vote] : [])),
    }));
    expect(await hunt(plant, 'everything at once')).toMatch(/not the next one/);
  });

  it('votes counted whose source is not justified', async () => {
    const plant = replace('source', (real) => ({
      sourceStanding: (...args: unknown[]) => {
        const standing = (real.sourceStanding as (...given: unknown[]) => string)(...args);
        return standing === 'waiting' ? 'justified' : standing;
      },
    }));
    // Nodes then finalize by votes that the chain does not count: it stays behind, and its eras stand still.
    expect(await hunt(plant, 'bonds enter and leave')).toMatch(/not justified by the votes|era \d after/);
  });

  it('the source of a vote may decrease', async () => {
    expect((await hunt(nothing, 'crashes and restarts', { loses: 'certificates' }, 3)) ?? '').not.toMatch(/around/);
    const plant = replace('own-vote', () => ({
      keepsLocalRule: (last: { lastTargetSlot: number }, targetSlot: number) => targetSlot > last.lastTargetSlot,
    }));
    expect(await hunt(plant, 'everything at once', { loses: 'certificates' }, 40)).toMatch(/around/);
  });

  it('votes not durable before they are sent', async () => {
    expect(await hunt(nothing, 'crashes and restarts', { loses: 'ownVotes' }, 40)).toMatch(/voted twice|around/);
  });

  it('produced slots forgotten in a crash', async () => {
    expect(await hunt(nothing, 'crashes and restarts', { loses: 'producedSlots' }, 40)).toMatch(/two headers/);
  });

  it('production stops hard at the bound', async () => {
    const plant = replace('room', () => ({
      roomOn: (state: ConsensusState, tip: TreeNode) => {
        const above = tip.header.height - state.root.header.height;
        const isRoom = above < state.rules.parameters.unfinalizedBlocksMax;
        const opensAtMs = isRoom ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
        return { opensAtMs, fromSlot: tip.header.slot + 1 };
      },
    }));
    expect(await hunt(plant, 'partition 2|2 into the stall and heal')).toMatch(/no progress/);
  });

  it('lost messages are never sent again', async () => {
    const plant = replace('resend', () => ({ resendIfStalled: () => undefined, resend: () => undefined }));
    expect(await hunt(plant, 'loss, delay, reorder, duplication')).toMatch(/no progress/);
  });

  it('nobody takes over from a silent leader', async () => {
    const plant = replace('succession', (real) => ({
      firstOwnSlot: (electorate: unknown, parent: LedBlock, query: { timeoutSlots: number }) => {
        const slot = (real.firstOwnSlot as (...given: unknown[]) => number | null)(electorate, parent, query);
        return slot !== null && slot <= parent.slot + query.timeoutSlots ? slot : null;
      },
    }));
    expect(await hunt(plant, 'silent leader')).toMatch(/no progress/);
  });

  it('a quorum of the set before is not asked for, and absent members are not left out of it', async () => {
    const plant = replace('electorate', (real) => ({
      isQuorumOf: (electorate: Electorate, { current }: Tally) =>
        current * 3n > (real.indexOf as (of: Electorate) => ElectorateIndex)(electorate).full.current * 2n,
    }));
    expect(await hunt(plant, 'partition 3|2: the three exclude the two and go on')).toMatch(/does not go on/);
  });

  it('a third of the voters are enough where members are excluded', async () => {
    const plant = replace('electorate', (real) => ({
      isQuorumOf: quorumBy(real, (stake, total) => stake * 5n >= total * 2n),
    }));
    expect(await hunt(plant, 'partition 2|2: nobody is excluded, both wait')).toMatch(
      /only voters|two finalized|a half/,
    );
  });

  it('a lead that goes on after a term', async () => {
    const plant = replace('succession', (real) => ({
      leaderOf: (electorate: unknown, parent: unknown, slot: unknown, parameters: object) =>
        (real.leaderOf as (...given: unknown[]) => unknown)(electorate, parent, slot, { ...parameters, termSlots: 0 }),
      firstOwnSlot: (electorate: unknown, parent: unknown, query: object) =>
        (real.firstOwnSlot as (...given: unknown[]) => unknown)(electorate, parent, { ...query, termSlots: 0 }),
    }));
    expect(await hunt(plant, 'terms')).toMatch(/led/);
  });

  it('votes for decoys are not shown', async () => {
    const plant = replace('decoys', () => ({ takeReveals: () => undefined }));
    expect(await hunt(plant, 'decoys and a lazy voter')).toMatch(/no decoyVote|no progress/);
  });

  it('a lost vote file is taken for an empty one', async () => {
    const plant = replace('silence', () => ({
      reviewSilence: (state: ConsensusState) => {
        state.voting.silence = null;
      },
    }));
    expect(await hunt(plant, 'crashes and restarts', { loses: 'voteFile' }, 40)).toMatch(/voted twice|around/);
  });
});
