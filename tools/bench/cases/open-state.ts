/** Opening a state store over a log of account ops: with a clean table, with the table rebuilt, and verifying the log alone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernels } from '../../../native/index.ts';
import { diskFiles, encodeBatch, StateStore, verifyLog } from '../../../storage/index.ts';
import type { BenchCase, Context, Prepared, Size, Work } from '../model.ts';
import { sampleBytes } from '../sample-data.ts';

const BATCHES: Readonly<Record<Size, number>> = { tiny: 3, quick: 20, full: 400 };
const OPS: Readonly<Record<Size, number>> = { tiny: 50, quick: 10_000, full: 10_000 };
const ACCOUNTS = 1_000_000;
const chainId = new Uint8Array(32);

/** A log of random updates of a million accounts, closed cleanly. */
async function makeStore(kernels: Kernels, directory: string, size: Size): Promise<void> {
  const store = await StateStore.open({ directory, kernels, chainId });
  for (let height = 0; height < BATCHES[size]; height += 1) {
    const random = new Uint32Array(sampleBytes(4 * OPS[size], 1 + (height % 200)).buffer);
    const numbers = new Set<number>();
    for (const value of random) numbers.add((value + height) % ACCOUNTS);
    const ops = Array.from(numbers, (number) => {
      const address = new Uint8Array(20);
      new DataView(address.buffer).setUint32(0, Math.imul(number + 1, 0x9e3779b1));
      return { kind: 'putAccount' as const, address, balance: BigInt(number + height) };
    });
    await store.append(encodeBatch(store.commitment.place, ops));
  }
  await store.close();
}

type Act = (kernels: Kernels, directory: string) => Promise<Uint8Array>;

async function open(kernels: Kernels, directory: string, rebuild: boolean, threads?: number): Promise<Uint8Array> {
  const fixed = threads === undefined ? {} : { rebuildThreads: threads };
  const store = await StateStore.open({ directory, kernels, chainId, rebuild, ...fixed });
  const { root } = store.tip.commitment;
  await store.close();
  return root;
}

async function verify(kernels: Kernels, directory: string): Promise<Uint8Array> {
  const found = await verifyLog({ files: diskFiles(), kernels, directory: `${directory}/log` });
  if ('fault' in found) throw new RangeError(`a log just written is damaged at ${found.fault.offset}`);
  return found.opsRoot;
}

/** The same bytes read whole and not looked at. */
function bareRead(directory: string, units: number): Work {
  const files = readdirSync(`${directory}/log`).filter((name) => name.startsWith('segment-'));
  return { units, call: () => files.forEach((name) => void readFileSync(`${directory}/log/${name}`)) };
}

async function prepare(context: Context, act: Act, unit: 'ops' | 'bytes'): Promise<Prepared> {
  const directory = mkdtempSync(join(context.directory, 'cairn-open-'));
  const ops = BATCHES[context.size] * OPS[context.size];
  const made = new Map<string, string>();
  const storeFor = async (kernels: Kernels, size: Size): Promise<string> => {
    const name = `${kernels.name}-${size}`;
    if (!made.has(name)) await makeStore(kernels, join(directory, name), size);
    made.set(name, join(directory, name));
    return join(directory, name);
  };
  const units = unit === 'ops' ? ops : ops * OP_BYTES;
  let limit: Work | undefined;
  return {
    ours: async (kernels) => {
      const own = await storeFor(kernels, context.size);
      limit ??= bareRead(own, units);
      return {
        units,
        call: async () => {
          await act(kernels, own);
        },
      };
    },
    peers: {},
    limit: { units, call: () => limit?.call() },
    result: async (kernels) => act(kernels, await storeFor(kernels, 'tiny')),
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

const OP_BYTES = 32;
const LIMIT_IS = 'the same files read whole and not looked at';
const common = { rounds: 5, limitIs: LIMIT_IS } as const;

export const stateOpen: BenchCase = {
  ...common,
  name: 'state.open',
  unit: 'ops',
  prepare: (context) => prepare(context, (kernels, directory) => open(kernels, directory, false), 'ops'),
};
export const stateRebuild: BenchCase = {
  ...common,
  name: 'state.rebuild',
  unit: 'ops',
  prepare: (context) => prepare(context, (kernels, directory) => open(kernels, directory, true), 'ops'),
};
/** The same without other threads, which a log of this size has in the full run. */
export const stateRebuildAlone: BenchCase = {
  ...common,
  name: 'state.rebuild.alone',
  unit: 'ops',
  onRequest: true,
  prepare: (context) => prepare(context, (kernels, directory) => open(kernels, directory, true, 0), 'ops'),
};
export const logVerify: BenchCase = {
  ...common,
  name: 'log.verify',
  unit: 'bytes',
  prepare: (context) => prepare(context, verify, 'bytes'),
};
