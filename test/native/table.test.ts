/** The table kernels against a Map, on every variant, with deletes and moves in flight; and the variants against each other, byte by byte. */
import { describe, expect, it } from 'vitest';
import type { TableShards } from '../../native/kernels.ts';
import { plainSipHasher, wasmSipHasher } from '../../native/portable/siphash.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import {
  ALL,
  contentOf,
  digestOf,
  emptyTable,
  endMove,
  imageOf,
  key,
  recordsOf,
  SLOTS,
  type Slot,
  secret,
  startMove,
  type TableFunctions,
} from './table-rig.ts';
import { hex, seededBytes } from './variants.ts';

/** A fixed story of puts, deletes and moves; `check` sees the table and the model after each step. */
function story(
  kernels: TableFunctions,
  slotSizeBytes: Slot,
  seed: number,
  check: (table: TableShards, model: Map<number, string>) => void,
): void {
  const random = seededRandom(seed);
  const [shardCount, pool] = [4, 500];
  let log2 = 7;
  let table = emptyTable(slotSizeBytes, shardCount, log2);
  const model = new Map<number, string>();
  let position = 2 ** 32 - 300;
  for (let round = 0; round < 40; round++) {
    const stride = slotSizeBytes + 4 * Math.floor(random() * 3);
    const numbers = Array.from({ length: 1 + Math.floor(random() * 12) }, () => Math.floor(random() * pool));
    const records = recordsOf(slotSizeBytes, numbers, seed + round, stride);
    kernels.tablePut(table, records, stride, numbers.length, position);
    for (const [i, n] of numbers.entries()) {
      const stored = new Uint8Array(slotSizeBytes - 20);
      stored.set(records.subarray(i * stride + 20, i * stride + slotSizeBytes - 4));
      new DataView(stored.buffer).setUint32(stored.length - 4, ((position - 1 + i) % (2 ** 32 - 2)) + 1, true);
      model.set(n, hex(stored));
    }
    position = ((position - 1 + numbers.length) % (2 ** 32 - 2)) + 1;
    const gone = Array.from({ length: Math.floor(random() * 6) }, () => Math.floor(random() * pool));
    kernels.tableDelete(table, recordsOf(slotSizeBytes, [...gone, 0], 1, 24), 24, gone.length);
    for (const n of gone) model.delete(n);
    if (round % 10 === 4) {
      log2 += 1;
      for (let shard = 0; shard < shardCount; shard++) table = startMove(table, shard, log2);
    }
    // Four rounds with moves in flight, each shard a little further; then they end.
    for (let shard = 0; shard < shardCount; shard++)
      if (table.olds[shard]!.length > 0 && kernels.tableMove(table, shard, round % 10 === 8 ? 2 ** 20 : 5 + shard))
        table = endMove(table, shard);
    check(table, model);
  }
}

describe.each(ALL)('table of $name', ({ kernels }) => {
  it.each(SLOTS)('of %i-byte slots behaves as a Map under puts, deletes and moves', (slotSizeBytes) => {
    for (let seed = 1; seed <= 6; seed++) {
      const absent = '00'.repeat(slotSizeBytes - 20);
      story(kernels, slotSizeBytes, seed, (table, model) => {
        const wanted = Array.from({ length: 520 }, (_, n) => model.get(n) ?? absent).join('');
        expect(contentOf(kernels, table, 520)).toBe(wanted);
        const live = [0, 1, 2, 3].reduce((sum, shard) => sum + table.state[4 * shard]!, 0);
        expect(live).toBe(model.size);
      });
    }
  });

  it('lets a later record of one batch win, and reads any field', () => {
    const table = emptyTable(32, 1, 4);
    const records = recordsOf(32, [7, 7, 8], 3, 32);
    kernels.tablePut(table, records, 32, 3, 10);
    const out = new Uint8Array(16);
    kernels.tableRead(table, records, 32, 28, 4, out.subarray(0, 12));
    expect([...new Uint32Array(out.buffer, 0, 3)]).toEqual([11, 11, 12]);
    for (const [at, size] of [
      [0, 4],
      [4, 12],
      [20, 8],
      [16, 16],
    ] as const) {
      kernels.tableRead(table, key(8), 20, at, size, out.subarray(0, size));
      const slot = new Uint8Array(32);
      slot.set(records.subarray(64, 92));
      slot[28] = 12;
      expect(hex(out.subarray(0, size))).toBe(hex(slot.subarray(at, at + size)));
    }
  });

  it('counts the keys that have no entry, deleted ones among them', () => {
    const table = emptyTable(32, 2, 5);
    kernels.tablePut(table, recordsOf(32, [1, 2, 3], 3, 32), 32, 3, 1);
    kernels.tableDelete(table, key(2), 20, 1);
    const missing = Uint32Array.of(100, 100);
    kernels.tableMissing(table, recordsOf(32, [1, 2, 3, 4, 5, 5], 3, 32), 32, 6, missing);
    expect(missing[0]! + missing[1]!).toBe(204);
    expect([table.state[0]! + table.state[4]!, table.state[1]! + table.state[5]!]).toEqual([2, 1]);
    kernels.tablePut(table, recordsOf(32, [2], 3, 32), 32, 1, 1);
    expect([table.state[0]! + table.state[4]!, table.state[1]! + table.state[5]!]).toEqual([3, 0]);
  });

  it('refuses to pass half full, of the old table while it moves, and still overwrites', () => {
    const numbers = Array.from({ length: 8 }, (_, n) => n);
    let table = emptyTable(32, 1, 4);
    kernels.tablePut(table, recordsOf(32, numbers, 1, 32), 32, 8, 1);
    const more = recordsOf(32, [9], 2, 32);
    expect(() => kernels.tablePut(table, more, 32, 1, 1)).toThrow(/half/);
    kernels.tablePut(table, recordsOf(32, numbers, 5, 32), 32, 8, 100);
    table = startMove(table, 0, 6);
    expect(() => kernels.tablePut(table, more, 32, 1, 1)).toThrow(/half/);
    expect(kernels.tableMove(table, 0, 100)).toBe(true);
    table = endMove(table, 0);
    kernels.tablePut(table, more, 32, 1, 1);
    expect(table.state[0]).toBe(9);
  });

  it('keeps a key of zeros apart from an empty slot', () => {
    const table = emptyTable(32, 1, 4);
    const out = new Uint8Array(8).fill(9);
    kernels.tableRead(table, new Uint8Array(20), 20, 20, 8, out);
    expect(hex(out)).toBe('0000000000000000');
    kernels.tablePut(table, new Uint8Array(28).fill(7, 20), 28, 1, 5);
    kernels.tableRead(table, new Uint8Array(20), 20, 20, 8, out);
    expect(hex(out)).toBe('0707070707070707');
    expect(table.state[0]).toBe(1);
  });

  it('ends on damaged tables that have no empty slot', () => {
    for (const slotSizeBytes of SLOTS) {
      const table = emptyTable(slotSizeBytes, 1, 8);
      table.tables[0]!.fill(0xee);
      const moving = { ...emptyTable(slotSizeBytes, 1, 8), olds: [table.tables[0]!] };
      const records = recordsOf(
        slotSizeBytes,
        Array.from({ length: 500 }, (_, n) => n),
        1,
        64,
      );
      const out = new Uint8Array(8 * 500);
      expect(() => kernels.tableRead(table, records, 64, 20, 8, out)).toThrow(/rebuild/);
      expect(() => kernels.tableRead(table, records, 64, 20, 8, out.subarray(0, 8))).toThrow(/rebuild/);
      expect(() => kernels.tablePut(table, records, 64, 500, 1)).toThrow(/rebuild/);
      expect(() => kernels.tableDelete(table, records, 64, 500)).toThrow(/rebuild/);
      expect(() => kernels.tableMissing(table, records, 64, 500, new Uint32Array(1))).toThrow(/rebuild/);
      // All its slots are of one key.
      expect(kernels.tableMove(moving, 0, 1)).toBe(true);
    }
  });
});

