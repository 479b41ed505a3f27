/** nominate, approve, handOver, revealDecoy. */
import { describe, expect, it } from 'vitest';
import { slot as toSlot } from '../../../native/index.ts';
import { type BlockHeader, decodeHeader, decoyRoot, encodeHeader, type Payload } from '../../../src/codec/index.ts';
import { hasher, kernels, named } from '../fixture.ts';
import { type Actor, actor, StakeWorld, signed } from './stake-world.ts';

const four = ['a', 'b', 'c', 'd'].map(actor) as [Actor, Actor, Actor, Actor];
const [a, b, c, d] = four;
const eve = actor('eve');
const worldOf = (consensus = {}, bonds = [100n, 100n, 100n, 100n]): StakeWorld =>
  new StakeWorld(
    four.map((who, n) => [who, bonds[n]!] as const),
    [[eve, 1000n]],
    consensus,
  );
const nominate = (who: Actor, deadline: number): Payload => ({
  kind: 'nominate',
  secondary: who.key,
  deadlineSlot: toSlot(deadline),
});
const approve = (who: Actor): Payload => ({ kind: 'approve', secondary: who.key });

describe('a secondary', () => {
  it('stands once more than two thirds approve, the nomination counted; until another does', () => {
    const world = worldOf();
    world.begin(1);
    expect(world.send(a, nominate(c, 5))).toBeNull();
    expect(world.send(b, approve(c))).toBeNull();
    world.end();
    expect(world.electorate.secondary).toBeNull();
    world.begin(2);
    expect(world.send(d, approve(c))).toBeNull();
    expect(world.send(c, approve(c))).toBe('no-nomination');
    world.end(world.votesBy(four));
    expect(world.electorate.secondary).toEqual(c.key);
    // A new nomination leaves it standing until it is approved itself.
    world.begin(3);
    expect(world.send(a, nominate(d, 5))).toBeNull();
    world.end(world.votesBy(four));
    expect(world.electorate.secondary).toEqual(c.key);
    world.begin(4);
    for (const who of [b, c]) expect(world.send(who, approve(d))).toBeNull();
    world.end(world.votesBy(four));
    expect(world.electorate.secondary).toEqual(d.key);
  });

  it('is nominated by the leader, for at most an epoch, and is another member', () => {
    const world = worldOf();
    world.advance(2, four);
    world.begin(3);
    expect(world.send(b, nominate(c, 5))).toBe('not-the-leader');
    expect(world.send(a, nominate(a, 5))).toBe('not-a-member');
    expect(world.send(a, nominate(eve, 5))).toBe('not-a-member');
    expect(world.send(a, nominate(c, 3))).toBe('nomination-deadline');
    expect(world.send(a, nominate(c, 12))).toBe('nomination-deadline');
    expect(world.send(a, nominate(c, 11))).toBeNull();
    world.end();
  });

  it('is approved by members, once each, up to the deadline', () => {
    const world = worldOf();
    world.begin(1);
    expect(world.send(b, approve(c))).toBe('no-nomination');
    expect(world.send(a, nominate(c, 3))).toBeNull();
    expect(world.send(a, approve(c))).toBe('already-approved');
    expect(world.send(eve, approve(c), 1n)).toBe('not-a-member');
    expect(world.send(b, approve(d))).toBe('no-nomination');
    expect(world.send(b, approve(c))).toBeNull();
    expect(world.send(b, approve(c))).toBe('already-approved');
    world.end();
    world.block(3);
    world.begin(4);
    expect(world.send(d, approve(c))).toBe('no-nomination');
    world.end();
    expect(world.electorate.secondary).toBeNull();
  });

  it('needs more than two thirds by weight: exactly that is not enough', () => {
    const world = worldOf({}, [50n, 50n, 25n, 25n]);
    world.begin(1);
    world.send(a, nominate(c, 5));
    world.send(b, approve(c));
    world.end();
    expect(world.electorate.secondary).toBeNull();
    world.begin(2);
    world.send(d, approve(c));
    world.end();
    expect(world.electorate.secondary).toEqual(c.key);
  });

  it('who is excluded neither approves nor stands', () => {
    const world = worldOf({ staleEpochsVerySlow: 0 }, [30n, 30n, 20n, 20n]);
    world.advance(10, four);
    world.begin(11);
    world.send(a, nominate(c, 15));
    for (const who of [b, d]) world.send(who, approve(c));
    world.end(world.votesBy(four));
    expect(world.electorate.secondary).toEqual(c.key);
    world.advance(40, [a, b]);
    expect(world.electorate.secondary).toBeNull();
    world.begin(41);
    expect(world.send(a, nominate(d, 45))).toBe('not-a-member');
    expect(world.send(a, nominate(b, 45))).toBeNull();
    expect(world.send(d, approve(b))).toBe('not-a-member');
    world.end();
  });
});

