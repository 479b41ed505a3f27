/** The table kernels refuse hostile arguments with a TypeError, on every variant; and the addon behind the checks never touches memory it should not. */
import { describe, expect, it } from 'vitest';
import { openBinding } from '../../native/binding.ts';
import type { Kernels, TableShards } from '../../native/kernels.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { seededBytes, VARIANTS } from './variants.ts';

type TableKernel = 'tableRead' | 'tablePut' | 'tableDelete' | 'tableMissing' | 'tableMove';
type Arguments = [shards: TableShards, ...rest: unknown[]];

const bytes = (size: number): Uint8Array => seededBytes(size)(size);

/** Two empty shards of 16 slots, the first one moving. */
const shards = (): TableShards => ({
  slotSizeBytes: 32,
  secret: bytes(16),
  tables: [new Uint8Array(512), new Uint8Array(512)],
  olds: [new Uint8Array(256), new Uint8Array(0)],
  state: new Uint32Array(8),
});

const CALLS: readonly (readonly [TableKernel, () => Arguments])[] = [
  ['tableRead', () => [shards(), bytes(40), 20, 20, 8, new Uint8Array(16)]],
  ['tablePut', () => [shards(), bytes(60), 32, 2, 7]],
  ['tableDelete', () => [shards(), bytes(40), 20, 2]],
  ['tableMissing', () => [shards(), bytes(40), 20, 2, new Uint32Array(2)]],
  ['tableMove', () => [shards(), 0, 3]],
];

const ODD: readonly unknown[] = [undefined, null, 'text', true, 1n, {}, [], new ArrayBuffer(32), new Float64Array(4)];
const NUMBERS: readonly unknown[] = [-1, 0.5, Number.NaN, 2 ** 32, '3'];

function detached<T extends Uint8Array | Uint32Array>(array: T): T {
  const buffer = array.buffer as ArrayBuffer;
  structuredClone(buffer, { transfer: [buffer] });
  return array;
}

function refuses(kernels: Pick<Kernels, TableKernel>, name: TableKernel, values: unknown[]): void {
  const call = kernels[name] as (...values: unknown[]) => unknown;
  expect(() => call(...values), `${name} of ${values.map((value) => typeof value).join(', ')}`).toThrow(TypeError);
}

/** State that begins with an array of bytes: in front of whatever follows. */
const stateOver =
  (array: Uint8Array) =>
  (good: TableShards): TableShards => {
    const room = new ArrayBuffer(4096);
    const moved = new Uint8Array(room, 0, array.length);
    const swap = (other: Uint8Array): Uint8Array => (other === array ? moved : other);
    const { tables, olds, secret } = good;
    const state = new Uint32Array(room, 0, good.state.length);
    return { ...good, secret: swap(secret), tables: tables.map(swap), olds: olds.map(swap), state };
  };

/** Tables that are none. */
const BROKEN_SHARDS: readonly (readonly [string, (good: TableShards) => object])[] = [
  ['slot size', (good) => ({ ...good, slotSizeBytes: 48 })],
  ['short secret', (good) => ({ ...good, secret: bytes(15) })],
  ['no tables', (good) => ({ ...good, tables: [], olds: [], state: new Uint32Array(0) })],
  ['three tables', (good) => ({ ...good, tables: [...good.tables, bytes(512)] })],
  ['fewer olds', (good) => ({ ...good, olds: [new Uint8Array(0)] })],
  ['a table of odd size', (good) => ({ ...good, tables: [good.tables[0], bytes(500)] })],
  ['a table too small', (good) => ({ ...good, tables: [good.tables[0], bytes(64)] })],
  ['an unaligned table', (good) => ({ ...good, tables: [good.tables[0], bytes(520).subarray(1, 513)] })],
  ['a table of words', (good) => ({ ...good, tables: [good.tables[0], new Uint32Array(128)] })],
  ['a detached table', (good) => ({ ...good, tables: [good.tables[0], detached(bytes(512))] })],
  ['an old one larger than the new', (good) => ({ ...good, olds: [bytes(1024), new Uint8Array(0)] })],
  ['an old one within the new', (good) => ({ ...good, olds: [good.tables[0]!.subarray(0, 256), new Uint8Array(0)] })],
  ['short state', (good) => ({ ...good, state: new Uint32Array(7) })],
  ['signed state', (good) => ({ ...good, state: new Int32Array(8) })],
  ['state within the secret', (good) => stateOver(good.secret)(good)],
  ['state within an old table', (good) => stateOver(good.olds[0]!)(good)],
  ['state within a table', (good) => ({ ...good, state: new Uint32Array(good.tables[1]!.buffer, 0, 8) })],
  ['a start past the end', (good) => ({ ...good, state: Uint32Array.of(0, 0, 4, 0, 0, 0, 0, 0) })],
  ['more moved than there is', (good) => ({ ...good, state: Uint32Array.of(0, 0, 0, 4, 0, 0, 0, 0) })],
];

