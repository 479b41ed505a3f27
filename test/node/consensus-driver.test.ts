import { describe, expect, it } from 'vitest';
import { height } from '../../native/index.ts';
import type { Vote } from '../../src/codec/index.ts';
import type { ConsensusState } from '../../src/consensus/index.ts';
import { type ConsensusActions, ConsensusDriver } from '../../src/node/chain/consensus-driver.ts';
import { startConsensus } from '../../src/node/chain/consensus-start.ts';
import type { Clock } from '../../src/node/clock.ts';
import { makeBlock, makeChain, newWorld, rootOf, voteFor, type World } from './world.ts';

/** A node of three validators of equal bonds, seen through what its driver does. */
class Rig {
  readonly log: string[] = [];
  readonly errors: Error[] = [];
  readonly votes: Vote[] = [];
  readonly driver: ConsensusDriver;
  /** What the writing of a vote waits for. */
  persisting: () => Promise<void> = async () => {};
  #wake: (() => void) | undefined;
  nowMs = 0;

  constructor(world: World, state: ConsensusState, key = world.validators[1]!) {
    const note = (line: string): void => void this.log.push(line);
    const slow = async (line: string): Promise<void> => {
      note(`${line}...`);
      await new Promise((resolve) => setTimeout(resolve, 2));
      note(line);
    };
    const actions: ConsensusActions = {
      verifyBlock: () => note('verify'),
      requestBlock: () => note('request'),
      requestRange: () => note('range'),
      persistVote: async (vote) => {
        this.votes.push(vote);
        note('persist...');
        await this.persisting();
        note('persisted');
      },
      sendVote: (vote) => note(`send ${vote.targetSlot}`),
      includeVote: () => note('include'),
      lead: () => note('lead'),
      stopLeading: () => note('stop'),
      bestChanged: () => note('best'),
      justified: () => slow('justified'),
      finalize: () => slow('finalize'),
      prune: () => slow('prune'),
      evidence: ({ kind }) => note(kind),
      conflict: () => note('conflict'),
      peerFault: (_, code) => note(code),
    };
    const clock: Clock = {
      nowMs: () => this.nowMs,
      at: (_, callback) => {
        this.#wake = callback;
        return () => {
          if (this.#wake === callback) this.#wake = undefined;
        };
      },
    };
    const onFatal = (error: Error): void => void this.errors.push(error);
    this.driver = new ConsensusDriver(state, actions, { clock, chainId: world.check.rules.chainId, key, onFatal });
  }

  wake(): void {
    this.#wake?.();
  }
  get isWaiting(): boolean {
    return this.#wake !== undefined;
  }
}

const world = newWorld({ validators: 3 });
const root = rootOf(world);
const [one, two] = makeChain(world, root, 2) as [typeof root, typeof root];

function rig(): Rig {
  const { genesis, check, validators } = world;
  const opened = { root, ownVotes: [], highestProducedSlot: null, votesLost: false };
  const state = startConsensus({ genesis, rules: check.rules, key: validators[1]!, opened }, 0);
  return new Rig(world, state);
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));
const feedBlock = (to: Rig, { header, electorate }: typeof root): void => {
  to.nowMs += 500;
  to.driver.feed({ kind: 'block', header, from: 'peer' });
  to.driver.feed({ kind: 'verified', hash: header.hash, valid: true, electorate, reveals: [] });
};

describe('consensus driver', () => {
  it('writes a vote before it sends it', async () => {
    const one_ = rig();
    let release: () => void = () => {};
    one_.persisting = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    feedBlock(one_, one);
    await settled();
    expect(one_.log).toContain('persist...');
    expect(one_.log.some((line) => line.startsWith('send'))).toBe(false);
    release();
    await settled();
    expect(one_.log.slice(one_.log.indexOf('persist...'), one_.log.indexOf('send 1') + 1)).toEqual([
      'persist...',
      'persisted',
      'send 1',
    ]);
    expect(one_.votes).toHaveLength(1);
    expect(one_.votes[0]!.targetHash).toEqual(one.header.hash);
    expect(one_.errors).toEqual([]);
  });

  it('sends nothing and does nothing more when the vote could not be written', async () => {
    const failing = rig();
    failing.persisting = () => Promise.reject(new TypeError('no disk'));
    feedBlock(failing, one);
    await settled();
    expect(failing.errors.map(({ message }) => message)).toEqual(['no disk']);
    const before = [...failing.log];
    feedBlock(failing, two);
    failing.wake();
    await settled();
    expect(failing.log).toEqual(before);
    expect(before.some((line) => line.startsWith('send'))).toBe(false);
    expect(failing.isWaiting).toBe(false);
  });

  it('carries out effects one after the other: nothing starts before what must be durable is', async () => {
    const node = rig();
    feedBlock(node, one);
    feedBlock(node, two);
    await settled();
    for (const key of [world.validators[0]!, world.validators[2]!]) {
      node.driver.feed({ kind: 'vote', vote: voteFor(key, root.header, one.header), from: 'peer' });
      node.driver.feed({ kind: 'vote', vote: voteFor(key, one.header, two.header), from: 'peer' });
    }
    await settled();
    await settled();
    expect(node.log).toContain('finalize');
    for (const [index, line] of node.log.entries())
      if (line.endsWith('...') && line !== 'persist...') expect(node.log[index + 1]).toBe(line.slice(0, -3));
    expect(node.errors).toEqual([]);
  });

  it('is idle only when the effect under way has ended, also after a stop', async () => {
    const node = rig();
    let isWritten = false;
    node.persisting = async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      isWritten = true;
    };
    feedBlock(node, one);
    await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve, 1));
    node.driver.stop();
    await node.driver.idle();
    expect(isWritten).toBe(true);
    expect(node.log.some((line) => line.startsWith('send'))).toBe(false);
    expect(node.isWaiting).toBe(false);
  });

  it('stops at an event that breaks the machine, once', async () => {
    const node = rig();
    const foreign = makeBlock(world, two);
    node.driver.feed({ kind: 'ownVotePersisted', vote: voteFor(world.validators[0]!, root.header, foreign.header) });
    node.driver.feed({ kind: 'peerTip', peer: 'peer', height: height(9) });
    await settled();
    expect(node.errors).toHaveLength(1);
    expect(node.log).toEqual([]);
  });
});
