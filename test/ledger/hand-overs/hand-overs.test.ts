import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hash, height } from '../../../native/index.ts';
import type { BlockHeader, Vote } from '../../../src/codec/index.ts';
import type { Electorate, Member } from '../../../src/consensus/index.ts';
import {
  decodeElectorateRecord,
  decodeMembers,
  encodeElectorateRecord,
  encodeMembers,
  genesisElectorate,
  type HandOver,
  HandOverError,
  type KnownElectorate,
  MEMBER_SIZE_BYTES,
  readElectorateRecord,
  recordOf,
  requireNext,
  requireQuorum,
  votesOf,
} from '../../../src/ledger/index.ts';
import { RecordError } from '../../../src/ledger/replication/record-error.ts';
import { type Actor, actor, bond, StakeWorld, voteOf } from '../bonds/stake-world.ts';
import { kernels, named } from '../fixture.ts';

const actors = ['a', 'b', 'c', 'd', 'e'].map(actor);
const [a, b, c, d, e] = actors as [Actor, Actor, Actor, Actor, Actor];

/** Members in order of rank. */
function members(...of: readonly (readonly [Actor, string])[]): Member[] {
  return of
    .map(([{ key }, flags], seat) => ({
      publicKey: key,
      weight: 10n,
      seat,
      inCurrent: flags.includes('c'),
      inPrevious: flags.includes('p'),
      excluded: flags.includes('x'),
    }))
    .sort((one, other) => Buffer.compare(other.publicKey, one.publicKey));
}
const electorate = (epoch: number, era: number, of: Member[], majorityFloor = false): Electorate => ({
  ...{ epoch, era, members: of, majorityFloor },
  ...{ secondary: null, handOver: false, deposed: null },
});
const headerAt = (at: number): BlockHeader =>
  ({ height: height(at), slot: at, hash: named(`block ${at}`), stateRoot: named('state'), pohCount: 0 }) as never;
const known = (of: Electorate): KnownElectorate => ({ electorate: of, block: { height: height(5), hash: named('b') } });
const handOver = (of: Electorate, at = 10, votes: readonly Vote[] = []): HandOver => ({
  header: headerAt(at),
  certificate: { header: headerAt(at + 1), votes },
  electorate: of,
  bytes: new Uint8Array(0),
});
const faultOf = (work: () => void): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof HandOverError) return error.code;
    throw error;
  }
  return 'none';
};

const four = members([a, 'cp'], [b, 'cp'], [c, 'cp'], [d, 'cp']);
const joined = members([a, 'cp'], [b, 'cp'], [c, 'cp'], [d, 'cp'], [e, 'c']);

describe('what follows from an electorate', () => {
  const next = (from: Electorate, to: Electorate, at?: number): string =>
    faultOf(() => requireNext(known(from), handOver(to, at)));
  it('is the next era over the same set, or the same era over the same sets', () => {
    expect(next(electorate(2, 3, four), electorate(3, 4, joined))).toBe('none');
    const left = members([a, 'cp'], [b, 'cp'], [c, 'cp'], [d, 'p']);
    expect(next(electorate(2, 3, four), electorate(7, 4, left))).toBe('none');
    const silent = members([a, 'cp'], [b, 'cp'], [c, 'cp'], [d, 'cpx']);
    expect(next(electorate(2, 3, four), electorate(9, 3, silent, true))).toBe('none');
    expect(next(electorate(2, 3, silent, true), electorate(9, 4, silent, true))).toBe('none');
  });

  it('is nothing older, nothing two eras on, nothing over another set', () => {
    const from = electorate(4, 3, four);
    expect(next(from, electorate(4, 4, joined))).toBe('replayed');
    expect(next(from, electorate(5, 2, four))).toBe('replayed');
    expect(next(from, electorate(5, 4, joined), 5)).toBe('replayed');
    expect(next(from, electorate(5, 5, joined))).toBe('skipped');
    expect(next(from, electorate(5, 3, joined))).toBe('members');
    expect(next(from, electorate(5, 4, members([a, 'cp'], [b, 'cp'], [c, 'cp'], [e, 'cp'])))).toBe('members');
    const heavier = four.map((member, rank) => (rank === 3 ? { ...member, weight: 11n } : member));
    expect(next(from, electorate(5, 4, heavier))).toBe('members');
    const reseated = four.map((member) => ({ ...member, seat: member.seat + 1 }));
    expect(next(from, electorate(5, 4, reseated))).toBe('members');
    // Within an era nobody leaves the previous set either.
    const gone = members([a, 'cp'], [b, 'cp'], [c, 'cp'], [d, 'c']);
    expect(next(from, electorate(5, 3, gone))).toBe('members');
  });

  it('is no exclusion without the majority floor', () => {
    const silent = members([a, 'cp'], [b, 'cpx'], [c, 'cpx'], [d, 'cpx']);
    expect(next(electorate(4, 3, four), electorate(9, 3, silent))).toBe('floor');
  });

  it('needs more than 2/3 of the rest, and more than half of all when some are excluded', () => {
    const silent = members([a, 'cp'], [b, 'cp'], [c, 'cpx'], [d, 'cpx'], [e, 'cp']);
    const votesBy = (...voters: Actor[]): Vote[] =>
      voters.map((voter) => voteOf(voter, headerAt(10), { ...headerAt(11), slot: 11 } as never));
    const quorum = (of: Electorate, ...voters: Actor[]): string => {
      const shown = handOver(of, 10, votesBy(...voters));
      return faultOf(() => requireQuorum(shown, votesOf(shown)));
    };
    expect(quorum(electorate(9, 3, four), a, b, c)).toBe('none');
    expect(quorum(electorate(9, 3, four), a, b)).toBe('votes');
    expect(quorum(electorate(9, 3, four), a, a, a)).toBe('votes');
    expect(quorum(electorate(9, 3, silent, true), a, b, e)).toBe('none');
    expect(quorum(electorate(9, 3, silent, true), a, b)).toBe('votes');
    expect(quorum(electorate(9, 3, silent, true), a, b, c, d)).toBe('votes');
    // A vote from elsewhere does not link.
    const stray = handOver(electorate(9, 3, four), 9, votesBy(a, b, c));
    expect(votesOf(stray)).toEqual([]);
  });
});

