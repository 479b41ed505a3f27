/** `cairn bench`: the kernels beside their portable twin, what a user would pick instead, and a bare loop as the limit. */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { unusable } from '../failure.ts';
import { withProgress } from '../progress.ts';

interface Options {
  readonly json?: string;
  readonly quick?: boolean;
  readonly cpuTime?: boolean;
  readonly directory?: string;
}

const EXAMPLES = `
Examples:
  $ cairn bench                          # everything, about three minutes
  $ cairn bench --quick --json out.json  # under a minute
  $ cairn bench aes table                # only cases with these in their names

Rates are medians of short samples taken in turn. More peers: npm ci --prefix tools/bench-peers`;

export function benchCommand(): Command {
  return new Command('bench')
    .description('measure the kernels beside their portable twin, other libraries and a bare loop')
    .argument('[cases...]', 'only cases whose names contain one of these')
    .option('--json <file>', 'write the results as JSON as well')
    .option('--quick', 'fewer samples: under 60 seconds')
    .option('--cpu-time', "count processor time, not the wall's: for a machine busy with other work")
    .option('--directory <folder>', 'where oplog.append keeps its files (default: the temporary folder)')
    .option('--debug', 'show stacks of errors')
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', EXAMPLES)
    .action(run);
}

async function run(only: readonly string[], options: Options): Promise<void> {
  // Only here: every case and every peer it is compared with would make each other command start slower.
  const { BenchError, runBench } = await import('../../../tools/bench/run-bench.ts');
  const { reportLines, setting } = await import('../../../tools/bench/report.ts');
  const outcome = await withProgress('benchmarks', async (progress) => {
    try {
      return await runBench({
        size: options.quick === true ? 'quick' : 'full',
        only,
        clock: options.cpuTime === true ? 'cpu' : 'wall',
        ...(options.directory === undefined ? {} : { directory: options.directory }),
        onCase: (done, total) => progress.update(done, total),
      });
    } catch (error) {
      if (error instanceof BenchError && error.code === 'unknown-case') throw unusable(error.message);
      throw error;
    }
  });
  const where = setting();
  process.stdout.write(`${reportLines(outcome, where).join('\n')}\n`);
  if (options.json !== undefined)
    await writeFile(
      options.json,
      `${JSON.stringify({ setting: where, clock: options.cpuTime === true ? 'cpu' : 'wall', ...outcome }, null, 2)}\n`,
    );
}
