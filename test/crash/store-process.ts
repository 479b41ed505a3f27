/** The store process of append-child.mjs seen from the tests: starting and ending it, and checking what it left. Needs `dist/` (npm test builds it). */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { decodeBatch } from '../../storage/oplog/batch.ts';
import { StateStore, type StateStoreOptions } from '../../storage/state.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { kernels } from '../storage/kernels-fixture.ts';

const childPath = fileURLToPath(new URL('./append-child.mjs', import.meta.url));

/** Throws when the child's compiled code is not there. */
export function requireBuild(): void {
  const built = fileURLToPath(new URL('../../dist/storage/index.js', import.meta.url));
  if (!existsSync(built)) throw new RangeError('dist/ is not built: run `npm run build` first (npm test does)');
}

/** The options that the child uses. */
export const optionsOf = (directory: string): StateStoreOptions => ({
  directory,
  kernels,
  chainId: new Uint8Array(32).fill(5),
  segmentSizeBytes: 65_536,
  shardSlotCountLog2: 7,
});

/** As in append-child.mjs. */
export function opsOf(height: number): StateOp[] {
  return Array.from({ length: 1 + ((height * 53) % 120) }, (_, index) => {
    const address = new Uint8Array(20);
    new DataView(address.buffer).setUint32(0, Math.imul((height * 31 + index * 7) % 20_011, 0x9e3779b1) >>> 0);
    return { kind: 'putAccount', address, balance: BigInt(height) };
  });
}

export interface StoreProcess {
  readonly process: ChildProcess;
  /** Whole lines printed so far. */
  readonly lines: () => string[];
  /** Highest acknowledged height so far, -1 for none. */
  readonly acknowledged: () => number;
  /** Resolves once this many lines were printed, or the process ended. */
  readonly reached: (count: number) => Promise<void>;
  /** Resolves with its exit code when it has ended. */
  readonly ended: Promise<number | null>;
}

/**
 * Starts one on a directory. @param prefix a command that runs it, such as strace with its options @param log `grow`: never compacted
 */
export function startStore(
  directory: string,
  reopenEvery = 0,
  prefix: readonly string[] = [],
  log: 'compacted' | 'grow' = 'compacted',
): StoreProcess {
  const [command, ...args] = [...prefix, process.execPath, childPath, directory, String(reopenEvery), log];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let check = (): void => {};
  child.stdout.setEncoding('latin1').on('data', (part: string) => {
    text += part;
    check();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
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
      ended.then(() => {}),
    ]);
  const acknowledged = (): number =>
    lines().reduce((highest, line) => (/^\d+$/.test(line) ? Math.max(highest, Number(line)) : highest), -1);
  return { process: child, lines, acknowledged, reached, ended };
}

/** Opens what a process left and checks every batch and balance of it. @returns the height of its last batch */
export async function checkLeft(directory: string, acknowledged: number): Promise<number> {
  const store = await StateStore.open(optionsOf(directory));
  const tip = store.isInitialized ? store.tip.height : -1;
  expect(tip).toBeGreaterThanOrEqual(acknowledged);
  const balances = new Map<string, bigint>();
  let height = tip < 0 ? 0 : store.heightOf(store.firstOp);
  for await (const batch of store.readBatches(height)) {
    const ops = opsOf(height);
    const found = decodeBatch(batch);
    expect(found.height).toBe(height);
    // Behind them come the moves of compaction, which change no balance.
    expect(found.ops.slice(0, ops.length)).toEqual(ops);
    height += 1;
  }
  expect(height).toBe(tip + 1);
  for (let at = 0; at <= tip; at++)
    for (const op of opsOf(at))
      if (op.kind === 'putAccount') balances.set(Buffer.from(op.address).toString('hex'), op.balance);
  expect(store.accountCount).toBe(balances.size);
  for (const [address, balance] of balances)
    if (store.balance(new Uint8Array(Buffer.from(address, 'hex'))) !== balance)
      expect.unreachable(`account ${address} is not ${balance}`);
  await store.close();
  return tip;
}
