/** evidence: every offence, and everything that is none. */
import { describe, expect, it } from 'vitest';
import { slot as toSlot } from '../../../native/index.ts';
import {
  type BlockHeader,
  decodeHeader,
  decoyRoot,
  encodeHeader,
  type Offence,
  type Payload,
} from '../../../src/codec/index.ts';
import { hasher, kernels, named } from '../fixture.ts';
import { type Actor, actor, bond, type Point, StakeWorld, signed, signedVoteOf, voteOf } from './stake-world.ts';

const four = ['a', 'b', 'c', 'd'].map(actor) as [Actor, Actor, Actor, Actor];
const [a, b, , d] = four;
const eve = actor('eve');
const worldOf = (consensus = {}): StakeWorld =>
  new StakeWorld(
    four.map((who) => [who, 100n] as const),
    [[eve, 1000n]],
    consensus,
  );

const at = (slot: number, name = 'block'): Point => ({
  slot,
  hash: named(`${name} ${slot}`),
  stateRoot: named('root'),
});
const evidence = (offence: Offence): Payload => ({ kind: 'evidence', offence });

function headerOf(world: StakeWorld, by: Actor, slot: number, change: Partial<BlockHeader> = {}): BlockHeader {
  const bytes = encodeHeader({
    chainId: world.rules.chainId,
    height: 5 as BlockHeader['height'],
    slot: toSlot(slot),
    parentHash: named('parent'),
    pohCount: 1 as BlockHeader['pohCount'],
    pohHash: named('poh'),
    entriesRoot: named('entries'),
    transactionCount: 0,
    stateRoot: named('root'),
    historyLength: 0,
    segmentCount: 0,
    segmentsRoot: named('segments'),
    leader: by.key,
    signature: new Uint8Array(64) as BlockHeader['signature'],
    ...change,
  });
  return decodeHeader(kernels, signed(bytes, 'cairn/header/1', by));
}

/** The refusal in a block of slot 9, after 8 blocks. */
function refusalOf(offence: Offence | ((world: StakeWorld) => Offence), world: StakeWorld = worldOf()): string | null {
  world.advance(8, four);
  world.begin(9);
  return world.send(eve, evidence(typeof offence === 'function' ? offence(world) : offence), 1n);
}

const double = (world: StakeWorld, by: Actor, slot: number): Offence => ({
  kind: 'doubleVote',
  first: signedVoteOf(world, by, at(0), at(slot, 'one')),
  second: signedVoteOf(world, by, at(0), at(slot, 'two')),
});
const surround = (world: StakeWorld, by: Actor): Offence => ({
  kind: 'surroundVote',
  first: signedVoteOf(world, by, at(3), at(9)),
  second: signedVoteOf(world, by, at(4), at(8)),
});

