/**
 * A real process that appends to a history and prunes it, killed with SIGKILL again and again on one directory. CAIRN_KILLS (default 8) and CAIRN_KILL_SEED
 * (default 1) choose how often and when.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { diskFiles } from '../../storage/files/disk-files.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { HistoryIndex } from '../../storage/history/history-index.ts';
import { HistoryStore } from '../../storage/history/history-store.ts';
import { kernels } from '../storage/kernels-fixture.ts';
import { requireBuild } from './store-process.ts';

const kills = Number(process.env.CAIRN_KILLS ?? 8);
const seed = Number(process.env.CAIRN_KILL_SEED ?? 1);
const SEGMENT_SIZE_BYTES = 8192;
const KEPT_BLOCKS = 50;
const childPath = fileURLToPath(new URL('./prune-child.mjs', import.meta.url));

let folder = '';
beforeAll(async () => {
  requireBuild();
  folder = await mkdtemp(join(tmpdir(), 'cairn-prune-kill-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** As in prune-child.mjs. */
function idsOf(height: number): Uint8Array[] {
  return Array.from({ length: 1 + (height % 40) }, (_, index) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(0, height, true);
    new DataView(bytes.buffer).setUint32(4, index, true);
    return kernels.sha256(bytes);
  });
}
function blockOf(height: number): Uint8Array {
  const ids = idsOf(height);
  const bytes = new Uint8Array(4 + ids.length * 32 + ((height * 53) % 900));
  new DataView(bytes.buffer).setUint32(0, height, true);
  for (const [index, id] of ids.entries()) bytes.set(id, 4 + index * 32);
  return bytes;
}

interface Life {
  /** Highest height acknowledged, and highest start that a prune acknowledged. */
  readonly tip: number;
  readonly start: number;
}

/** Starts the process, and kills it after some blocks or some time, whatever it does then. */
async function liveAndDie(directory: string, random: () => number): Promise<Life> {
  const child = spawn(process.execPath, [childPath, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  const blocks = 50 + Math.floor(random() * 400);
  const ended = new Promise((resolve) => child.once('close', resolve));
  const reached = new Promise<void>((resolve) => {
    child.stdout.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      if (text.split('+').length > blocks) resolve();
    });
  });
  await (random() < 0.7 ? Promise.race([reached, ended]) : delay(100 + random() * 400));
  child.kill('SIGKILL');
  await ended;
  const lines = text.split('\n').slice(0, -1);
  const last = (sign: string): number => Number(lines.findLast((line) => line.startsWith(sign))?.slice(1) ?? 0);
  return { tip: last('+'), start: last('-') };
}

async function checkLeft(directory: string, life: Life): Promise<Life> {
  const store = await HistoryStore.open({
    directory,
    kernels,
    segmentSizeBytes: SEGMENT_SIZE_BYTES,
    leafSizeBytes: 1024,
  });
  const start = store.startHeight;
  const tip = store.tip?.height ?? 0;
  expect(tip).toBeGreaterThanOrEqual(life.tip);
  expect(start).toBeGreaterThanOrEqual(life.start);
  expect(start).toBeLessThanOrEqual(Math.max(1, tip - KEPT_BLOCKS));
  let transactions = 0;
  for (let height = start; height <= tip; height++) {
    expect(Buffer.compare((await store.readBlock(height))!, blockOf(height))).toBe(0);
    const ids = idsOf(height);
    transactions += ids.length;
    expect(store.transaction(ids[0]!)).toEqual({ height, entry: 1, index: 0 });
  }
  if (start > 1) await expect(store.readBlock(start - 1)).rejects.toMatchObject({ code: 'pruned' });
  const [first, last] = [store.startOffset / SEGMENT_SIZE_BYTES, Math.ceil(store.cursor.length / SEGMENT_SIZE_BYTES)];
  await store.close();
  const names = await diskFiles().list(`${directory}/stream`);
  expect(names.map((name) => Number(name.slice(8)))).toEqual(
    Array.from({ length: last - first }, (_, at) => first + at),
  );
  const index = await HistoryIndex.open(`${directory}/index`);
  expect(index.counts).toEqual({ blocks: tip - start + 1, transactions });
  await index.close();
  return { tip, start };
}

it(`keeps every acknowledged block and no half-pruned one over ${kills} SIGKILLs (seed ${seed})`, {
  timeout: 60_000 + kills * 5_000,
}, async () => {
  const random = seededRandom(seed);
  const directory = join(folder, 'killed');
  let left: Life = { tip: 0, start: 0 };
  for (let round = 0; round < kills; round++) {
    const life = await liveAndDie(directory, random);
    const known = { tip: Math.max(life.tip, left.tip), start: Math.max(life.start, left.start) };
    // Every other time the next process itself meets what the killed one left.
    left = round % 2 === 1 || round === kills - 1 ? await checkLeft(directory, known) : known;
  }
  expect(left.start).toBeGreaterThan(100);
  console.log(
    `${kills} kills, seed ${seed}: ${left.tip} blocks, held from ${left.start} on, none lost, none half gone`,
  );
});
