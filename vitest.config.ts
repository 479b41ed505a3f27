import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two forks: the machine we promise to fit has two cores, and most tests start threads of their own.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './tools/build/closing-line.ts'],
    coverage: { provider: 'v8', include: ['native/**', 'storage/**', 'replicator/**', 'src/**'] },
  },
});

export default config;