describe.each(VARIANTS)('hostile arguments to tables of $name', ({ kernels }) => {
  it.each(CALLS)('%s takes the right ones, refuses each wrong one', (name, make) => {
    const call = kernels[name] as (...values: unknown[]) => unknown;
    expect(() => call(...make())).not.toThrow();
    for (const position of make().keys()) {
      const value = make()[position];
      const wrong = typeof value === 'number' ? [...ODD, ...NUMBERS] : ODD;
      for (const odd of wrong) refuses(kernels, name, make().with(position, odd));
      if (value instanceof Uint8Array || value instanceof Uint32Array)
        refuses(kernels, name, make().with(position, detached(value.slice())));
    }
  });

  it.each(CALLS)('%s refuses what is no table', (name, make) => {
    for (const [what, broken] of BROKEN_SHARDS) {
      const [good, ...rest] = make();
      const call = kernels[name] as (...values: unknown[]) => unknown;
      expect(() => call(broken(good), ...rest), what).toThrow(TypeError);
    }
  });

  it('refuses keys that end too early, strides, fields and positions out of range', () => {
    const out = new Uint8Array(16);
    for (const [size, stride] of [
      [39, 20],
      [43, 24],
      [40, 16],
      [40, 21],
      [4000, 1028],
    ] as const)
      refuses(kernels, 'tableRead', [shards(), bytes(size), stride, 20, 8, out]);
    for (const [at, size] of [
      [28, 8],
      [2, 4],
      [20, 6],
      [0, 36],
      [0, 0],
    ] as const)
      refuses(kernels, 'tableRead', [shards(), bytes(400), 20, at, size, new Uint8Array(2 * size)]);
    refuses(kernels, 'tableRead', [shards(), bytes(400), 20, 20, 8, new Uint8Array(15)]);
    for (const position of [0, 2 ** 32 - 1, -1]) refuses(kernels, 'tablePut', [shards(), bytes(60), 32, 2, position]);
    refuses(kernels, 'tablePut', [shards(), bytes(59), 32, 2, 1]);
    refuses(kernels, 'tableMove', [shards(), 1, 3]);
    refuses(kernels, 'tableMove', [shards(), 2, 3]);
  });

  it('refuses outputs that overlap what is read', () => {
    const table = shards();
    const pool = bytes(200);
    refuses(kernels, 'tableRead', [table, pool.subarray(0, 40), 20, 20, 8, pool.subarray(39, 55)]);
    refuses(kernels, 'tableRead', [table, bytes(40), 20, 20, 8, table.tables[1]!.subarray(0, 16)]);
    refuses(kernels, 'tableRead', [table, bytes(40), 20, 20, 8, new Uint8Array(table.state.buffer, 0, 16)]);
    refuses(kernels, 'tablePut', [table, table.tables[0]!.subarray(0, 60), 32, 2, 1]);
    refuses(kernels, 'tableDelete', [table, table.olds[0]!.subarray(0, 40), 20, 2]);
    refuses(kernels, 'tableMissing', [table, bytes(40), 20, 2, new Uint32Array(table.tables[0]!.buffer, 0, 2)]);
    const stateBytes = new Uint8Array(table.state.buffer);
    const small = { ...table, state: new Uint32Array(64).subarray(0, 8) };
    refuses(kernels, 'tablePut', [small, new Uint8Array(small.state.buffer, 0, 60), 32, 2, 1]);
    refuses(kernels, 'tableDelete', [table, stateBytes.subarray(0, 20), 20, 1]);
    refuses(kernels, 'tableRead', [
      { ...table, secret: pool.subarray(0, 16) },
      bytes(40),
      20,
      20,
      8,
      pool.subarray(8, 24),
    ]);
  });

  it('passes the keys of an empty shard by', () => {
    const whole = { ...shards(), olds: [new Uint8Array(0), new Uint8Array(0)] };
    const part = { ...whole, tables: [new Uint8Array(0), new Uint8Array(512)], state: new Uint32Array(8) };
    const records = bytes(32 * 8);
    kernels.tablePut(whole, records, 32, 8, 7);
    kernels.tablePut(part, records, 32, 8, 7);
    kernels.tableDelete(whole, records, 32, 2);
    kernels.tableDelete(part, records, 32, 2);
    expect(part.tables[1]).toEqual(whole.tables[1]);
    expect([...part.state]).toEqual([0, 0, 0, 0, ...whole.state.subarray(4)]);
    expect(whole.state[0]).toBeGreaterThan(0);
    const found = [whole, part].map((table) => {
      const out = new Uint8Array(32 * 8);
      kernels.tableRead(table, records, 32, 0, 32, out);
      return out;
    });
    for (let key = 0; key < 8; key++) {
      const [inWhole, inPart] = found.map((out) => out.subarray(32 * key, 32 * (key + 1)));
      if (inPart!.some((byte) => byte !== 0)) expect(inPart).toEqual(inWhole);
    }
    expect(found[1]!.filter((byte) => byte !== 0).length).toBeLessThan(found[0]!.filter((byte) => byte !== 0).length);
  });

  it('gives memory to another arena, once', () => {
    const [one, other] = [kernels.tableArena(), kernels.tableArena()];
    const bytes = one.allocate(4096).fill(7);
    const { memory, transfer } = one.give!(bytes);
    const arrived = other.take!(structuredClone(memory, { transfer: [...transfer] }));
    expect(bytes.length).toBe(0);
    expect(arrived).toEqual(new Uint8Array(4096).fill(7));
    one.close();
    expect(arrived[0]).toBe(7);
    other.close();
    for (const odd of [...ODD, -1, 1e9, Number.NaN, memory]) {
      if (kernels.name === 'portable' && odd instanceof Uint8Array) continue;
      expect(() => other.take!(odd as number), String(odd)).toThrow(TypeError);
    }
    if (kernels.name === 'native') expect(() => one.give!(new Uint8Array(4096))).toThrow(TypeError);
  });

  it('gives memory of powers of two, zeroed, and takes it back once', () => {
    const arena = kernels.tableArena();
    for (const size of [0, 100, 2048, 4097, 12_288, 2 ** 31, Number.NaN])
      expect(() => arena.allocate(size), `${size}`).toThrow(TypeError);
    const [small, large] = [arena.allocate(4096), arena.allocate(2 ** 22)];
    for (const table of [small, large]) {
      expect(table.every((byte) => byte === 0)).toBe(true);
      expect(table.fill(7)[table.length - 1]).toBe(7);
    }
    arena.release(small);
    arena.release(small);
    arena.release(new Uint8Array(4096));
    expect(large[5]).toBe(7);
    arena.close();
    arena.close();
    if (kernels.name === 'native') expect([small.length, large.length]).toEqual([0, 0]);
  });
});

