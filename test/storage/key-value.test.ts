/** One contract over both adapters of the key-value port, and what the simulated one does when the power goes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openKeyValues } from '../../storage/disk.ts';
import type { KeyValueStore, KeyValues, Table } from '../../storage/key-value/key-value.ts';
import { lmdbKeyValues } from '../../storage/key-value/lmdb-key-values.ts';
import { SimulatedKeyValues } from '../../storage/key-value/simulated-key-values.ts';
import { SimulatedMachine } from './simulated-machine.ts';

const root = mkdtempSync(join(tmpdir(), 'cairn-key-value-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const fresh = (): string => join(root, `store-${folders++}`);
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

interface Tables {
  readonly store: KeyValueStore;
  readonly about: Table<string, unknown>;
  readonly numbers: Table<number, unknown>;
  readonly hashes: Table<Uint8Array, Uint8Array>;
  readonly nodes: Table<readonly [number, number], Uint8Array>;
}

function openTables(keyValues: KeyValues, path: string): Tables {
  const store = keyValues.open(path);
  return {
    store,
    about: store.table({ name: null, keys: 'ordered', values: 'packed' }),
    numbers: store.table({ name: 'numbers', keys: 'ordered', values: 'packed' }),
    hashes: store.table({ name: 'hashes', keys: 'bytes', values: 'bytes' }),
    nodes: store.table({ name: 'nodes', keys: 'ordered', values: 'bytes' }),
  };
}

const ADAPTERS: readonly [string, () => KeyValues][] = [
  ['lmdb', () => lmdbKeyValues],
  ['simulated', () => new SimulatedKeyValues({ random: () => 0 })],
];

describe.each(ADAPTERS)('%s', (_, make) => {
  it('gives back what was written, also after it was opened again', async () => {
    const [keyValues, path] = [make(), fresh()];
    let tables = openTables(keyValues, path);
    const row = [1, bytes(1, 2, 3), 'x'];
    await tables.store.write(() => {
      tables.about.put('facts', { format: 1, size: 4096, root: bytes(9) });
      tables.numbers.put(7, row);
      tables.hashes.put(bytes(5, 6), bytes(1));
      tables.nodes.put([2, 3], bytes(4));
    });
    for (let times = 0; times < 2; times += 1) {
      const facts = tables.about.get('facts') as { format: number; size: number; root: Uint8Array };
      expect([facts.format, facts.size, [...facts.root]]).toEqual([1, 4096, [9]]);
      const found = tables.numbers.get(7) as [number, Uint8Array, string];
      expect([found[0], [...found[1]], found[2]]).toEqual([1, [1, 2, 3], 'x']);
      expect([...tables.hashes.get(bytes(5, 6))!]).toEqual([1]);
      expect([...tables.nodes.get([2, 3])!]).toEqual([4]);
      expect(tables.numbers.get(8)).toBeUndefined();
      expect(tables.hashes.get(bytes(5))).toBeUndefined();
      expect([tables.numbers.count, tables.hashes.count]).toEqual([1, 1]);
      await tables.store.close();
      tables = openTables(keyValues, path);
    }
    await tables.store.close();
  });

  it('copies bytes when they are written', async () => {
    const { store, hashes } = openTables(make(), fresh());
    const [key, value] = [bytes(1, 2), bytes(3)];
    const done = store.write(() => hashes.put(key, value));
    key.fill(0);
    value.fill(0);
    await done;
    expect([...hashes.get(bytes(1, 2))!]).toEqual([3]);
    await store.close();
  });

  it('replaces, removes, and passes over what is not there', async () => {
    const { store, numbers } = openTables(make(), fresh());
    await store.write(() => numbers.put(1, 'a'));
    await store.write(() => {
      numbers.put(1, 'b');
      numbers.put(2, 'c');
      numbers.remove(3);
    });
    expect([numbers.get(1), numbers.get(2), numbers.count]).toEqual(['b', 'c', 2]);
    await store.write(() => {
      numbers.remove(1);
      numbers.put(4, 'd');
    });
    expect([...numbers.keys()]).toEqual([2, 4]);
    await store.close();
  });

  it('walks keys in order, from and to, forwards and backwards', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 20 }),
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 1, max: 5 }),
        async (keys, start, end, limit) => {
          const { store, numbers, hashes, nodes } = openTables(make(), fresh());
          await store.write(() => {
            for (const key of keys) {
              numbers.put(key, key);
              hashes.put(bytes(key >> 8, key & 255), bytes(1));
              nodes.put([key % 3, key], bytes(1));
            }
          });
          const sorted = [...keys].sort((a, b) => a - b);
          const within = sorted.filter((key) => key >= start && key < end);
          expect([...numbers.keys()]).toEqual(sorted);
          expect([...numbers.keys({ start, end: Math.max(start, end) })]).toEqual(within);
          expect([...numbers.keys({ start, limit })]).toEqual(sorted.filter((key) => key >= start).slice(0, limit));
          expect([...numbers.keys({ reverse: true, limit })]).toEqual(sorted.reverse().slice(0, limit));
          const named = [...hashes.keys()].map((key) => key[0]! * 256 + key[1]!);
          expect(named).toEqual([...keys].sort((a, b) => a - b));
          const pairs = [...nodes.keys()].map(([a, b]) => [a, b]);
          expect(pairs).toEqual(keys.map((key) => [key % 3, key]).sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!));
          await store.close();
        },
      ),
      { numRuns: 15, seed: 5 },
    );
  });

  it('takes many transactions at once, in order', async () => {
    const { store, numbers } = openTables(make(), fresh());
    await Promise.all(Array.from({ length: 20 }, (_, at) => store.write(() => numbers.put(at % 3, at))));
    expect([numbers.get(0), numbers.get(1), numbers.get(2)]).toEqual([18, 19, 17]);
    await store.close();
  });
});

describe('simulated power', () => {
  it('keeps what was acknowledged, and of the rest whole transactions up to some point', async () => {
    const kept = new Set<number>();
    for (let chance = 0; chance < 1; chance += 0.1) {
      let release = (): void => {};
      let isHeld = false;
      const sync = (): Promise<void> => (isHeld ? new Promise((resolve) => (release = resolve)) : Promise.resolve());
      const keyValues = new SimulatedKeyValues({ sync, random: () => chance });
      const path = '/data/index';
      const { store, numbers } = openTables(keyValues, path);
      await store.write(() => numbers.put(0, 'acknowledged'));
      isHeld = true;
      const writes = [1, 2, 3].map((at) =>
        store.write(() => {
          numbers.put(at, 'row');
          numbers.put(at + 10, 'its pair');
        }),
      );
      const lost = Promise.allSettled(writes);
      await Promise.resolve();
      expect([...numbers.keys()]).toEqual([0]);
      keyValues.powerCut();
      release();
      for (const { status } of await lost) expect(status).toBe('rejected');
      expect(() => numbers.get(0)).toThrowError(/power/);
      await expect(store.write(() => {})).rejects.toMatchObject({ code: 'power-cut' });
      await store.close();
      isHeld = false;
      const again = openTables(keyValues, path);
      const keys = [...again.numbers.keys()];
      const count = (keys.length - 1) / 2;
      expect(keys).toEqual([0, ...[1, 2, 3].slice(0, count), ...[11, 12, 13].slice(0, count)]);
      kept.add(count);
    }
    expect([...kept].sort()).toEqual([0, 1, 2, 3]);
  });

  it('acknowledges nothing after a failed sync', async () => {
    let fails = false;
    const sync = async (): Promise<void> => {
      if (fails) throw new RangeError('no');
    };
    const { store, numbers } = openTables(new SimulatedKeyValues({ sync, random: () => 0 }), '/data/index');
    await store.write(() => numbers.put(1, 'a'));
    fails = true;
    await expect(store.write(() => numbers.put(2, 'b'))).rejects.toThrowError('no');
    fails = false;
    await expect(store.write(() => numbers.put(3, 'c'))).rejects.toThrowError('no');
    expect([...numbers.keys()]).toEqual([1]);
  });
});

describe('a store on a disk', () => {
  it('is there after a power cut, with what was written, once it was opened', async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const machine = new SimulatedMachine(seed);
      const before = await openKeyValues(machine, '/data/index');
      const rows = before.table<string, number>({ name: 'rows', keys: 'ordered', values: 'packed' });
      await before.write(() => rows.put('one', 1));
      machine.powerCut(1);
      const after = await openKeyValues(machine, '/data/index');
      expect(after.table<string, number>({ name: 'rows', keys: 'ordered', values: 'packed' }).get('one')).toBe(1);
    }
  });

  it('goes where its folder goes, and is a new one where that was removed', async () => {
    const machine = new SimulatedMachine(1);
    const store = await openKeyValues(machine, '/quarantine/index');
    const rows = store.table<string, number>({ name: 'rows', keys: 'ordered', values: 'packed' });
    await store.write(() => rows.put('one', 1));
    await store.close();
    await machine.files.rename('/quarantine', '/data');
    const one = async (path: string): Promise<number | undefined> => {
      const found = await openKeyValues(machine, path);
      const value = found.table<string, number>({ name: 'rows', keys: 'ordered', values: 'packed' }).get('one');
      await found.close();
      return value;
    };
    expect([await one('/data/index'), await one('/quarantine/index')]).toEqual([1, undefined]);
    await machine.files.remove('/data');
    expect(await one('/data/index')).toBeUndefined();
  });
});
