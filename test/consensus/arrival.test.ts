/** Blocks from outside: orphans, faulty headers, invalid blocks and their descendants, double proposals, bounds, requests. */

import { describe, expect, it } from 'vitest';
import type { Height, PohCount } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../../src/codec/model.ts';
import { bestHeader, isCatchingUp, voteTally } from '../../src/consensus/index.ts';
import { blockOn, chainOn, fakeHash, GENESIS, keyAt, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const observer = (unfinalizedBlocksMax = 8) => new Machine({ own: null, unfinalizedBlocksMax });
const keys = (headers: readonly BlockHeader[]): string[] => headers.map((header) => byteKey(header.hash));

describe('headers', () => {
  it('are refused for what is objectively wrong, with the reason, and the peer is named', () => {
    const machine = observer();
    const good = blockOn(GENESIS, 1, 0);
    const wrong: [string, BlockHeader][] = [
      ['wrongChain', { ...good, chainId: fakeHash('other chain') }],
      ['wrongCount', { ...good, pohCount: 999 as PohCount }],
      ['wrongLeader', { ...good, leader: keyAt(77) }],
      ['wrongHeight', { ...good, height: 2 as Height }],
      ['wrongLeader', blockOn(GENESIS, 1, 1)],
      ['wrongLeader', blockOn(GENESIS, 5, 0)],
      ['gapTooLong', blockOn(GENESIS, 2 * 4 * 4 + 8 + 1000 + 1, 2)],
    ];
    for (const [i, [code, header]] of wrong.entries()) {
      machine.clear();
      machine.blocks([{ ...header, hash: fakeHash(`wrong ${i}`) }], 'mallory');
      expect(machine.all('peerFault')).toEqual([{ kind: 'peerFault', peer: 'mallory', code }]);
      expect(machine.all('prune')).toHaveLength(1);
      expect(machine.all('verifyBlock')).toEqual([]);
    }
    machine.blocks([good]);
    machine.clear();
    machine.blocks([{ ...blockOn(good, 1, 0), pohCount: good.pohCount }], 'mallory');
    expect(machine.last('peerFault')!.code).toBe('wrongSlot');
  });
});

describe('orphans', () => {
  it('wait for their parent, which is asked for, and join in order', () => {
    const machine = observer();
    const [a, b] = chainOn(GENESIS, 2, 0);
    machine.blocks([a!]);
    machine.clear();
    const c = blockOn(b!, 3, 0);
    machine.blocks([c], 'bob');
    expect(machine.all('verifyBlock')).toEqual([]);
    const side = blockOn(blockOn(GENESIS, 2, 0, 'side'), 3, 0);
    machine.blocks([side], 'bob');
    expect(machine.last('requestBlock')).toMatchObject({ from: 'bob', hash: side.parentHash });
    machine.blocks([b!], 'bob');
    expect(machine.all('verifyBlock').map(({ hash }) => byteKey(hash))).toEqual(keys([b!, c]));
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(c.hash));
  });

  it('verification goes parent first: no child is verified before its parent is valid', () => {
    const machine = observer();
    machine.verifiesAtOnce = false;
    const [a, b] = chainOn(GENESIS, 2, 0);
    machine.blocks([a!, b!]);
    expect(machine.all('verifyBlock').map(({ hash }) => byteKey(hash))).toEqual(keys([a!]));
    machine.verify(a!.hash);
    expect(machine.all('verifyBlock').map(({ hash }) => byteKey(hash))).toEqual(keys([a!, b!]));
  });

  it('one peer cannot fill the pool, and over its share the highest go', () => {
    const machine = observer();
    machine.blocks([blockOn(GENESIS, 1, 0)]);
    const orphan = (i: number) => ({
      ...blockOn(GENESIS, 1, 0, `orphan ${i}`),
      height: (2 + (i % 30)) as Height,
      parentHash: fakeHash(`nowhere ${i}`),
    });
    for (let i = 0; i < 100; i++) machine.blocks([orphan(i)], 'mallory');
    const limit = machine.state.rules.limits.pendingPerPeerMax;
    expect(machine.state.pending.size).toBe(limit);
    machine.blocks([{ ...orphan(1000), hash: fakeHash('of bob') }], 'bob');
    expect(machine.state.pending.size).toBe(limit + 1);
    for (let peer = 0; peer < 20; peer++)
      for (let i = 0; i < 20; i++)
        machine.blocks([{ ...orphan(i), hash: fakeHash(`many ${peer} ${i}`) }], `peer ${peer}`);
    expect(machine.state.pending.size).toBe(machine.state.rules.limits.pendingBlocksMax);
    expect(machine.state.wanted.size).toBeLessThanOrEqual(machine.state.rules.limits.wantedBlocksMax);
    expect(Math.max(...[...machine.state.pending.values()].map(({ header }) => header.height))).toBeLessThan(31);
  });

  it('a request is repeated with growing pauses, to anybody, and given up', () => {
    const machine = observer();
    machine.blocks([blockOn(GENESIS, 1, 0)]);
    machine.blocks([{ ...blockOn(GENESIS, 1, 0, 'x'), height: 2 as Height, parentHash: fakeHash('nowhere') }], 'bob');
    machine.pass(120_000);
    const peers = machine.all('requestBlock').map(({ from }) => from);
    expect(peers).toEqual(['bob', null, null, null, null, null]);
    expect(machine.state.wanted.size).toBe(0);
  });
});

