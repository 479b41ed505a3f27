import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Certificate, encodeCertificate, VOTE_SIZE_BYTES, type Vote } from '../../src/codec/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import { PeerFault, TransportError } from '../../src/net/transport.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { FinalityFollower } from '../../src/node/replicator/finality-follower.ts';
import { FakeArchive } from './fake-archive.ts';
import { walkOf } from './hand-over-world.ts';
import { VirtualNet } from './virtual-net.ts';
import { keyOf, makeBlock, makeChain, newWorld, rootOf, voteFor } from './world.ts';

const world = newWorld();
const root = rootOf(world);
let chain: ChainBlock[];
let gapped: ChainBlock[];
let net: VirtualNet;
let archive: FakeArchive;
let self: MemoryTransport;
let follower: FinalityFollower;

beforeAll(() => {
  chain = makeChain(world, root, 20, 0);
  // The same up to height 5, then a fork; and a slot skipped at the end.
  const fork = makeChain(world, makeBlock(world, chain[4]!, { slot: 7 }), 6, 0);
  const start = makeBlock(world, chain[4]!, { slot: 7 });
  gapped = [...chain.slice(0, 5), start, ...fork];
});

beforeEach(async () => {
  net = new VirtualNet();
  archive = new FakeArchive(world, chain, await net.peer('archive'));
  self = await net.peer('self');
  await net.settle(self.dial(net.network.addressOf('archive')));
  follower = newFollower();
});

function newFollower(keepSlots = 6): FinalityFollower {
  const { kernels, signatures, rules } = world.check;
  const handOvers = walkOf(world, self);
  const genesis = root.header;
  return new FinalityFollower({ kernels, transport: self, signatures, rules, handOvers, genesis, keepSlots });
}

const update = (at: number, from = follower): Promise<void> => {
  archive.finalHeight = at;
  return net.settle(from.update('archive'));
};
/** Makes the archive tell of finality with a certificate changed. */
function tell(change: (certificate: Certificate) => Certificate): void {
  archive.lies.set(PROTOCOL.finality, ([final]) => [final!, encodeCertificate(change(archive.certificate()))]);
}
async function faultOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (one: unknown) => one,
  );
  if (error instanceof TransportError) return error.code;
  expect(error).toBeInstanceOf(PeerFault);
  return (error as PeerFault).code;
}

