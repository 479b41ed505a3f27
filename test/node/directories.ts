/** Fresh temporary directories, removed after each test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';

const made: string[] = [];

afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

export async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-node-'));
  made.push(directory);
  return directory;
}

const kept: string[] = [];

/** A directory for a whole file's tests; remove with `removeKept` in `afterAll`. */
export async function keptDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-node-'));
  kept.push(directory);
  return directory;
}

export async function removeKept(): Promise<void> {
  for (const directory of kept.splice(0)) await rm(directory, { recursive: true, force: true });
}