describe('table variants', () => {
  it.each(SLOTS)('of %i-byte slots leave the same bytes at every step of one story', (slotSizeBytes) => {
    const images = ALL.map(({ kernels }) => {
      const seen: string[] = [];
      story(kernels, slotSizeBytes, 77, (table) => seen.push(imageOf(table)));
      return seen;
    });
    for (const image of images) expect(image).toEqual(images[0]);
  });

  it('agree on batches of thousands in tables half full, before, while and after moving', () => {
    const results = ALL.map(({ kernels }) => {
      const seen: string[] = [];
      for (const slotSizeBytes of SLOTS) {
        let table = emptyTable(slotSizeBytes, 1, 12);
        const numbers = Array.from({ length: 2048 }, (_, n) => n);
        kernels.tablePut(table, recordsOf(slotSizeBytes, numbers, 5, 64), 64, 2048, 2 ** 32 - 1000);
        seen.push(digestOf(contentOf(kernels, table, 4096)), imageOf(table));
        table = startMove(table, 0, 13);
        for (let done = false; !done; ) {
          done = kernels.tableMove(table, 0, slotSizeBytes * 20);
          kernels.tablePut(done ? endMove(table, 0) : table, recordsOf(slotSizeBytes, numbers, 6, 64), 64, 2048, 7);
          seen.push(digestOf(contentOf(kernels, done ? endMove(table, 0) : table, 4096)), imageOf(table));
        }
        expect(table.olds[0]!.every((byte) => byte === 0)).toBe(true);
      }
      return seen;
    });
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('take keys along that had gone past the end of the round', () => {
    // A crowded small table: moves start in the middle, and clusters wrap around their start.
    for (let seed = 0; seed < 200; seed++) {
      const numbers = Array.from({ length: 8 }, (_, n) => seed * 16 + n);
      const images = ALL.map(({ kernels }) => {
        let table = emptyTable(32, 1, 4);
        kernels.tablePut(table, recordsOf(32, numbers.slice(0, 4), 5, 32), 32, 4, 1);
        table = startMove(table, 0, 5);
        kernels.tableMove(table, 0, 1);
        kernels.tablePut(table, recordsOf(32, numbers.slice(4), 5, 32), 32, 4, 5);
        const before = contentOfNumbers(kernels, table, numbers);
        expect(kernels.tableMove(table, 0, 8)).toBe(true);
        expect(table.olds[0]!.every((byte) => byte === 0)).toBe(true);
        expect(contentOfNumbers(kernels, endMove(table, 0), numbers)).toBe(before);
        expect(before).not.toMatch(/(^|,)0{24}/);
        return imageOf(table);
      });
      for (const image of images) expect(image).toBe(images[0]);
    }
  });

  it('hash alike', () => {
    const [wasm, plain] = [wasmSipHasher(), plainSipHasher()];
    for (const stride of [20, 24, 64, 1024]) {
      const keys = seededBytes(stride)(stride * 60);
      wasm.hash(secret, keys, stride, 3, 50);
      plain.hash(secret, keys, stride, 3, 50);
      expect([...wasm.hashes.subarray(0, 100)]).toEqual([...plain.hashes.subarray(0, 100)]);
    }
  });
});

function contentOfNumbers(kernels: TableFunctions, table: TableShards, numbers: readonly number[]): string {
  return numbers
    .map((n) => {
      const out = new Uint8Array(12);
      kernels.tableRead(table, key(n), 20, 20, 12, out);
      return hex(out);
    })
    .join(',');
}