describe('finality follower', () => {
  it('follows honest finality from genesis on, in steps, and knows which block designates a slot', async () => {
    await update(3);
    expect(follower.head?.height).toBe(3);
    expect(follower.lastUpTo(0)?.height).toBe(0);
    await update(9);
    expect(follower.head?.hash).toEqual(chain[8]!.header.hash);
    expect(follower.lastUpTo(7)?.hash).toEqual(chain[6]!.header.hash);
    expect(follower.lastUpTo(10)).toBeUndefined();
    // What lies too far back is forgotten, and not guessed.
    await update(18);
    expect(follower.lastUpTo(12)?.height).toBe(12);
    expect(follower.lastUpTo(9)).toBeUndefined();
    const late = newFollower();
    await update(18, late);
    expect(late.lastUpTo(13)?.height).toBe(13);
  });

  it('answers across skipped slots with the last block before', async () => {
    archive = new FakeArchive(world, gapped, await net.peer('forked'));
    await net.settle(self.dial(net.network.addressOf('forked')));
    archive.finalHeight = 8;
    await net.settle(follower.update('forked'));
    expect(follower.head?.slot).toBe(9);
    expect(follower.lastUpTo(6)?.slot).toBe(5);
    expect(follower.lastUpTo(7)?.slot).toBe(7);
  });

  it('goes nowhere when there is nothing new, and never back', async () => {
    await update(0);
    expect(follower.head).toBeUndefined();
    await update(8);
    for (const at of [8, 5, 1]) await update(at);
    expect(follower.head?.height).toBe(8);
  });

  const someOf =
    (count: number) =>
    ({ header, votes }: Certificate) => ({ header, votes: votes.slice(0, count) });
  it('needs more than 2/3 of the bonds', async () => {
    tell(someOf(3));
    await update(4);
    expect(follower.head?.height).toBe(4);
    tell(someOf(2));
    // Others' votes may make up for it today: nobody is blamed.
    expect(await faultOf(update(5))).toBe('refused');
    const three = newWorld({ validators: 3 });
    const blocks = makeChain(three, rootOf(three), 4, 0);
    const other = new FakeArchive(three, blocks, await net.peer('three'));
    await net.settle(self.dial(net.network.addressOf('three')));
    const { kernels, signatures, rules } = three.check;
    const genesis = rootOf(three).header;
    const handOvers = walkOf(three, self);
    const deps = { kernels, transport: self, signatures, rules, handOvers, genesis, keepSlots: 6 };
    const exact = new FinalityFollower(deps);
    other.finalHeight = 2;
    // Exactly 2/3 is none.
    other.lies.set(PROTOCOL.finality, ([final]) => [final!, encodeCertificate(someOf(2)(other.certificate()))]);
    expect(await faultOf(net.settle(exact.update('three')))).toBe('refused');
    other.lies.clear();
    await net.settle(exact.update('three'));
    expect(exact.head?.height).toBe(2);
  });

  type Change = (vote: Vote, index: number) => Vote;
  const revote =
    (at: number, changes: Parameters<typeof voteFor>[3]): Change =>
    (_, index) =>
      voteFor(world.validators[index]!, chain[at - 1]!.header, chain[at]!.header, changes);
  const wrongVotes: readonly (readonly [string, Change])[] = [
    ['of strangers', (_, index) => voteFor(keyOf(60 + index), chain[3]!.header, chain[4]!.header)],
    ['from another source', (_, index) => voteFor(world.validators[index]!, chain[2]!.header, chain[4]!.header)],
    ['for another block', (_, index) => voteFor(world.validators[index]!, chain[3]!.header, chain[5]!.header)],
    ['that name another source slot', revote(4, { sourceSlot: 1 })],
    ['that name another target slot', revote(4, { targetSlot: 9 })],
    ['with foreign signatures', (vote) => resigned(vote)],
  ];
  it.each(wrongVotes)('counts no votes %s', async (what, change) => {
    await update(2);
    tell(({ header, votes }) => ({ header, votes: votes.map(change) }));
    expect(await faultOf(update(4))).toBe(what === 'of strangers' ? 'refused' : 'bad-finality');
    expect(follower.head?.height).toBe(2);
    archive.lies.clear();
    await update(4);
    expect(follower.head?.height).toBe(4);
  });

  it('counts no voter twice', async () => {
    archive.lies.set(PROTOCOL.finality, ([final, certificate]) => {
      const bytes = Uint8Array.from(certificate!);
      const first = bytes.length - 4 * VOTE_SIZE_BYTES;
      for (const at of [1, 2, 3]) bytes.copyWithin(first + at * VOTE_SIZE_BYTES, first, first + VOTE_SIZE_BYTES);
      return [final!, bytes];
    });
    expect(['bad-finality', 'malformed-header']).toContain(await faultOf(update(4)));
    expect(follower.head).toBeUndefined();
  });

  it('takes no child after a gap, and no child of another block', async () => {
    tell(({ votes }) => ({ header: chain[5]!.header, votes }));
    expect(await faultOf(update(4))).toBe('bad-finality');
    const child = makeBlock(world, chain[3]!, { slot: 6 });
    tell(() => ({
      header: child.header,
      votes: world.validators.map((key) => voteFor(key, chain[3]!.header, child.header)),
    }));
    expect(await faultOf(update(4))).toBe('bad-finality');
  });

  it('takes no other chain, even one of the same validators', async () => {
    const other = newWorld({ name: 'other' });
    const blocks = makeChain(other, rootOf(other), 5, 0);
    const twin = new FakeArchive(other, blocks, await net.peer('twin'));
    await net.settle(self.dial(net.network.addressOf('twin')));
    twin.finalHeight = 3;
    expect(await faultOf(net.settle(follower.update('twin')))).toBe('bad-finality');
  });

  it('takes no broken links, no foreign headers, no more than it asked for', async () => {
    archive.lies.set(PROTOCOL.headers, (truth) => truth.with(1, chain[15]!.header.bytes));
    expect(await faultOf(update(6))).toBe('broken-headers');
    archive.lies.set(PROTOCOL.headers, (truth) => [...truth].reverse());
    expect(await faultOf(update(6))).toBe('broken-headers');
    archive.lies.set(PROTOCOL.headers, (truth) => [...truth, ...truth]);
    expect(await faultOf(update(6))).toBe('too-many-frames');
    archive.lies.set(PROTOCOL.headers, (truth) => truth.map((bytes) => bytes.slice(1)));
    expect(await faultOf(update(6))).toBe('malformed-header');
    expect(follower.head).toBeUndefined();
  });

  it('takes no malformed proof', async () => {
    archive.lies.set(PROTOCOL.finality, ([final]) => [final!]);
    expect(await faultOf(update(6))).toBe('malformed-finality');
    archive.lies.set(PROTOCOL.finality, ([final]) => [final!, new Uint8Array(10)]);
    expect(await faultOf(update(6))).toBe('malformed-header');
    archive.lies.set(PROTOCOL.finality, ([final, certificate]) => [final!, certificate!, new Uint8Array(0)]);
    expect(await faultOf(update(6))).toBe('too-many-frames');
  });

  it('sees finality that conflicts with its own, and stays where it is', async () => {
    await update(8);
    archive = new FakeArchive(world, gapped, await net.peer('forked'));
    await net.settle(self.dial(net.network.addressOf('forked')));
    archive.finalHeight = 9;
    expect(await faultOf(net.settle(follower.update('forked')))).toBe('conflicting-finality');
    archive.finalHeight = 11;
    expect(await faultOf(net.settle(follower.update('forked')))).toBe('conflicting-finality');
    expect(follower.head?.hash).toEqual(chain[7]!.header.hash);
  });

  it('does not blame a peer that holds too little, or is silent', async () => {
    archive.lies.set(PROTOCOL.headers, () => []);
    await expect(update(6)).rejects.toBeInstanceOf(TransportError);
    archive.lies.set(PROTOCOL.finality, async function* () {
      await new Promise(() => {});
      yield new Uint8Array(0);
    });
    await expect(update(6)).rejects.toMatchObject({ code: 'timeout' });
    archive.lies.clear();
    await update(6);
    expect(follower.head?.height).toBe(6);
  });
});

function resigned(vote: Vote): Vote {
  const { signature } = voteFor(keyOf(99), chain[3]!.header, chain[4]!.header);
  return { ...vote, signature, bytes: Uint8Array.from([...vote.bytes.slice(0, -64), ...signature]) };
}
