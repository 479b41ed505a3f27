import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import TestOrder from './tools/build/test-order.ts';

/**
 * Files of these folders share processes: starting one and loading the code again for each file was 0.5 s of a core, a third of what they took.
 * So they must leave nothing behind: no mocked module, no changed `process.env`, no running thread. Files that do are in `ALONE`.
 */
const SHARED = 'codec,consensus,devnet,ledger,net,node,poh,replicator,rpc,storage,workload'.split(',');

/** Files of those folders that have a process of their own all the same: they mock modules, change `process.env`, or take long. */
const ALONE = [
  'test/consensus/{planted-bugs,simulation}.test.ts',
  'test/storage/{segment-proofs,table-threads}.test.ts',
  'test/codec/fuzz.test.ts',
];

/** All other folders, also those to come: a process for each file. */
const otherFolders = readdirSync(join(import.meta.dirname, 'test')).filter((folder) => !SHARED.includes(folder));
const filesOf = (folders: readonly string[]): string[] => folders.map((folder) => `test/${folder}/**/*.test.ts`);

const config: ViteUserConfig = defineConfig({
  test: {
    pool: 'forks',
    // The machine we promise to fit has two cores: one for a file that computes, one for a network of processes, which takes about half of it.
    maxWorkers: 2,
    // What starts when, long files first: tools/build/test-order.ts.
    sequence: { sequencer: TestOrder },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './tools/build/closing-line.ts'],
    coverage: { provider: 'v8', include: ['native/**', 'storage/**', 'replicator/**', 'src/**'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: [...filesOf(otherFolders), ...ALONE],
        },
      },
      {
        extends: true,
        test: {
          name: 'shared',
          include: filesOf(SHARED),
          exclude: ALONE,
          isolate: false,
        },
      },
    ],
  },
});

export default config;
