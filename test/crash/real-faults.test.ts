/**
 * Real faults of a real kernel under the real engine: a small tmpfs that fills up, and (through strace) system calls that fail with EIO. Each part is
 * skipped, saying why, where the environment does not allow it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLeft, requireBuild, type StoreProcess, startStore } from './store-process.ts';

const DISK_SIZE_BYTES = 12 * 1024 * 1024;
const BALLAST_SIZE_BYTES = 8 * 1024 * 1024;

/** Why a command that a test needs cannot be run, or null. */
function whyNot(command: string, ...args: string[]): string | null {
  const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) return `${command}: ${error.message}`;
  return status === 0 ? null : `${command}: ${stderr.trim()}`;
}

const folder = mkdtempSync(join(tmpdir(), 'cairn-faults-'));
const disk = join(folder, 'disk');
mkdirSync(disk);
const mounted = whyNot('mount', '-t', 'tmpfs', '-o', `size=${DISK_SIZE_BYTES}`, 'tmpfs', disk);
const traced = whyNot('strace', '-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO:when=99', 'true');
beforeAll(requireBuild);
afterAll(() => {
  if (mounted === null) execFileSync('umount', ['-l', disk]);
  rmSync(folder, { recursive: true, force: true });
});

interface Stop {
  readonly code: string;
  readonly reads: number;
  readonly tip: number;
}

/** How the process said it stopped. Nothing may be acknowledged after that. */
async function stopOf(store: StoreProcess): Promise<Stop> {
  expect(await store.ended).toBe(3);
  const last = store.lines().at(-1)!;
  const [, code, reads, tip] = /^stopped (\S+) reads (\d+) tip (\d+)$/.exec(last) ?? [];
  expect(store.lines().filter((line) => line.startsWith('stopped')).length).toBe(1);
  return { code: code!, reads: Number(reads), tip: Number(tip) };
}

describe.skipIf(mounted !== null)(
  `a full disk${mounted === null ? '' : ` (skipped: no tmpfs here: ${mounted})`}`,
  () => {
    it('stops the store, which still reads all it acknowledged; with room again it goes on', {
      timeout: 120_000,
    }, async () => {
      const directory = join(disk, 'state');
      const ballast = join(disk, 'ballast');
      writeFileSync(ballast, Buffer.alloc(BALLAST_SIZE_BYTES));
      const full = startStore(directory, 0, [], 'grow');
      const stopped = await stopOf(full);
      expect(['disk-full', 'no-space']).toContain(stopped.code);
      expect(stopped.tip).toBe(full.acknowledged());
      expect(stopped.reads).toBe(stopped.tip + 1);
      // Opening needs room as well (a lock, a table): it either works or says that there is none, and hurts nothing.
      const again = startStore(directory, 0, [], 'grow');
      expect([3, 4]).toContain(await again.ended);
      rmSync(ballast);
      const height = await checkLeft(directory, Math.max(stopped.tip, again.acknowledged()));
      const roomy = startStore(directory);
      await roomy.reached(50);
      roomy.process.kill('SIGKILL');
      await roomy.ended;
      expect(roomy.acknowledged()).toBeGreaterThan(height);
      await checkLeft(directory, roomy.acknowledged());
    });
  },
);

/** Call, error, from which call on, and the code the store must give. */
const FAILING: (readonly [call: string, error: string, from: number, code: string])[] = [
  ['fdatasync', 'EIO', 30, 'failed'],
  ['pwrite64', 'EIO', 40, 'failed'],
  ['pwrite64', 'ENOSPC', 45, 'disk-full'],
  ['fsync', 'EIO', 60, 'failed'],
];

describe.skipIf(traced !== null)(`failing system calls${traced === null ? '' : ` (skipped: ${traced})`}`, () => {
  it.each(FAILING)(
    '%s with %s from the %ith on: nothing more is acknowledged, nothing acknowledged is lost',
    { timeout: 60_000 },
    async (call, error, from, code) => {
      const directory = join(folder, `${call}-${error}`);
      const inject = `inject=${call}:error=${error}:when=${from}+`;
      // One thread does the file system's work, so that the count is the process's.
      const strace = ['env', 'UV_THREADPOOL_SIZE=1', 'strace', '-f', '-qq', '-o', '/dev/null'];
      const store = startStore(directory, 0, [...strace, '-e', `trace=${call}`, '-e', inject]);
      const stopped = await stopOf(store);
      expect(stopped.code).toBe(code);
      expect(stopped.tip).toBe(store.acknowledged());
      expect(stopped.tip).toBeGreaterThan(0);
      expect(stopped.reads).toBe(stopped.tip + 1);
      await checkLeft(directory, stopped.tip);
    },
  );
});