describe('hand-over', () => {
  it('is said by the leader, once, for the children of this block only', () => {
    const world = worldOf();
    world.begin(1);
    expect(world.send(b, { kind: 'handOver' })).toBe('not-the-leader');
    expect(world.send(a, { kind: 'handOver' })).toBeNull();
    expect(world.send(a, { kind: 'handOver' })).toBe('already-handed-over');
    world.end();
    expect(world.electorate.handOver).toBe(true);
    world.begin(2, b);
    expect(world.send(a, { kind: 'handOver' })).toBe('not-the-leader');
    world.end();
    expect(world.electorate.handOver).toBe(false);
  });

  it('taken back with its batch has never been', () => {
    const world = worldOf();
    world.begin(1);
    const point = world.execution!.savepoint();
    const transaction = world.chain.transaction({ from: a, payload: { kind: 'handOver' }, fee: 0n });
    expect(world.execution!.apply(transaction, { signatureValid: true, sender: a.address })).toBeNull();
    world.execution!.takeBack(point);
    world.end();
    expect(world.electorate.handOver).toBe(false);
  });
});

describe('a decoy', () => {
  const secret = named('secret');
  const decoyOf = (world: StakeWorld, by: Actor, slot: number, change: Partial<BlockHeader> = {}): BlockHeader => {
    const bytes = encodeHeader({
      chainId: world.rules.chainId,
      height: 5 as BlockHeader['height'],
      slot: toSlot(slot),
      parentHash: named('parent'),
      pohCount: 1 as BlockHeader['pohCount'],
      pohHash: named('poh'),
      entriesRoot: named('entries'),
      transactionCount: 0,
      stateRoot: decoyRoot(hasher, world.rules.chainId, secret),
      historyLength: 0,
      segmentCount: 0,
      segmentsRoot: named('segments'),
      leader: by.key,
      signature: new Uint8Array(64) as BlockHeader['signature'],
      ...change,
    });
    return decodeHeader(kernels, signed(bytes, 'cairn/header/1', by));
  };
  const reveal = (header: BlockHeader, by = secret): Payload => ({ kind: 'revealDecoy', header, secret: by });

  it('is revealed by its leader, in anybody’s block, with the secret behind its root', () => {
    const world = worldOf({ decoyIntervalSlots: 100 });
    world.advance(4, four);
    world.begin(6, b);
    const header = decoyOf(world, a, 5);
    expect(world.send(b, reveal(header))).toBe('not-the-leader');
    expect(world.send(a, reveal(header, named('guess')))).toBe('not-a-decoy');
    expect(world.send(a, reveal(decoyOf(world, a, 6)))).toBe('not-a-decoy');
    expect(world.send(a, reveal(decoyOf(world, a, 5, { stateRoot: named('other') })))).toBe('not-a-decoy');
    expect(world.send(a, reveal(decoyOf(world, a, 5, { chainId: named('other') })))).toBe('not-a-decoy');
    const unsigned = decodeHeader(kernels, signed(header.bytes, 'cairn/votes/1', a));
    expect(world.send(a, reveal(unsigned))).toBe('bad-evidence-signature');
    expect(world.execution!.reveals).toEqual([]);
    expect(world.send(a, reveal(header))).toBeNull();
    expect(world.send(a, reveal(header))).toBe('already-revealed');
    expect(world.execution!.reveals).toEqual([{ hash: header.hash, slot: 5, secret }]);
    world.end();
  });

  it('revealed in a batch that is taken back is not revealed', () => {
    const world = worldOf({ decoyIntervalSlots: 100 });
    world.begin(6, a);
    const point = world.execution!.savepoint();
    const transaction = world.chain.transaction({ from: a, payload: reveal(decoyOf(world, a, 5)), fee: 0n });
    expect(world.execution!.apply(transaction, { signatureValid: true, sender: a.address })).toBeNull();
    world.execution!.takeBack(point);
    expect(world.execution!.reveals).toEqual([]);
    world.end();
  });

  it('is none on a chain without decoys', () => {
    const world = worldOf();
    world.begin(6, a);
    expect(world.send(a, reveal(decoyOf(world, a, 5)))).toBe('no-decoys');
    world.end();
  });
});
