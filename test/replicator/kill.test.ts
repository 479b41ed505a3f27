import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ReplicaStore } from '../../replicator/store.ts';
import { createVrfKey } from '../../replicator/vrf.ts';
import { diskFiles } from '../../storage/files/disk-files.ts';
import { kernels, seededRandom } from './fixtures.ts';

const KILLS = 6;
const SEGMENT_SIZE_BYTES = 4 * 1024 * 1024;
const child = fileURLToPath(new URL('./kill-child.mjs', import.meta.url));
const build = new URL('../../dist', import.meta.url);
const built = existsSync(new URL('../../dist/replicator/index.js', import.meta.url));
const directory = await mkdtemp(join(tmpdir(), 'cairn-kill-'));
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs the child and kills it some milliseconds after it started to encode. */
async function runAndKill(delayMs: number): Promise<void> {
  const run = spawn(process.execPath, [child, build.href, directory, String(SEGMENT_SIZE_BYTES)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await Promise.race([
    once(run.stdout, 'data'),
    once(run, 'exit').then(() => expect.fail('the child ended by itself')),
  ]);
  await delay(delayMs);
  run.kill('SIGKILL');
  await once(run, 'exit');
}

describe.skipIf(!built)('a replicator killed with SIGKILL (needs the build in dist/)', () => {
  it('leaves whole replicas only, whatever it was writing, and its lock is taken over', async () => {
    const random = seededRandom(11);
    const identity = createVrfKey(new Uint8Array(32).fill(1)).publicKey;
    const geometry = { segmentSizeBytes: SEGMENT_SIZE_BYTES, leafSizeBytes: 1024 };
    let interrupted = 0;
    // Where a kill lands is up to the machine: go on until one fell into an encoding.
    for (let kill = 0; kill < KILLS || (interrupted === 0 && kill < 10 * KILLS); kill += 1) {
      await runAndKill(Math.floor(random() * 120));
      if ((await readdir(directory)).some((name) => name.endsWith('.partial'))) interrupted += 1;
      const store = await ReplicaStore.open({ kernels, files: diskFiles(), directory, identity, geometry });
      const { replicas, damaged } = await store.list();
      expect(damaged).toEqual([]);
      for (const header of replicas) {
        const replica = await store.get(header);
        await replica.verify();
        await replica.close();
      }
      await store.close();
      expect((await readdir(directory)).filter((name) => name.endsWith('.partial'))).toEqual([]);
    }
    expect(interrupted).toBeGreaterThan(0);
  }, 30_000);
});