describe('evidence', () => {
  it('takes the whole bond into the reward pool at once; the weight goes with the eras', () => {
    for (const [name, offence] of [
      ['doubleVote', (world: StakeWorld) => double(world, d, 7)],
      ['surroundVote', (world: StakeWorld) => surround(world, d)],
      [
        'doubleProposal',
        (world: StakeWorld) => ({
          kind: 'doubleProposal',
          first: headerOf(world, d, 4),
          second: headerOf(world, d, 4, { stateRoot: named('other') }),
        }),
      ],
      [
        'decoyVote',
        (world: StakeWorld) => ({
          kind: 'decoyVote',
          secret: named('secret'),
          vote: signedVoteOf(world, d, at(3), {
            ...at(4),
            stateRoot: decoyRoot(hasher, world.rules.chainId, named('secret')),
          }),
        }),
      ],
    ] as [string, (world: StakeWorld) => Offence][]) {
      const world = worldOf();
      const pool = (): bigint => world.chain.state.balance(world.rules.rewardPool);
      const before = pool();
      expect(refusalOf(offence, world), name).toBeNull();
      world.end(world.votesBy(four));
      expect(pool() - before, name).toBe(101n);
      expect(world.bondOf(d)).toMatchObject({ units: 0n, weight: 100n, slashed: true });
      expect(world.electorate.members).toHaveLength(4);
      world.advance(32, four);
      expect(world.members).not.toContain('d');
    }
  });

  it('is refused when it shows nothing', () => {
    const cases: [string, Offence | ((world: StakeWorld) => Offence)][] = [
      ['one vote twice', { kind: 'doubleVote', first: voteOf(d, at(0), at(7)), second: voteOf(d, at(1), at(7)) }],
      ['other slots', { kind: 'doubleVote', first: voteOf(d, at(0), at(7)), second: voteOf(d, at(0), at(8)) }],
      ['two voters', { kind: 'doubleVote', first: voteOf(d, at(0), at(7, 'x')), second: voteOf(a, at(0), at(7, 'y')) }],
      [
        'surrounded the wrong way round',
        { kind: 'surroundVote', first: voteOf(d, at(4), at(8)), second: voteOf(d, at(3), at(9)) },
      ],
      ['one source', { kind: 'surroundVote', first: voteOf(d, at(3), at(9)), second: voteOf(d, at(3), at(8)) }],
      ['one target', { kind: 'surroundVote', first: voteOf(d, at(3), at(9)), second: voteOf(d, at(4), at(9)) }],
      [
        'surrounding another voter',
        { kind: 'surroundVote', first: voteOf(d, at(3), at(9)), second: voteOf(a, at(4), at(8)) },
      ],
      ['one header', (w) => ({ kind: 'doubleProposal', first: headerOf(w, d, 4), second: headerOf(w, d, 4) })],
      ['two slots', (w) => ({ kind: 'doubleProposal', first: headerOf(w, d, 4), second: headerOf(w, d, 5) })],
      ['two leaders', (w) => ({ kind: 'doubleProposal', first: headerOf(w, d, 4), second: headerOf(w, a, 4) })],
      [
        'another chain',
        (w) => ({
          kind: 'doubleProposal',
          first: headerOf(w, d, 4),
          second: headerOf(w, d, 4, { chainId: named('other') }),
        }),
      ],
      ['a vote for no decoy', { kind: 'decoyVote', secret: named('secret'), vote: voteOf(d, at(3), at(4)) }],
      [
        "another chain's decoy",
        {
          kind: 'decoyVote',
          secret: named('secret'),
          vote: voteOf(d, at(3), { ...at(4), stateRoot: decoyRoot(hasher, named('other'), named('secret')) }),
        },
      ],
    ];
    for (const [name, offence] of cases) expect(refusalOf(offence), name).toBe('not-an-offence');
  });

  it('is refused with a signature that is not valid, whichever it is', () => {
    type Double = Extract<Offence, { kind: 'doubleVote' }>;
    const changed = (change: Partial<Double>, world = worldOf()): string | null =>
      refusalOf({ ...(double(world, d, 7) as Double), ...change }, world);
    const false_ = voteOf(d, at(0), at(7, 'two'));
    expect(changed({})).toBeNull();
    expect(changed({ second: false_ })).toBe('bad-evidence-signature');
    expect(changed({ first: false_ })).toBe('not-an-offence');
    expect(changed({ first: voteOf(d, at(0), at(7, 'one')) })).toBe('bad-evidence-signature');
    expect(
      refusalOf((world) => {
        const second = decodeHeader(
          kernels,
          signed(headerOf(world, d, 4, { stateRoot: named('other') }).bytes, 'cairn/votes/1', d),
        );
        return { kind: 'doubleProposal', first: headerOf(world, d, 4), second };
      }),
    ).toBe('bad-evidence-signature');
  });

  it('does not reach over from another chain: votes of one key on two chains contradict nothing', () => {
    const other = worldOf({ termSlots: 12 });
    const world = worldOf();
    expect(other.rules.chainId).not.toEqual(world.rules.chainId);
    expect(refusalOf(double(other, d, 7), world)).toBe('bad-evidence-signature');
    expect(world.send(b, evidence(surround(other, d)))).toBe('bad-evidence-signature');
    expect(world.send(b, evidence(double(world, d, 7)))).toBeNull();
  });

  it('works once; against nobody who has no bond; and never for what was signed before the bond', () => {
    const world = worldOf();
    expect(refusalOf(double(world, eve, 7), world)).toBe('not-bonded');
    expect(world.send(b, evidence(double(world, d, 7)))).toBeNull();
    expect(world.send(b, evidence(surround(world, d)))).toBe('already-slashed');
    expect(world.send(eve, bond(50n), 1n)).toBeNull();
    world.end();
    world.begin(10);
    expect(world.send(b, evidence(double(world, eve, 8)))).toBe('evidence-too-old');
    expect(world.send(b, evidence(surround(world, eve)))).toBe('evidence-too-old');
    expect(world.send(b, evidence(double(world, eve, 9)))).toBeNull();
    world.end();
    // It waited: it has left at once, and never enters.
    expect(world.bondOf(eve)).toMatchObject({ units: 0n, fromEra: null, leftEpoch: 1 });
    world.advance(31, four);
    expect(world.bondOf(eve)).toBeUndefined();
  });

  it('reaches who has asked to leave until the bond is withdrawn, however old the offence; then nobody', () => {
    const world = worldOf();
    world.advance(7, four);
    world.begin(8);
    expect(world.send(d, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(four));
    world.advance(60, four);
    world.begin(61);
    const point = world.execution!.savepoint();
    expect(
      world.execution!.apply(world.chain.transaction({ from: eve, payload: evidence(double(world, d, 1)), fee: 1n }), {
        signatureValid: true,
        sender: eve.address,
      }),
    ).toBeNull();
    world.execution!.takeBack(point);
    expect(world.send(d, { kind: 'withdraw' }, 1n)).toBeNull();
    expect(world.send(eve, evidence(double(world, d, 1)), 1n)).toBe('not-bonded');
    world.end(world.votesBy(four));
    expect(world.bondOf(d)).toBeUndefined();
  });

  it('deposes: a block whose leader stands slashed says so to its children', () => {
    const world = worldOf();
    world.advance(8, four);
    expect(world.electorate.deposed).toBeNull();
    world.begin(9, d);
    expect(world.send(b, evidence(double(world, d, 7)))).toBeNull();
    world.end(world.votesBy(four));
    expect(world.electorate.deposed).toEqual(d.key);
    world.begin(10, a);
    world.end(world.votesBy(four));
    expect(world.electorate.deposed).toBeNull();
    world.begin(11, d);
    world.end(world.votesBy(four));
    expect(world.electorate.deposed).toEqual(d.key);
  });

  it('a set of slashed members only still judges: somebody must', () => {
    const world = new StakeWorld([[a, 100n]]);
    world.advance(3, [a]);
    world.begin(4);
    expect(world.send(a, evidence(double(world, a, 1)))).toBeNull();
    world.end(world.votesBy([a]));
    world.advance(40, [a]);
    expect(world.members).toEqual(['a']);
    expect(world.finalSlot).toBe(38);
    expect(world.electorate.deposed).toEqual(a.key);
  });
});
