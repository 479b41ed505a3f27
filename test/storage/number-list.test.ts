import { describe, expect, it } from 'vitest';
import { NumberList } from '../../storage/oplog/number-list.ts';

describe('a number list', () => {
  it('takes any number of entries at once, after any others, as one by one', () => {
    for (const before of [0, 1, 63, 64, 100])
      for (const dropped of [0, 40, 100])
        for (const count of [0, 1, 64, 65, 129, 1000]) {
          const [one, all] = [new NumberList(7), new NumberList(7)];
          for (const list of [one, all]) {
            for (let value = 0; value < before; value++) list.push(value);
            list.dropBefore(7 + dropped);
          }
          const values = Float64Array.from({ length: count }, (_, index) => before + 3 * index);
          all.pushAll(values);
          for (const value of values) one.push(value);
          const what = `${before} entries, ${dropped} dropped, ${count} more`;
          expect([all.start, all.end, all.toArray()], what).toEqual([one.start, one.end, one.toArray()]);
          expect(all.lastAtMost(before + 10), what).toBe(one.lastAtMost(before + 10));
        }
  });
});
