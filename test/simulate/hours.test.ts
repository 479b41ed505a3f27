/**
 * Ten simulated hours over every scenario in turn, in a process of their own from the compiled program, as `cairn simulate` runs them. Slots are of 4 s, so
 * that an hour has an eighth of the slots that it has with 500 ms; faults, phases and bounds are stretched alike, and a run of one phase takes so long that ten
 * hours are more than forty seeds. Slots of 500 ms: simulation.test.ts. Longer campaigns: test/long/simulate.long.ts.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { packageRoot } from '../../native/worker-url.ts';

const CLI = join(packageRoot(import.meta.filename), 'dist/src/cli/main.js');
const HOUR_MS = 3_600_000;

interface Summary {
  readonly ok: boolean;
  readonly runs: number;
  readonly simulatedMs: number;
  readonly finalBlocks: number;
  readonly failure: { readonly message: string; readonly command: string } | null;
}

/** What a run of the program says at its end; also when it has found something. */
async function simulated(...options: string[]): Promise<Summary> {
  const child = promisify(execFile)(process.execPath, [CLI, 'simulate', '--json', ...options]);
  const { stdout } = await child.catch((error: { stdout?: string }) => {
    if (error.stdout === undefined || error.stdout === '') throw error;
    return { stdout: error.stdout };
  });
  return JSON.parse(stdout) as Summary;
}

it('holds for ten hours of virtual time over forty seeds', { timeout: 1_800_000 }, async () => {
  const { failure, runs, simulatedMs, finalBlocks } = await simulated(
    // One thread: a second one would take a core from other tests, and compile everything once more.
    ...['--seed', '40000', '--hours', '10', '--slot-ms', '4000', '--threads', '1'],
  );
  expect(failure).toBeNull();
  expect(simulatedMs).toBeGreaterThanOrEqual(10 * HOUR_MS);
  expect(runs).toBeGreaterThanOrEqual(40);
  expect(finalBlocks).toBeGreaterThan(runs * 100);
});
