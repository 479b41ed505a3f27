/**
 * A real full disk under a running node: a small tmpfs, filled by the test. The node must stop acknowledging and say why; with space back and a
 * restart it goes on, and nothing it acknowledged is gone.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InitializedNode } from '../../src/node/init.ts';
import { allFinal, Cluster, eventually, finalHeight } from './cluster.ts';
import { Load } from './load.ts';

const DISK_SIZE_BYTES = 96 * 1024 * 1024;

const MOUNT = 'mount';
const UNMOUNT = 'umount';

/** Mounts a tmpfs; the reason when the environment does not allow it. */
function mount(directory: string): string | null {
  try {
    execFileSync(MOUNT, ['-t', 'tmpfs', '-o', `size=${DISK_SIZE_BYTES}`, 'tmpfs', directory], { stdio: 'pipe' });
    return null;
  } catch (error) {
    return String((error as { stderr?: Buffer }).stderr ?? error).trim();
  }
}

let cluster: Cluster;
let load: Load | undefined;
let validator: InitializedNode;
let data: string;
let unmountable: string | null = null;
beforeAll(async () => {
  cluster = await Cluster.prepare({ validators: 1 });
  validator = cluster.folders.validators[0]!;
  data = join(validator.directory, 'data');
  // The vote files that came with the key move onto the small disk: without them the validator would stay silent.
  const voteFiles = readdirSync(data).map((name) => ({ name, bytes: readFileSync(join(data, name)) }));
  unmountable = mount(data);
  if (unmountable === null)
    for (const { name, bytes } of voteFiles) writeFileSync(join(data, name), bytes, { mode: 0o600 });
}, 60_000);
afterAll(async () => {
  await load?.close();
  await cluster?.processes.stopAll();
  if (unmountable === null) execFileSync(UNMOUNT, ['-l', data]);
  await cluster?.close();
}, 30_000);

/** Takes every byte that is left. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (let sizeBytes = 1024 * 1024; sizeBytes >= 512; sizeBytes >>= 1) {
      const bytes = new Uint8Array(sizeBytes);
      while (await fits(file, bytes));
    }
  } finally {
    await file.close();
  }
}

async function fits(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<boolean> {
  try {
    return (await file.write(bytes)).bytesWritten === bytes.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}

describe('a full disk', () => {
  it('stops the node, which says why; with space it goes on, and nothing acknowledged is lost', async (context) => {
    if (unmountable !== null) context.skip(`needs to mount a tmpfs: ${unmountable}`);
    await cluster.startNode(validator);
    load = new Load(cluster, 50);
    await allFinal(cluster, [validator], 8);
    const ballast = join(data, 'ballast');
    await fill(ballast);

    const exit = await cluster.child(validator).exited;
    expect(exit).toEqual({ code: 1, signal: null });
    const [said] = await eventually('the exit is told', 5_000, () =>
      cluster.unexpectedExits.length > 0 ? cluster.unexpectedExits : null,
    );
    // On a line of its own, somewhere among the log's.
    expect(said).toMatch(
      /^error: the validator gave up: the disk is full: \d+ MiB are left .*; make room, then start the node again/m,
    );
    cluster.unexpectedExits.length = 0;
    const { height, finalCount } = load;
    expect(height).toBeGreaterThanOrEqual(8);

    // Still full: the node says so at once, and harms nothing.
    const full = await cluster.cairn('validator', '--config', validator.configFile);
    expect(full).toMatchObject({ code: 1, signal: null });
    expect(full.errors).toMatch(/^error: the disk is full: /m);

    rmSync(ballast);
    await cluster.startNode(validator);
    await allFinal(cluster, [validator], height + 4);
    expect(await finalHeight(cluster, [validator])).toBeGreaterThan(height);
    await eventually('transfers are final again', 20_000, () => (load!.finalCount > finalCount + 20 ? true : null));
    expect(await load.lost()).toEqual([]);
    expect(await load.settle()).toEqual([]);
  }, 90_000);
});