describe('the electorate record', () => {
  it('is written by genesis and when who judges has changed, and is always who judges', () => {
    const world = new StakeWorld(
      [a, b, c, d].map((who) => [who, 100n] as const),
      actors.map((who) => [who, 10_000n] as const),
    );
    const genesis = genesisElectorate(world.chain.genesis);
    expect(readElectorateRecord(world.chain.state)).toEqual(recordOf(kernels, genesis));
    const epochs = new Set<number>();
    const step = (toSlot: number, voters: readonly Actor[]): void => {
      while (world.tip.slot < toSlot) {
        world.advance(world.tip.slot + 1, voters);
        const record = readElectorateRecord(world.chain.state);
        expect({ ...record, epoch: 0 }).toEqual({ ...recordOf(kernels, world.electorate), epoch: 0 });
        expect(record.epoch).toBeLessThanOrEqual(world.electorate.epoch);
        epochs.add(record.epoch);
      }
    };
    step(39, [a, b, c, d]);
    expect([...epochs]).toEqual([0]);
    world.begin(40);
    world.send(e, bond(50n), 1n);
    world.end(world.votesBy([a, b, c, d]));
    step(79, actors);
    expect(world.electorate.era).toBe(3);
    step(160, [a, b, c]);
    // Five judged, two of them silent until they were excluded under the floor, and left.
    expect(epochs.size).toBeGreaterThanOrEqual(6);
    expect(world.members).toHaveLength(3);
  });

  it('has one encoding, and refuses all else as corruption', () => {
    const record = { epoch: 7, era: 3, majorityFloor: true, memberCount: 5, digest: named('list') as Hash };
    const bytes = encodeElectorateRecord(record);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `01010500${'07000000'}${'03000000'}00000000${Buffer.from(record.digest).toString('hex')}`,
    );
    expect(decodeElectorateRecord(bytes)).toEqual(record);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        try {
          expect(encodeElectorateRecord(decodeElectorateRecord(changed))).toEqual(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(RecordError);
        }
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it('is of one list: any change is refused, or is another list', () => {
    const list = encodeMembers(joined);
    expect(list.length).toBe(5 * MEMBER_SIZE_BYTES);
    expect(decodeMembers(list)).toEqual(joined);
    const swapped = [...joined.slice(1), joined[0]!];
    expect(() => decodeMembers(encodeMembers(swapped))).toThrow(/does not rank/);
    const twice = [...joined.slice(0, 4), { ...joined[0]!, weight: 9n, seat: 9 }];
    expect(() => decodeMembers(encodeMembers(twice))).toThrow(/key stands there twice/);
    expect(() => decodeMembers(encodeMembers(joined.map((member) => ({ ...member, seat: 1 }))))).toThrow(/seat/);
    expect(() => decodeMembers(list.subarray(0, 100))).toThrow(/needs/);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: list.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = Uint8Array.from(list);
        changed[at] = value;
        try {
          expect(encodeMembers(decodeMembers(changed))).toEqual(changed);
        } catch (error) {
          expect(error).toMatchObject({ name: 'CodecError' });
        }
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});