describe.runIf(VARIANTS.length > 1)('the table kernels of the addon behind the checks', () => {
  // The body runs also when the suite is skipped: without an addon there is nothing to open.
  const addon = VARIANTS.length > 1 ? openBinding([]) : ({} as ReturnType<typeof openBinding>);
  const parts = (table: TableShards): unknown[] => [
    table.slotSizeBytes,
    table.secret,
    table.tables,
    table.olds,
    table.state,
  ];
  const raw: readonly (readonly [string, () => unknown[]])[] = [
    ['tableRead', () => [...parts(shards()), bytes(40), 20, 2, 20, 8, new Uint8Array(16)]],
    ['tablePut', () => [...parts(shards()), bytes(60), 32, 2, 7]],
    ['tableDelete', () => [...parts(shards()), bytes(40), 20, 2]],
    ['tableMissing', () => [...parts(shards()), bytes(40), 20, 2, new Uint32Array(2)]],
    ['tableMove', () => [...parts(shards()), 0, 3]],
  ];
  const call = (name: string, values: unknown[]): unknown =>
    (addon as unknown as Record<string, (...values: unknown[]) => unknown>)[name]!(...values);

  it.each(raw)('%s refuses wrong types and sizes by itself', (name, make) => {
    expect(call(name, make())).toBe(0);
    expect(() => call(name, [])).toThrow(TypeError);
    for (const position of make().keys())
      for (const odd of ODD) expect(() => call(name, make().with(position, odd)), `${position}`).toThrow(TypeError);
    for (const [what, broken] of BROKEN_SHARDS) {
      // Alignment cannot make it leave its memory.
      if (what.includes('unaligned')) continue;
      const table = broken(shards()) as TableShards;
      expect(() => call(name, [...parts(table), ...make().slice(5)]), what).toThrow(TypeError);
    }
  });

  it('refuses by itself to write what it reads', () => {
    const room = new Uint8Array(4096);
    const table = {
      ...shards(),
      tables: [room.subarray(0, 512), room.subarray(512, 1024)],
      secret: room.subarray(1024, 1040),
    };
    const within = (name: string, ...rest: unknown[]): void =>
      expect(() => call(name, [...parts(table), ...rest]), `${name} ${rest.length}`).toThrow(TypeError);
    const stateBytes = new Uint8Array(table.state.buffer);
    // Everything that is read, by its first and its last byte.
    for (const read of [...table.tables, table.secret, table.olds[0]!, stateBytes])
      for (const at of [0, read.length - 16])
        within('tableRead', bytes(40), 20, 2, 20, 8, new Uint8Array(read.buffer, read.byteOffset + at, 16));
    const keys = room.subarray(2048, 2088);
    for (const at of [2048 - 15, 2048 + 39]) within('tableRead', keys, 20, 2, 20, 8, room.subarray(at, at + 16));
    for (const read of [...table.tables, table.olds[0]!, stateBytes]) {
      const records = new Uint8Array(read.buffer, read.byteOffset, Math.min(60, read.length));
      within('tablePut', records, 28, 1, 7);
      within('tableDelete', records, 20, 1);
    }
    for (const read of [room, table.olds[0]!, stateBytes])
      within('tableMissing', keys, 20, 2, new Uint32Array(read.buffer, read.byteOffset, 2));
    within('tableMissing', keys, 20, 2, new Uint32Array(room.buffer, 2048 + 36, 2));
    const lies: readonly Partial<TableShards>[] = [
      { olds: [room.subarray(256, 512), new Uint8Array(0)] },
      { state: new Uint32Array(room.buffer, 1024 - 16, 8) },
      { state: new Uint32Array(room.buffer, 1024 + 12, 8) },
    ];
    for (const [name, make] of raw)
      for (const lie of lies)
        expect(() => call(name, [...parts({ ...table, ...lie }), ...make().slice(5)]), name).toThrow(TypeError);
  });

  it('stays within its memory whatever the numbers and bytes', () => {
    const random = seededRandom(12);
    const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    let done = 0;
    for (let round = 0; round < 3000; round++) {
      const [name] = pick(...raw);
      const slotSizeBytes = pick(32, 64) as 32 | 64;
      const size = pick(128, 256, 512, 4096);
      const filled = (length: number): Uint8Array =>
        pick(new Uint8Array(length), bytes(length), bytes(length).fill(0xee));
      const table: TableShards = {
        slotSizeBytes,
        secret: bytes(16),
        tables: [filled(size)],
        olds: [pick(new Uint8Array(0), filled(128), filled(256))],
        state: Uint32Array.from({ length: 4 }, () => pick(0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1)),
      };
      const count = pick(0, 1, 5, 70, 2 ** 32 - 1);
      const keys = [bytes(pick(0, 20, 100, 5000)), pick(0, 20, 28, 60, 64, 2 ** 31), count];
      const rest = {
        tableRead: [pick(0, 20, 28, 2 ** 32 - 4), pick(1, 4, 8, 44), new Uint8Array(pick(0, 20, 280, 560))],
        tablePut: [pick(0, 1, 2 ** 32 - 2, 2 ** 32 - 1)],
        tableDelete: [],
        tableMissing: [new Uint32Array(pick(1, 2))],
      }[name as Exclude<TableKernel, 'tableMove'>];
      try {
        call(name, [
          ...parts(table),
          ...(rest === undefined ? [pick(0, 1), pick(0, 5, 2 ** 32 - 1)] : [...keys, ...rest]),
        ]);
        done += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
    }
    expect(done).toBeGreaterThan(100);
  });

  it('refuses handles that are not its own', () => {
    for (const handle of [...ODD, addon])
      expect(() => call('releaseTable', [handle, new ArrayBuffer(8)])).toThrow(TypeError);
    const memory = addon.allocateTable(4096)!;
    expect(() => call('releaseTable', [memory.handle, new ArrayBuffer(4096)])).toThrow(TypeError);
    addon.releaseTable(memory.handle, memory.buffer);
    addon.releaseTable(memory.handle, memory.buffer);
    expect(() => call('giveTable', [memory.handle, memory.buffer])).toThrow(TypeError);
    for (const handle of ODD) expect(() => call('giveTable', [handle, new ArrayBuffer(8)])).toThrow(TypeError);
    for (const number of [...ODD, 0, -1, Number.NaN]) expect(() => call('takeTable', [number])).toThrow(TypeError);
  });
});
