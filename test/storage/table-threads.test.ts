/** A table rebuilt by other threads is, to the byte, the one that a single thread rebuilds; and a thread that fails costs time only. */
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelsOf } from '../../native/index.ts';
import { diskFiles } from '../../storage/files/disk-files.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { verifyLog } from '../../storage/inspect/verify-log.ts';
import { encodeBatch } from '../../storage/oplog/batch.ts';
import { StateStore, type StateStoreOptions } from '../../storage/state.ts';
import { VARIANTS } from '../native/variants.ts';
import { kernels } from './kernels-fixture.ts';
import { addressOf, randomOps, StateModel } from './state-model.ts';

const shape = {
  chainId: new Uint8Array(32).fill(5),
  segmentSizeBytes: 16_384,
  retainHeights: 3,
  shardCountLog2: 2,
  shardSlotCountLog2: 7,
};
let folder = '';
const model = new StateModel();
const home = (): string => join(folder, 'home');
const options = (directory: string): StateStoreOptions => ({ ...shape, directory, kernels });

const activeCount = (): number => model.accounts.size + model.bonds.size + model.records.size;

/** Every file of a folder, by name. */
const filesOf = (directory: string): Record<string, Buffer> =>
  Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));

/** Accounts that come, change and go, among bonds and records, over many segments and growths of every shard. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-threads-'));
  const random = seededRandom(11);
  const store = await StateStore.open(options(home()));
  for (let height = 0; height < 120; height++) {
    const ops = randomOps(random, 40, 30).filter((op) => !('address' in op) || !op.kind.endsWith('Account'));
    const accounts = new Set(Array.from({ length: 60 }, () => Math.floor(random() * 4000)));
    for (const account of accounts)
      ops.push(
        random() < 0.15 && model.accounts.has(account)
          ? { kind: 'deleteAccount', address: addressOf(account) }
          : { kind: 'putAccount', address: addressOf(account), balance: BigInt(height * 10_000 + account + 1) },
      );
    await store.append(encodeBatch(store.commitment.place, ops));
    model.commit(ops);
  }
  await store.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Rebuilds a copy of the store; its root, and its tables as closed. */
async function rebuilt(
  name: string,
  change: Partial<StateStoreOptions>,
  threads: number = change.rebuildThreads ?? 0,
): Promise<[root: Uint8Array, tables: object]> {
  const directory = join(folder, name);
  await cp(home(), directory, { recursive: true });
  const store = await StateStore.open({ ...options(directory), rebuild: true, ...change });
  expect(store.openReport).toMatchObject({ rebuilt: true, threads: Math.min(threads, 4) });
  expect(model.difference(store)).toBeUndefined();
  const { root } = store.tip.commitment;
  await store.close();
  return [root, { accounts: filesOf(`${directory}/accounts`), bonds: filesOf(`${directory}/bonds`) }];
}

describe('a table rebuilt by threads', () => {
  it.each(VARIANTS.filter(({ name }) => name === 'native' || name === 'portable'))(
    'of the $name twin equals the one of a single thread, byte by byte',
    async ({ name, kernels: twin }) => {
      const alone = await rebuilt(`${name}-0`, { kernels: twin, rebuildThreads: 0 });
      for (const rebuildThreads of [1, 3])
        expect(
          await rebuilt(`${name}-${rebuildThreads}`, { kernels: twin, rebuildThreads }),
          `${rebuildThreads}`,
        ).toEqual(alone);
    },
  );

  it('tells how far it is, as a single thread does', async () => {
    const told = async (rebuildThreads: number): Promise<number[]> => {
      const steps: number[] = [];
      await rebuilt(`progress-${rebuildThreads}`, { rebuildThreads, onProgress: (bytes) => steps.push(bytes) });
      return steps;
    };
    expect(await told(2)).toEqual(await told(0));
  });

  it('is rebuilt once more by this thread when another fails', async () => {
    const alone = await rebuilt('alone', { rebuildThreads: 0 });
    // The threads read their settings anew; this one has its kernels.
    process.env.CAIRN_ED25519 = 'nonsense';
    try {
      expect(() => kernelsOf(kernels.name)).toThrow(/CAIRN_ED25519/);
      expect(await rebuilt('failing', { rebuildThreads: 2 }, 0)).toEqual(alone);
    } finally {
      delete process.env.CAIRN_ED25519;
    }
  });

  it('is what verifying a log works its state out with', async () => {
    const results = [];
    for (const threads of [0, 2])
      results.push(
        await verifyLog({ files: diskFiles(), kernels, directory: `${home()}/log`, withState: true, threads }),
      );
    expect(results[0]).toHaveProperty('state.activeCount', activeCount());
    expect(results[1]).toEqual(results[0]);
  });

  it('ends its threads when the log is damaged, and says where', async () => {
    const directory = join(folder, 'damaged');
    await cp(home(), directory, { recursive: true });
    const names = readdirSync(`${directory}/log`).filter((name) => name.startsWith('segment-'));
    const path = `${directory}/log/${names[Math.floor(names.length / 2)]!}`;
    const bytes = readFileSync(path);
    bytes[9000]! ^= 1;
    await writeFile(path, bytes);
    await expect(StateStore.open({ ...options(directory), rebuild: true, rebuildThreads: 2 })).rejects.toThrow(
      /damaged at offset/,
    );
  });

  it('leaves a torn tail out', async () => {
    const results = [];
    for (const rebuildThreads of [0, 2]) {
      const directory = join(folder, `torn-${rebuildThreads}`);
      await cp(home(), directory, { recursive: true });
      // Left as by a crash in the middle of an append: a later frame, begun.
      const store = await StateStore.open(options(directory));
      await store.append(
        encodeBatch(store.commitment.place, [{ kind: 'putAccount', address: addressOf(1), balance: 3n }]),
      );
      await store.close();
      const last = readdirSync(`${directory}/log`)
        .filter((name) => name.startsWith('segment-'))
        .at(-1)!;
      const path = `${directory}/log/${last}`;
      const size = readFileSync(path).length;
      await truncate(path, size + 100);
      const again = await StateStore.open({ ...options(directory), rebuild: true, rebuildThreads });
      results.push([again.tip.height, again.balance(addressOf(1)), readFileSync(path).length - size]);
      await again.close();
    }
    expect(results[0]).toEqual([120, 3n, 0]);
    expect(results[1]).toEqual(results[0]);
  });
});
