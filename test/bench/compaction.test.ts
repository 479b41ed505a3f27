/**
 * The run behind the plots of compaction. `CAIRN_COMPACTION_CSV=FILE npx vitest run test/bench/compaction.test.ts` writes 1,000 blocks over 100,000
 * accounts to FILE.
 */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadKernels } from '../../native/index.ts';
import { type CompactionRunOptions, compactionCsv } from '../../tools/bench/compaction-run.ts';

const options: CompactionRunOptions = {
  kernels: loadKernels(),
  accounts: 1000,
  transfersPerBlock: 50,
  microunitsPerByteBlock: 100_000n,
  seed: 5,
};
const file = process.env.CAIRN_COMPACTION_CSV;

describe('compaction run', () => {
  it('is the same for the same seed, and its log stays under twice what lives', () => {
    const csv = compactionCsv(options, 300);
    expect(compactionCsv(options, 300)).toBe(csv);
    const [head, ...rows] = csv.trim().split('\n');
    expect(head).toBe('height,touched,moves,ops,window,live,rent,evictions,window_per_live');
    expect(rows).toHaveLength(300);
    const cells = rows.map((row) => row.split(',').map(Number));
    for (const [, touched, moves, ops, window, live, , , ratio] of cells as number[][]) {
      expect(moves).toBeLessThanOrEqual(touched! + 3);
      expect(ops).toBeLessThanOrEqual(2 * touched! + 5);
      expect(ratio).toBeCloseTo(window! / live!, 3);
      expect(ratio).toBeLessThan(2);
    }
    expect(cells.reduce((sum, [, , , , , , rent]) => sum + rent!, 0)).toBeGreaterThan(0);
  });

  it.skipIf(file === undefined)(
    'writes a CSV (skipped: CAIRN_COMPACTION_CSV names no file)',
    () => {
      writeFileSync(file!, compactionCsv({ ...options, accounts: 100_000, transfersPerBlock: 2_000 }, 1_000));
    },
    600_000,
  );
});
