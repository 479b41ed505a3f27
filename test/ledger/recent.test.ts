import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pohCount, slot } from '../../native/index.ts';
import { IdSet } from '../../src/ledger/id-set.ts';
import { AppliedTransactions, LedgerInvariantError, RecentWindow } from '../../src/ledger/index.ts';
import { named } from './fixture.ts';

const rules = { hashesPerSlot: 10, recencyWindowSlots: 5 };
const short = (name: string): Uint8Array => named(name).slice(0, 20);

function extend(
  window: RecentWindow,
  at: number,
  ids: readonly (readonly [string, number])[] = [],
  fork = '',
): RecentWindow {
  const applied = new AppliedTransactions();
  for (const [name, referenceSlot] of ids) applied.add(named(name), referenceSlot);
  return window.child({ slot: slot(at), pohHash: named(`${fork}end ${at}`) }, applied);
}

const genesis = (): RecentWindow => RecentWindow.genesis(rules, named('end 0'));
const check = (window: RecentWindow, referenceSlot: number, atSlot: number, name = `end ${referenceSlot}`): unknown =>
  window.reference(short(name), referenceSlot * rules.hashesPerSlot, atSlot);

describe('RecentWindow', () => {
  it('accepts references up to exactly the window, settled or not', () => {
    for (const settle of [false, true]) {
      let window = genesis();
      for (let at = 1; at <= 9; at++) {
        for (let reference = 0; reference < at; reference++)
          expect(check(window, reference, at)).toBe(at - reference <= 5 ? reference : 'stale-last-valid-hash');
        window = extend(window, at);
        if (settle) window.settle();
      }
    }
  });

  it('names stale before unknown, and unknown for anything else that is not this chain', () => {
    const window = extend(extend(genesis(), 2), 7);
    expect(check(window, 2, 8, 'rubbish')).toBe('stale-last-valid-hash');
    expect(check(window, 3, 8)).toBe('unknown-last-valid-hash');
    expect(check(window, 7, 8, 'rubbish')).toBe('unknown-last-valid-hash');
    expect(check(window, 8, 8)).toBe('unknown-last-valid-hash');
    expect(check(window, 9_999, 8)).toBe('unknown-last-valid-hash');
    expect(window.reference(short('end 7'), 71, 8)).toBe('unknown-last-valid-hash');
    expect(window.reference(short('end 7'), 69, 8)).toBe('unknown-last-valid-hash');
    // One unit before the edge of the window, off a slot's end: stale, since the edge itself is count 30.
    expect(window.reference(short('end 3'), 29, 8)).toBe('stale-last-valid-hash');
    expect(window.reference(named('end 7'), 70, 8)).toBe('unknown-last-valid-hash');
    expect(window.lastReferringSlot).toBe(12);
  });

  it('keeps forks apart: a hash or an id of one branch is unknown on the other', () => {
    const root = extend(genesis(), 1);
    const left = extend(root, 2, [['tx', 1]], 'left ');
    const right = extend(root, 2, [], 'right ');
    expect(check(left, 2, 3, 'left end 2')).toBe(2);
    expect(check(right, 2, 3, 'left end 2')).toBe('unknown-last-valid-hash');
    expect(left.hasApplied(named('tx'), 1)).toBe(true);
    expect(right.hasApplied(named('tx'), 1)).toBe(false);
    expect(extend(left, 3).hasApplied(named('tx'), 1)).toBe(true);
  });

  it('throws on a branch that finality has left', () => {
    const root = extend(genesis(), 1);
    const [left, right] = [extend(root, 2, [], 'left '), extend(root, 2, [], 'right ')];
    expect(() => left.settle()).toThrowError(LedgerInvariantError);
    root.settle();
    left.settle();
    expect(() => right.settle()).toThrowError(/not a child/);
    expect(() => right.hasApplied(named('tx'), 0)).toThrowError(/finality has moved/);
    expect(() => check(right, 0, 3)).toThrowError(/finality has moved/);
    expect(left.hasApplied(named('tx'), 0)).toBe(false);
  });

  it('forgets what can no longer be referred to, and nothing earlier', () => {
    let window = genesis();
    for (let at = 1; at <= 40; at++) {
      window = extend(window, at, [[`tx ${at}`, Math.max(0, at - 5)]]);
      window.settle();
      // References from slot + 1 - 5 on are admissible in the next block.
      for (let past = 1; past <= at; past++)
        if (Math.max(0, past - 5) >= at - 4)
          expect(window.hasApplied(named(`tx ${past}`), Math.max(0, past - 5))).toBe(true);
      expect(window.settledCounts.ends).toBeLessThanOrEqual(5);
      expect(window.settledCounts.ids).toBeLessThanOrEqual(6);
    }
  });

  it('rebuilt from the last blocks it answers as the one that lived through them', () => {
    const script = fc.array(
      fc.record({ gap: fc.integer({ min: 1, max: 4 }), ids: fc.array(fc.record({ n: fc.nat(30), age: fc.nat(4) })) }),
      { minLength: 1, maxLength: 25 },
    );
    fc.assert(
      fc.property(script, (blocks) => {
        let window = genesis();
        const history = [
          {
            slot: slot(0),
            pohHash: named('end 0'),
            transactions: [] as { id: Uint8Array; lastValidCount: ReturnType<typeof pohCount> }[],
          },
        ];
        for (const { gap, ids } of blocks) {
          const at = window.end.slot + gap;
          // Any admissible slot that has a block.
          const open = history.map((block) => block.slot).filter((past) => at - past <= 5);
          const applied =
            open.length === 0 ? [] : ids.map(({ n, age }) => [`tx ${n}`, open[age % open.length]!] as const);
          window = extend(window, at, applied);
          window.settle();
          const transactions = applied.map(([name, reference]) => ({
            id: named(name),
            lastValidCount: pohCount(reference * 10),
          }));
          history.push({ slot: slot(at), pohHash: named(`end ${at}`), transactions });
        }
        const recent = history.filter((block) => block.slot >= window.end.slot - 5);
        const next = window.end.slot + 1;
        for (const rebuilt of [RecentWindow.rebuild(rules, history), RecentWindow.rebuild(rules, recent)]) {
          for (let past = 0; past <= next; past++) {
            const verdict = check(window, past, next);
            expect(check(rebuilt, past, next)).toBe(verdict);
            if (typeof verdict !== 'number') continue;
            for (let n = 0; n <= 30; n++)
              expect(rebuilt.hasApplied(named(`tx ${n}`), past)).toBe(window.hasApplied(named(`tx ${n}`), past));
          }
        }
      }),
      { numRuns: 150, seed: 5 },
    );
    expect(() => RecentWindow.rebuild(rules, [])).toThrowError(/at least one/);
  });
});

