/** A real process, killed with SIGKILL in the middle of appends, over and over on one directory. Needs `dist/` (npm test builds it). */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeBatch } from '../../storage/oplog/batch.ts';
import { StateStore, type StateStoreOptions } from '../../storage/state.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { kernels } from '../storage/kernels-fixture.ts';

const KILLS = 4;
const childPath = fileURLToPath(new URL('./append-child.mjs', import.meta.url));
let folder = '';
beforeAll(async () => {
  const built = fileURLToPath(new URL('../../dist/storage/index.js', import.meta.url));
  if (!existsSync(built)) throw new RangeError('dist/ is not built: run `npm run build` first (npm test does)');
  folder = await mkdtemp(join(tmpdir(), 'cairn-kill-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const optionsOf = (directory: string): StateStoreOptions => ({
  directory,
  kernels,
  chainId: new Uint8Array(32).fill(5),
  segmentSizeBytes: 65_536,
});

/** As in append-child.mjs. */
function opsOf(height: number): StateOp[] {
  return Array.from({ length: 40 }, (_, index) => {
    const address = new Uint8Array(20);
    new DataView(address.buffer).setUint32(0, ((height * 31 + index * 7) % 997) * 0x410041);
    return { kind: 'putAccount', address, balance: BigInt(height) };
  });
}

interface Child {
  readonly process: ChildProcess;
  /** Resolves once this many heights were acknowledged. */
  readonly reached: (count: number) => Promise<void>;
  /** Kills it; resolves with the highest acknowledged height, -1 for none. */
  readonly kill: () => Promise<number>;
}

function start(directory: string): Child {
  const child = spawn(process.execPath, [childPath, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let check = (): void => {};
  child.stdout.setEncoding('latin1').on('data', (part: string) => {
    text += part;
    check();
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  // The last line may be cut off: only whole lines are acknowledgements.
  const lines = (): string[] => text.split('\n').slice(0, -1);
  const reached = (count: number): Promise<void> =>
    Promise.race([
      new Promise<void>((resolve) => {
        check = () => {
          if (lines().length > count) resolve();
        };
        check();
      }),
      closed,
    ]);
  const kill = async (): Promise<number> => {
    child.kill('SIGKILL');
    await closed;
    return Math.max(
      -1,
      ...lines()
        .filter((line) => line !== 'open')
        .map(Number),
    );
  };
  return { process: child, reached, kill };
}

it(`loses no acknowledged batch over ${KILLS} SIGKILLs in the middle of appends`, async () => {
  const directory = join(folder, 'killed');
  let floor = -1;
  for (let round = 0; round < KILLS; round++) {
    const child = start(directory);
    await child.reached(20 + round * 37);
    if (round === 0) await expect(StateStore.open(optionsOf(directory))).rejects.toMatchObject({ code: 'locked' });
    const acknowledged = await child.kill();
    expect(acknowledged).toBeGreaterThan(floor);
    floor = acknowledged;
    // Every other time the next process itself meets what the killed one left.
    if (round % 2 === 0) continue;
    const store = await StateStore.open(optionsOf(directory));
    const tip = store.tip.height;
    expect(tip).toBeGreaterThanOrEqual(acknowledged);
    const balances = new Map<string, bigint>();
    let height = 0;
    for await (const batch of store.readBatches(0)) {
      const ops = opsOf(height);
      expect(Buffer.compare(batch, encodeBatch({ height, ops }))).toBe(0);
      for (const op of ops)
        if (op.kind === 'putAccount') balances.set(Buffer.from(op.address).toString('hex'), op.balance);
      height += 1;
    }
    expect(height).toBe(tip + 1);
    expect(store.accountCount).toBe(balances.size);
    for (const [address, balance] of balances)
      expect(store.balance(new Uint8Array(Buffer.from(address, 'hex')))).toBe(balance);
    await store.close();
    floor = tip;
  }
});
