/** Campaigns of hours that are no part of `npm test`; tools/build/test-long.mjs runs them and sets CAIRN_LONG_SEED and CAIRN_LONG_SIZE. */
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/long/**/*.long.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 0,
    hookTimeout: 0,
    reporters: ['default', './tools/build/closing-line.ts'],
  },
});

export default config;
