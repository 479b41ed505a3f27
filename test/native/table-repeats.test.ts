/** Batches that hold a key many times over: what came last counts, wherever the key lies and whatever moves meanwhile. */
import { describe, expect, it } from 'vitest';
import { plainSipHasher } from '../../native/portable/siphash.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import {
  ALL,
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

/** A key that shares words with others and with empty slots: its first, or all but its first, are zero. */
function likeKey(n: number): Uint8Array {
  const bytes = key(n);
  if (n % 3 === 0) bytes.fill(0, 0, 4);
  if (n % 3 === 1) bytes.fill(0, 4);
  return n === 0 ? bytes.fill(0) : bytes;
}

/**
 * Batches longer than the kernels' chunks, of few keys: new, deleted and put again several times within one, half of the time while shards move.
 * @returns all that is read, and all bytes, after each step
 */
function crowd(kernels: TableFunctions, slotSizeBytes: Slot, seed: number): string[] {
  const random = seededRandom(seed);
  const [shardCount, stride, seen] = [2, slotSizeBytes + 4, [] as string[]];
  let table = emptyTable(slotSizeBytes, shardCount, 8);
  for (let round = 0; round < 12; round++) {
    const pick = (): number => Math.floor(random() * (80 + 20 * round));
    const records = (count: number): Uint8Array => {
      const bytes = seededBytes(seed + round)(count * stride);
      for (let i = 0; i < count; i++) bytes.set(likeKey(pick()), i * stride);
      return bytes;
    };
    kernels.tablePut(table, records(1200), stride, 1200, 2 ** 32 - 1 - 200 * (round + 1));
    kernels.tableDelete(table, records(100), stride, 100);
    const missing = new Uint32Array(shardCount);
    const wanted = records(1200);
    kernels.tableMissing(table, wanted, stride, 1200, missing);
    const out = new Uint8Array(1200 * (slotSizeBytes - 20));
    kernels.tableRead(table, wanted, stride, 20, slotSizeBytes - 20, out);
    seen.push(`${missing}`, digestOf(hex(out)), imageOf(table));
    for (let shard = 0; shard < shardCount; shard++)
      if (round % 4 === 1) table = startMove(table, shard, 9 + (round >> 2));
      else if (table.olds[shard]!.length > 0 && kernels.tableMove(table, shard, round % 4 === 0 ? 2 ** 20 : 9 + shard))
        table = endMove(table, shard);
  }
  return seen;
}

describe('keys many times over', () => {
  it.each(SLOTS)('of %i-byte slots agree on batches with keys many times over, while shards move', (slotSizeBytes) => {
    for (let seed = 1; seed <= 5; seed++) {
      const results = ALL.map(({ kernels }) => crowd(kernels, slotSizeBytes, seed));
      for (const result of results) expect(result).toEqual(results[0]);
    }
  });

  it.each(SLOTS)(
    'of %i-byte slots: the last of many records of a key wins, however far from its home it lies',
    (slotSizeBytes) => {
      const [log2, home, slotsPerLine] = [7, 5, 64 / slotSizeBytes];
      const numbers: number[] = [];
      for (let n = 0; numbers.length < 12; n++)
        if (homeOf(key(n), log2 - Math.log2(slotsPerLine)) === home) numbers.push(n);
      // Of the twelve that want one line these lie 1 to 11 lines behind it.
      for (const far of numbers.slice(3))
        for (const other of numbers.slice(3, 5))
          for (const count of [2, 7, 40, 41, 64, 130]) {
            const batch = Array.from({ length: count }, (_, i) => (i % 3 === 1 ? other : far));
            const records = recordsOf(slotSizeBytes, batch, far + count, slotSizeBytes);
            const last = records.subarray(slotSizeBytes * batch.lastIndexOf(far) + 20);
            for (const { name, kernels } of ALL) {
              const table = emptyTable(slotSizeBytes, 1, log2);
              kernels.tablePut(table, recordsOf(slotSizeBytes, numbers, 5, 64), 64, numbers.length, 1);
              kernels.tablePut(table, records, slotSizeBytes, count, 100);
              const value = new Uint8Array(slotSizeBytes - 24);
              kernels.tableRead(table, key(far), 20, 20, value.length, value);
              expect(hex(value), `${name}, ${count} records`).toBe(hex(last.subarray(0, value.length)));
            }
          }
    },
  );
});

/** The line where a table of 2^log2 lines begins to look for a key. */
function homeOf(address: Uint8Array, log2: number): number {
  const hasher = plainSipHasher();
  hasher.hash(secret, address, 20, 0, 1);
  return hasher.hashes[1]! >>> (32 - log2);
}
