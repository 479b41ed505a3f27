/** `npm run test:long`: campaigns of hours. Each prints its seed and size, and takes them from CAIRN_LONG_SEED and CAIRN_LONG_SIZE. */
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
