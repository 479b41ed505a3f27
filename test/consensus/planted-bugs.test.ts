/**
 * The oracles hold water: each bug planted here, in the machine (a module replaced for the test) or in the node around it, must be
 * caught by the simulated networks that the real code passes.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { byteKey } from '../../native/index.ts';
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
  const scenario = SCENARIOS.find((other) => other.name === name)!;
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
});

describe('planted bugs are found', { timeout: 60_000 }, () => {
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
    const options: Partial<SimulationOptions> = {
      behaviours: ['honest', 'honest', 'honest', 'equivocatingVoter', 'honest'],
    };
    expect(await hunt(plant, UNEQUAL, options, 40)).toMatch(/not justified by the votes/);
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
    expect(await hunt(plant, 'power cut of everybody at once', {}, 40)).toMatch(/no progress/);
  });

  it('nobody takes over from a silent leader', async () => {
    const plant = replace('succession', (real) => ({
      firstOwnSlot: (electorate: unknown, parent: LedBlock, query: { own: Uint8Array }) =>
        byteKey(parent.leader) === byteKey(query.own) || parent.slot === 0
          ? (real.firstOwnSlot as (...given: unknown[]) => number)(electorate, parent, query)
          : null,
    }));
    expect(await hunt(plant, 'silent leader')).toMatch(/no progress/);
  });
});
