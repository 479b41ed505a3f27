/** The account table's kernels against a Map, on every variant; and the variants against each other. */
import { describe, expect, it } from 'vitest';
import { hex, seededBytes, VARIANTS } from './variants.ts';

const LOG2 = 9;
const SLOTS = 2 ** LOG2;

/** Entries whose addresses come from a small pool, so that overwrites and misses are common. */
function batch(count: number, pool: number, seed: number): Uint8Array {
  const bytes = seededBytes(seed);
  const entries = bytes(32 * count);
  for (let i = 0; i < count; i++) {
    entries.set(seededBytes(1000 + (entries[32 * i]! % pool))(20), 32 * i);
    entries[32 * i + 28]! |= 1;
  }
  return entries;
}

const addressesOf = (entries: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: (entries.length / 32) * 20 }, (_, i) => entries[32 * Math.floor(i / 20) + (i % 20)]!);

describe.each(VARIANTS)('table of $name', ({ kernels }) => {
  const secret = seededBytes(99)(16);

  it('behaves as a Map under batches of puts and finds', () => {
    const table = new Uint8Array(32 * SLOTS);
    const model = new Map<string, string>();
    for (let round = 0; round < 30; round++) {
      const entries = batch(round * 3, 200, round + 1);
      const before = model.size;
      for (let i = 0; i < entries.length; i += 32)
        model.set(hex(entries.subarray(i, i + 20)), hex(entries.subarray(i, i + 32)));
      expect(kernels.tablePut(table, LOG2, secret, before, entries)).toBe(model.size - before);
      const asked = addressesOf(batch(50, 256, round + 500));
      const slots = new Int32Array(50);
      kernels.tableFind(table, LOG2, secret, asked, slots);
      for (let i = 0; i < 50; i++) {
        const expected = model.get(hex(asked.subarray(20 * i, 20 * i + 20)));
        const slot = slots[i]!;
        const found = slot >= 0 ? hex(table.subarray(32 * slot, 32 * slot + 32)) : undefined;
        expect(found).toBe(expected);
        // A miss names the empty slot where the address would go.
        if (slot < 0) expect(hex(table.subarray(32 * (-1 - slot) + 28, 32 * (-1 - slot) + 32))).toBe('00000000');
      }
    }
    expect(model.size).toBeGreaterThan(150);
  });

  it('lets a later entry of one batch win', () => {
    const table = new Uint8Array(32 * SLOTS);
    const entries = new Uint8Array(96);
    for (let i = 0; i < 3; i++) {
      entries[32 * i + 20] = i + 1;
      entries[32 * i + 28] = 1;
    }
    expect(kernels.tablePut(table, LOG2, secret, 0, entries)).toBe(1);
    const slots = new Int32Array(1);
    kernels.tableFind(table, LOG2, secret, new Uint8Array(20), slots);
    expect(table[32 * slots[0]! + 20]).toBe(3);
  });

  it('stops before it passes half full, keeps what it wrote, and still overwrites', () => {
    const table = new Uint8Array(32 * 16);
    const entries = new Uint8Array(32 * 12);
    for (let i = 0; i < 12; i++) {
      entries[32 * i] = i;
      entries[32 * i + 28] = 1;
    }
    expect(() => kernels.tablePut(table, 4, secret, 0, entries)).toThrow(RangeError);
    const slots = new Int32Array(12);
    kernels.tableFind(table, 4, secret, addressesOf(entries), slots);
    expect([...slots].filter((slot) => slot >= 0)).toHaveLength(8);
    expect([...slots.subarray(0, 8)].every((slot) => slot >= 0)).toBe(true);
    expect(kernels.tablePut(table, 4, secret, 8, entries.subarray(0, 32 * 8))).toBe(0);
    expect(() => kernels.tablePut(table, 4, secret, 8, entries.subarray(32 * 8))).toThrow(/half/);
  });

  it('refuses an entry without a log position, before writing anything', () => {
    const table = new Uint8Array(32 * 16);
    const entries = new Uint8Array(64);
    entries[28] = 1;
    expect(() => kernels.tablePut(table, 4, secret, 0, entries)).toThrow(TypeError);
    expect(table.every((byte) => byte === 0)).toBe(true);
  });

  it('ends on a damaged table that has no empty slot', () => {
    const table = new Uint8Array(32 * 16).fill(0xee);
    expect(() => kernels.tableFind(table, 4, secret, new Uint8Array(20), new Int32Array(1))).toThrow(/rebuild/);
    const entry = new Uint8Array(32).fill(1);
    expect(() => kernels.tablePut(table, 4, secret, 0, entry)).toThrow(/rebuild/);
  });

  it('wraps around the end of the shard', () => {
    // Two slots: half full is one entry, and a second address must still be answered.
    const table = new Uint8Array(64);
    const entry = new Uint8Array(32);
    entry[28] = 1;
    kernels.tablePut(table, 1, secret, 0, entry);
    for (let i = 1; i < 20; i++) {
      const slots = new Int32Array(1);
      kernels.tableFind(table, 1, secret, new Uint8Array(20).fill(i), slots);
      expect(slots[0]).toBeLessThan(0);
      expect(table[32 * (-1 - slots[0]!) + 28]).toBe(0);
    }
  });
});

