/**
 * Compaction by itself: blocks of Zipf transfers on the rule and a log model. Hardly any kernel work is in it; the figure is the cost of the rule, in ops written a second
 * (transfers, rent, moves), to set beside that of the log and the table.
 */
import { type CompactionRow, type CompactionRunOptions, compactionCsv, compactionRun } from '../compaction-run.ts';
import type { BenchCase } from '../model.ts';

const BLOCKS = 20;

const optionsOf = (kernels: CompactionRunOptions['kernels'], accounts: number): CompactionRunOptions => ({
  kernels,
  accounts,
  transfersPerBlock: accounts / 20,
  microunitsPerByteBlock: 1000n,
  seed: 1,
});

export const compaction: BenchCase = {
  name: 'compaction',
  unit: 'ops',
  rounds: 9,
  limitIs: 'no bare loop: the rule itself is what is measured',
  prepare({ size }) {
    const accounts = size === 'tiny' ? 200 : 20_000;
    return {
      ours: (kernels) => {
        const blocks = compactionRun(optionsOf(kernels, accounts));
        // Past the first moves; then every block is alike.
        let written = 0;
        for (let warm = 0; warm < 30; warm += 1) blocks.next();
        for (let block = 0; block < BLOCKS; block += 1) written += (blocks.next().value as CompactionRow).ops;
        return {
          units: written,
          call: () => {
            for (let block = 0; block < BLOCKS; block += 1) blocks.next();
          },
        };
      },
      peers: {},
      limit: undefined,
      result: (kernels) => new TextEncoder().encode(compactionCsv(optionsOf(kernels, 200), 60)),
    };
  },
};
