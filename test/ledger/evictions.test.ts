/** Evictions and revivals: real transactions on a chain that compacts, against a plain list of who was evicted with what. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amount, height } from '../../native/index.ts';
import type { RevivePayload } from '../../src/codec/index.ts';
import {
  EVICTIONS_KEY,
  EVICTIONS_MAX,
  type Eviction,
  encodeEvictions,
  evictedUnits,
  evictionLeafHashes,
  mountainOf,
  Overlay,
  readEvictions,
  rentUpTo,
} from '../../src/ledger/index.ts';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { merkleRoot } from '../../storage/commitment/merkle.ts';
import { addressAt, CompactionWorld, pay } from './compaction-world.ts';
import { type Code, chainOf, EvictedList, EvictionsWorld, people, rich } from './evictions-world.ts';
import { kernels, named } from './fixture.ts';

type Step =
  | { readonly do: 'end' }
  | { readonly do: 'pay'; readonly from: number; readonly to: number; readonly value: bigint }
  | { readonly do: 'revive' | 'again' | 'steal'; readonly which: number };
const person10 = fc.nat(people.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ do: 'end' }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pay' as const),
      from: fc.nat(10),
      to: person10,
      value: fc.bigInt(1n, 150n),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('revive', 'revive', 'again', 'steal' as const), which: fc.nat(63) }),
  },
);

describe('evictions and revivals', () => {
  it('in any interleaving conserve every unit; each is revived by its owner exactly once', () => {
    const seen = { evicted: 0, revived: 0, again: 0, stolen: 0, ended: 0 };
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 160, size: 'max' }), (steps) => {
        const world = new EvictionsWorld();
        const { list } = world;
        for (const one of steps) {
          if (one.do === 'end') world.endBlock();
          else if (one.do === 'pay') world.pay(one.from === 10 ? rich : people[one.from]!, people[one.to]!, one.value);
          else if (list.all.length > 0) {
            const index = one.which % list.all.length;
            const before = list.revived.has(index);
            if (one.do === 'steal') {
              expect(world.send(rich, list.payload(index))).toBe(before ? 'already-revived' : 'wrong-eviction');
              seen.stolen++;
            } else {
              // Less than the fee was evicted, and nothing else is there to pay it.
              const held = world.execution.overlay.balance(list.all[index]!.address) + list.all[index]!.balance;
              const expected = held < 2n ? 'insufficient-funds' : before ? 'already-revived' : null;
              expect(world.revive(index)).toBe(expected);
              if (one.do === 'again' && expected === null) expect(world.revive(index)).toBe('already-revived');
              if (before) seen.again++;
              else seen.revived++;
            }
          }
        }
        // In the end everybody takes back what is theirs, in one block.
        const { overlay } = world.execution;
        for (const index of list.all.keys()) {
          if (list.revived.has(index)) continue;
          const owner = world.owner(index);
          if (overlay.balance(owner.address) + list.all[index]!.balance < 2n) world.pay(rich, owner, 2n);
          const before = overlay.balance(owner.address);
          expect(world.revive(index)).toBe(null);
          expect(overlay.balance(owner.address)).toBe(before + list.all[index]!.balance - 2n);
          seen.ended++;
        }
        expect(evictedUnits(overlay)).toBe(0n);
        expect(list.units).toBe(0n);
        seen.evicted += list.all.length;
        world.endBlock();
      }),
      { numRuns: 120, seed: 31 },
    );
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(60);
  });

  it('puts back what was evicted, less the fee, into an account that holds something again', () => {
    const world = new EvictionsWorld();
    world.untilEvicted();
    const [first] = world.list.all;
    const owner = world.owner(0);
    expect(first!.balance).toBe(150n);
    expect(world.execution.overlay.balance(owner.address)).toBe(0n);
    world.pay(rich, owner, 30n);
    expect(world.revive(0)).toBe(null);
    expect(world.execution.overlay.balance(owner.address)).toBe(178n);
    world.endBlock();
    expect(world.chain.state.balance(owner.address)).toBe(178n);
    expect(world.revive(0)).toBe('already-revived');
  });

  it('evicts with the whole balance, in the block that moved the account', () => {
    const world = new EvictionsWorld();
    world.untilEvicted();
    const [{ height: at, balance }] = world.list.all as [Eviction];
    expect(at).toBe(world.chain.log.height);
    expect(balance).toBe(150n);
    expect(rentUpTo(world.chain.rules.rent, at)).toBeGreaterThan(150n);
    expect(world.chain.log.writtenAt(world.list.all[0]!.address)).toBeUndefined();
  });

  it('refuses each wrong revival with its own code', () => {
    const world = new EvictionsWorld();
    world.untilEvicted(5);
    const { list } = world;
    const owner = world.owner(0);
    const good = list.payload(0);
    const count = list.all.length;
    const changed = (changes: Partial<RevivePayload>): Code => world.send(owner, { ...good, ...changes });
    expect(changed({ index: count })).toBe('unknown-eviction');
    expect(changed({ index: 2 ** 53 - 1 })).toBe('unknown-eviction');
    expect(changed({ path: good.path.subarray(32) })).toBe('stale-eviction-path');
    expect(changed({ path: Buffer.concat([good.path, named('more')]) })).toBe('stale-eviction-path');
    expect(changed({ balance: amount(good.balance + 1n) })).toBe('wrong-eviction');
    expect(changed({ height: height(good.height + 1) })).toBe('wrong-eviction');
    expect(changed({ index: 1 })).toBe('wrong-eviction');
    const wrongStep = Uint8Array.from(good.path);
    wrongStep[40]! ^= 1;
    expect(changed({ path: wrongStep })).toBe('wrong-eviction');
    expect(world.send(people.find((who) => who !== owner)!, good)).toBe('wrong-eviction');
    expect(world.send(owner, good, 1n)).toBe('fee-too-low');
    expect(world.send(owner, good, good.balance + 1n)).toBe('insufficient-funds');
    expect(world.send(owner, good)).toBe(null);
    expect(world.send(owner, good)).toBe('already-revived');
  });

  it('a path holds until its mountain merges', () => {
    const chain = chainOf();
    const list = new EvictedList();
    const grow = (count: number): void => {
      while (list.all.length < count) {
        const number = list.all.length;
        list.all.push({ address: people[number]!.address, balance: amount(50n + BigInt(number)), height: height(9) });
      }
      const range = Frontier.empty.appendMany(kernels, evictionLeafHashes(kernels, list.all));
      const value = encodeEvictions({ units: list.units, range });
      chain.state.apply([{ kind: 'putRecord', key: EVICTIONS_KEY, value }]);
    };
    const tried = (index: number, payload: RevivePayload): Code =>
      chain.refusal(1, { from: people[index]!, payload, fee: 2n });
    grow(5);
    const [first, third, last] = [0, 2, 4].map((index) => list.payload(index)) as [
      RevivePayload,
      RevivePayload,
      RevivePayload,
    ];
    expect([first.path.length, third.path.length, last.path.length]).toEqual([64, 64, 0]);
    expect([tried(0, first), tried(2, third), tried(4, last)]).toEqual([null, null, null]);
    // 4 + 2: the first mountain stands, the last leaf's has merged.
    grow(6);
    expect([tried(0, first), tried(2, third), tried(4, last)]).toEqual([null, null, 'stale-eviction-path']);
    expect(tried(4, list.payload(4))).toBe(null);
    grow(7);
    expect([tried(0, first), tried(2, third), tried(4, list.payload(4, 6))]).toEqual([null, null, null]);
    grow(8);
    expect([tried(0, first), tried(2, third)]).toEqual(['stale-eviction-path', 'stale-eviction-path']);
    for (const index of list.all.keys()) expect(tried(index, list.payload(index))).toBe(null);
  });

  it('nothing at all can be revived where nobody was evicted', () => {
    const world = new EvictionsWorld();
    const payload = {
      kind: 'revive' as const,
      index: 0,
      balance: amount(5n),
      height: height(1),
      path: new Uint8Array(0),
    };
    expect(world.send(rich, payload)).toBe('unknown-eviction');
  });

  it('a revival in a block that is taken back leaves nothing behind', () => {
    const world = new EvictionsWorld();
    world.untilEvicted();
    const { execution } = world;
    const before = execution.overlay.ops();
    const point = execution.savepoint();
    expect(world.send(world.owner(0), world.list.payload(0))).toBe(null);
    execution.takeBack(point);
    expect(execution.overlay.ops()).toEqual(before);
    expect(world.revive(0)).toBe(null);
  });
});

describe('the mountain of an eviction', () => {
  it('is where the frontier of as many leaves has it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(399), (count, pick) => {
        const index = pick % count;
        const { mountain, level, place } = mountainOf(index, count);
        let frontier = Frontier.empty;
        for (let leaf = 0; leaf < count; leaf++) frontier = frontier.append(kernels, named(`leaf ${leaf}`));
        const sizes = [...count.toString(2)].flatMap((bit, at, bits) =>
          bit === '1' ? [2 ** (bits.length - 1 - at)] : [],
        );
        expect(sizes[mountain]).toBe(2 ** level);
        expect(sizes.slice(0, mountain).reduce((sum, size) => sum + size, 0) + place).toBe(index);
        const first = index - place;
        const leaves = Array.from({ length: 2 ** level }, (_, leaf) => named(`leaf ${first + leaf}`));
        const root = merkleRoot(kernels, Uint8Array.from(Buffer.concat(leaves)));
        expect(new Uint8Array(root)).toEqual(new Uint8Array(frontier.peaks[mountain]!));
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it('is found past 32 bits, up to the last one', () => {
    expect(mountainOf(2 ** 40 + 5, 2 ** 40 + 6)).toEqual({ mountain: 2, level: 1, place: 1 });
    expect(mountainOf(0, 2 ** 40 + 6)).toEqual({ mountain: 0, level: 40, place: 0 });
    expect(mountainOf(EVICTIONS_MAX - 1, EVICTIONS_MAX)).toEqual({ mountain: 0, level: 43, place: EVICTIONS_MAX - 1 });
    expect(() => mountainOf(5, 5)).toThrowError(/no mountain/);
    expect(() => mountainOf(0, EVICTIONS_MAX + 1)).toThrowError(/no mountain/);
  });
});

describe('dust', () => {
  it('never changes what another account is charged for a time, and pays for the moves it causes', () => {
    const rate = 123_456n;
    const victims = 30;
    const owed = (world: CompactionWorld, number: number): bigint => {
      const rules = { microunitsPerByteBlock: rate };
      return rentUpTo(rules, world.log.height) - rentUpTo(rules, world.log.writtenAt(addressAt(number))!);
    };
    const run = (dustPerBlock: number): { paid: bigint[]; moves: number; dustOps: number } => {
      const balances = Array.from({ length: victims + 1 }, (_, n) => (n === victims ? 10n ** 12n : 5_000n));
      const world = new CompactionWorld(rate, balances);
      let moves = 0;
      let dustOps = 0;
      let next = 0;
      for (let at = 1; at <= 400; at++) {
        const report = world.block((overlay) => {
          for (let n = 0; n < dustPerBlock; n++) pay(overlay, victims, 1000 + (next++ % 120), 1n);
        });
        moves += report.moves;
        dustOps += report.touched;
      }
      const paid = Array.from({ length: victims }, (_, n) => 5_000n - world.balance(n) + owed(world, n));
      return { paid, moves, dustOps };
    };
    const [quiet, flooded] = [run(0), run(50)];
    const whole = rentUpTo({ microunitsPerByteBlock: rate }, 400);
    expect(whole).toBeGreaterThan(1_000n);
    expect(quiet.paid).toEqual(Array.from({ length: victims }, () => whole));
    expect(flooded.paid).toEqual(quiet.paid);
    expect(flooded.moves).toBeGreaterThan(quiet.moves);
    // One for each of its ops, and in each block those that answer for the head and the pool.
    expect(flooded.moves).toBeLessThanOrEqual(flooded.dustOps + 2 * 400);
  });

  it('is itself evicted or deleted, and then takes no more than its digest', () => {
    const world = new CompactionWorld(1_000_000n, [10n ** 9n, 10n ** 9n]);
    let next = 1000;
    for (let at = 1; at <= 40; at++)
      world.block((overlay) => {
        for (let n = 0; n < 20; n++) pay(overlay, 0, next++, 1n);
      });
    for (let at = 0; at < 1500; at++) world.block((overlay) => pay(overlay, 0, 1, 1n));
    expect(readEvictions(new Overlay(world.state)).range.size).toBe(800);
    expect(evictedUnits(world.state)).toBe(800n);
    // Two accounts, the pool, and the one record.
    expect(world.log.activeCount).toBe(4);
    expect(world.supply).toBe(2n * 10n ** 9n);
  });
});