describe('IdSet', () => {
  it('agrees with a plain set, for any secret', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const ids = fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { maxLength: 300 });
    fc.assert(
      fc.property(ids, fc.tuple(word, word, word, word), (list, secret) => {
        const set = new IdSet(new Uint32Array(secret));
        const plain = new Set<string>();
        for (const id of list) {
          const key = Buffer.from(id).toString('hex');
          expect(set.has(id)).toBe(plain.has(key));
          expect(set.add(id)).toBe(!plain.has(key));
          plain.add(key);
        }
        for (const id of list) expect(set.has(id)).toBe(true);
        expect(set.size).toBe(plain.size);
        const copy = new IdSet();
        for (let at = 0; at < set.size; at++) expect(copy.addFrom(set, at)).toBe(true);
        for (const id of list) expect(copy.has(id)).toBe(true);
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  it('knows ids by their first 16 bytes, zero ids included', () => {
    const set = new IdSet();
    expect(set.add(new Uint8Array(32))).toBe(true);
    expect(set.add(new Uint8Array(32))).toBe(false);
    const other = named('a');
    const sameStart = other.slice();
    sameStart[16]! ^= 1;
    set.add(other);
    expect(set.has(sameStart)).toBe(true);
    for (let byte = 0; byte < 16; byte++) {
      const changed = other.slice();
      changed[byte]! ^= 0x80;
      expect(set.has(changed)).toBe(false);
    }
  });

  it('holds 20,000 ids in at most 64 bytes each', () => {
    const set = new IdSet();
    for (let n = 0; n < 20_000; n++) set.add(named(`id ${n}`));
    for (let n = 0; n < 20_000; n++) expect(set.has(named(`id ${n}`))).toBe(true);
    expect(set.sizeBytes / set.size).toBeLessThanOrEqual(64);
  });
});
