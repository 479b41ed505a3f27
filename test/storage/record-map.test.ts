import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordMap } from '../../storage/record-map.ts';

describe('RecordMap', () => {
  it('equals a sorted list under any mix of puts and deletes', () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => bytes.map((byte) => byte % 4));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 60 }), key, (steps, prefix) => {
        const map = new RecordMap();
        const wanted = new Map<string, string>();
        for (const [name, isPut] of steps) {
          const hex = Buffer.from(name).toString('hex');
          if (isPut) map.put(name, name, 7);
          else map.delete(name);
          if (isPut) wanted.set(hex, hex);
          else wanted.delete(hex);
        }
        const found = [...map.withPrefix(prefix)].map(([name]) => Buffer.from(name).toString('hex'));
        const start = Buffer.from(prefix).toString('hex');
        expect(found).toEqual([...wanted.keys()].filter((name) => name.startsWith(start)).sort());
        expect(map.size).toBe(wanted.size);
      }),
      { seed: 40, numRuns: 200 },
    );
  });
});