describe('invalid blocks', () => {
  it('take their descendants along, are reported, and are not tried again', () => {
    const machine = observer();
    machine.verifiesAtOnce = false;
    const [a, b, c] = chainOn(GENESIS, 3, 0);
    machine.blocks([a!, b!], 'mallory');
    machine.reject(a!.hash);
    expect(machine.last('prune')!.hashes.map(byteKey)).toEqual(keys([a!, b!]));
    expect(machine.last('evidence')!.evidence).toMatchObject({ kind: 'invalidBlock', reason: 'state root differs' });
    expect(machine.last('peerFault')).toMatchObject({ peer: 'mallory', code: 'invalidBlock' });
    machine.clear();
    machine.blocks([a!], 'carol');
    machine.blocks([b!], 'dave');
    machine.blocks([c!], 'erin');
    expect(machine.all('verifyBlock')).toEqual([]);
    const codes = machine.all('peerFault').map(({ peer, code }) => `${peer} ${code}`);
    expect(codes).toEqual(['carol invalidBlock', 'dave invalidBlock', 'erin invalidAncestor']);
    machine.vote(voteFor(1, GENESIS, a!));
    machine.pass(5000);
    expect(machine.all('requestBlock')).toEqual([]);
  });

  it('also orphans that waited for them', () => {
    const machine = observer();
    const [a, b, c] = chainOn(GENESIS, 3, 1);
    machine.blocks([blockOn(GENESIS, 1, 0), b!, c!], 'mallory');
    expect(machine.state.pending.size).toBe(2);
    machine.blocks([a!], 'mallory');
    expect(machine.state.pending.size).toBe(0);
    expect(machine.all('peerFault').map(({ code }) => code)).toEqual([
      'invalidAncestor',
      'invalidAncestor',
      'wrongLeader',
    ]);
  });

  it('an answer for a block no longer here changes nothing', () => {
    const machine = observer();
    machine.verify(fakeHash('gone'));
    machine.reject(fakeHash('gone'));
    expect(machine.all('prune')).toEqual([]);
  });
});

describe('double proposals', () => {
  it('are reported once, and a third is taken only with more than 1/3 of the votes behind it', () => {
    const machine = observer();
    const twins = ['a', 'b', 'c', 'd'].map((salt) => blockOn(GENESIS, 1, 0, salt));
    machine.blocks(twins);
    expect(machine.all('evidence').map(({ evidence }) => evidence.kind)).toEqual(['doubleProposal']);
    expect(machine.all('verifyBlock')).toHaveLength(2);
    expect(machine.all('prune').flatMap(({ hashes }) => hashes.map(byteKey))).toEqual(keys(twins.slice(2)));
    machine.vote(voteFor(1, GENESIS, twins[3]!));
    machine.blocks([twins[3]!]);
    expect(machine.all('verifyBlock')).toHaveLength(2);
    machine.vote(voteFor(2, GENESIS, twins[3]!));
    machine.pass(600);
    expect(machine.last('requestBlock')!.hash).toEqual(twins[3]!.hash);
    machine.blocks([twins[3]!]);
    expect(machine.all('verifyBlock')).toHaveLength(3);
    expect(voteTally(machine.state, twins[3]!.hash)!.tally.current).toBe(2n);
  });
});

describe('bounds', () => {
  it('the tree never exceeds its bound; the least supported leaf goes first', () => {
    const machine = observer(4);
    const { treeBlocksMax } = machine.state.rules.limits;
    const chain = chainOn(GENESIS, 4, 0);
    machine.blocks(chain);
    machine.votes([1, 2], GENESIS, chain[3]!);
    let made = 0;
    for (let slot = 1; made < 3 * treeBlocksMax; slot++)
      for (const below of [GENESIS, ...chain].filter((header) => header.slot < slot && slot - header.slot < 30)) {
        const turn = Math.floor((slot - below.slot - 1) / 4) % 4;
        machine.blocks([blockOn(below, slot, turn, 'flood')], 'mallory');
        made += 1;
      }
    expect(machine.state.nodes.size).toBeLessThanOrEqual(treeBlocksMax);
    for (const header of chain) expect(machine.state.nodes.has(byteKey(header.hash))).toBe(true);
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(chain[3]!.hash));
  });

  it('a block far above the root is not kept, but makes the machine catch up', () => {
    const machine = observer(4);
    const chain = chainOn(GENESIS, 40, 0);
    machine.blocks([chain[39]!], 'bob');
    expect(machine.last('requestRange')).toMatchObject({ fromHeight: 1, toHeight: 40, from: 'bob' });
    expect(isCatchingUp(machine.state)).toBe(true);
    expect(machine.state.pending.size + machine.state.nodes.size).toBe(1);
  });

  it('a lie about a high chain is given up', () => {
    const machine = observer();
    machine.feed({ kind: 'peerTip', peer: 'mallory', height: 1_000_000 as Height });
    machine.pass(60_000);
    expect(isCatchingUp(machine.state)).toBe(false);
    const asked = machine.all('requestRange').filter(({ from }) => from === 'mallory');
    expect(asked).toHaveLength(1);
  });
});