/** `count` entries of different addresses. */
function distinct(count: number, seed: number): Uint8Array {
  const entries = seededBytes(seed)(32 * count);
  for (let i = 0; i < count; i++) {
    new DataView(entries.buffer).setUint32(32 * i, i, true);
    entries[32 * i + 28]! |= 1;
  }
  return entries;
}

describe('table variants', () => {
  it('agree on batches of thousands in a table half full, where many probes pass several lines', () => {
    const [log2, secret] = [12, seededBytes(77)(16)];
    const entries = distinct(2048, 5);
    const again = entries.map((byte, i) => (i % 32 >= 20 && i % 32 < 28 ? byte ^ 0x55 : byte));
    const missing = distinct(2000, 6).map((byte, i) => (i % 32 === 5 ? byte ^ 0xff : byte));
    const asked = addressesOf(Uint8Array.from([...entries, ...missing]));
    const results = VARIANTS.map(({ kernels }) => {
      const table = new Uint8Array(32 << log2);
      expect(kernels.tablePut(table, log2, secret, 0, entries)).toBe(2048);
      expect(kernels.tablePut(table, log2, secret, 2048, again)).toBe(0);
      const slots = new Int32Array(asked.length / 20);
      kernels.tableFind(table, log2, secret, asked, slots);
      expect(slots.subarray(0, 2048).every((slot, i) => table[32 * slot] === entries[32 * i])).toBe(true);
      return hex(table) + hex(new Uint8Array(slots.buffer));
    });
    for (const result of results) expect(result === results[0]).toBe(true);
  });

  it('refuse long batches on a table without an empty slot', () => {
    const [log2, secret] = [8, seededBytes(78)(16)];
    for (const { kernels } of VARIANTS) {
      const table = new Uint8Array(32 << log2).fill(0xee);
      const asked = addressesOf(distinct(500, 9));
      expect(() => kernels.tableFind(table, log2, secret, asked, new Int32Array(500))).toThrow(/rebuild/);
      expect(() => kernels.tablePut(table, log2, secret, 0, distinct(500, 9))).toThrow(/rebuild/);
    }
  });

  it('answer alike in a table of one slot', () => {
    for (const { kernels } of VARIANTS) {
      const [table, slots] = [new Uint8Array(32), Int32Array.of(7, 7)];
      kernels.tableFind(table, 0, new Uint8Array(16), new Uint8Array(40), slots);
      expect([...slots]).toEqual([-1, -1]);
      expect(() => kernels.tablePut(table, 0, new Uint8Array(16), 0, distinct(1, 1))).toThrow(/half/);
      expect(() =>
        kernels.tableFind(table.fill(1), 0, new Uint8Array(16), new Uint8Array(20), new Int32Array(1)),
      ).toThrow(/rebuild/);
    }
  });

  it('write identical bytes, so one may open what another wrote', () => {
    const secret = seededBytes(31)(16);
    const entries = batch(600, 250, 8);
    const tables = VARIANTS.map(({ kernels }) => {
      const table = new Uint8Array(32 * SLOTS);
      kernels.tablePut(table, LOG2, secret, 0, entries);
      return hex(table);
    });
    for (const table of tables) expect(table).toBe(tables[0]);
  });
});
