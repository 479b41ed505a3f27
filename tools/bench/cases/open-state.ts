/**
 * Opening a state store over a log of account ops: with a clean table, with the table rebuilt, and verifying the log alone. The cases of several cores
 * have a longer log in more segments, and one thread as their peer: they take the wall's clock and want an idle machine.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernels } from '../../../native/index.ts';
import { diskFiles, encodeBatch, StateStore, verifyLog } from '../../../storage/index.ts';
import type { BenchCase, Context, Prepared, Size, Work } from '../model.ts';
import { sampleBytes } from '../sample-data.ts';

interface Sample {
  readonly batches: Readonly<Record<Size, number>>;
  readonly segmentSizeBytes?: number;
}

/** 122 MiB in the full run, in two segments; 18 MiB in the quick one, where opening the store counts. */
const USUAL: Sample = { batches: { tiny: 3, quick: 60, full: 400 } };
/** 244 MiB in the full run, in 31 segments. */
const LONG: Sample = { batches: { tiny: 3, quick: 200, full: 800 }, segmentSizeBytes: 8 * 1024 * 1024 };
const OPS: Readonly<Record<Size, number>> = { tiny: 50, quick: 10_000, full: 10_000 };
const ACCOUNTS = 1_000_000;
const chainId = new Uint8Array(32);

/** A log of random updates of a million accounts, closed cleanly. */
async function makeStore(kernels: Kernels, directory: string, size: Size, sample: Sample): Promise<void> {
  const { batches, ...shape } = sample;
  const store = await StateStore.open({ directory, kernels, chainId, ...shape });
  for (let height = 0; height < batches[size]; height += 1) {
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

/** @param threads other threads; as many as the code itself takes unless given */
type Act = (kernels: Kernels, directory: string, threads?: number) => Promise<Uint8Array>;

const openWith =
  ({ segmentSizeBytes }: Sample, rebuild: boolean): Act =>
  async (kernels, directory, threads) => {
    const shape = segmentSizeBytes === undefined ? {} : { segmentSizeBytes };
    const fixed = threads === undefined ? {} : { rebuildThreads: threads };
    const store = await StateStore.open({ directory, kernels, chainId, rebuild, ...shape, ...fixed });
    const { root } = store.tip.commitment;
    await store.close();
    return root;
  };

async function verify(kernels: Kernels, directory: string, threads?: number): Promise<Uint8Array> {
  const fixed = threads === undefined ? {} : { threads };
  const found = await verifyLog({ files: diskFiles(), kernels, directory: `${directory}/log`, ...fixed });
  if ('fault' in found) throw new RangeError(`a log just written is damaged at ${found.fault.offset}`);
  return found.opsRoot;
}

/** The same bytes read whole and not looked at. */
function bareRead(directory: string, units: number): Work {
  const files = readdirSync(`${directory}/log`).filter((name) => name.startsWith('segment-'));
  return { units, call: () => files.forEach((name) => void readFileSync(`${directory}/log/${name}`)) };
}

interface Task {
  readonly act: Act;
  readonly unit: 'ops' | 'bytes';
  readonly sample: Sample;
  /** With one thread as the peer. */
  readonly isSpread?: boolean;
}

async function prepare(context: Context, { act, unit, sample, isSpread }: Task): Promise<Prepared> {
  const directory = mkdtempSync(join(context.directory, 'cairn-open-'));
  const ops = sample.batches[context.size] * OPS[context.size];
  const made = new Map<string, string>();
  const storeFor = async (kernels: Kernels, size: Size): Promise<string> => {
    const name = `${kernels.name}-${size}`;
    if (!made.has(name)) await makeStore(kernels, join(directory, name), size, sample);
    made.set(name, join(directory, name));
    return join(directory, name);
  };
  const units = unit === 'ops' ? ops : ops * OP_BYTES;
  let limit: Work | undefined;
  // Both twins write the same bytes, and one of them writes them sooner.
  const sharedStore = (kernels: Kernels): Promise<string> => storeFor(context.native ?? kernels, context.size);
  const alone = async (kernels: Kernels): Promise<Work> => {
    const own = await sharedStore(kernels);
    return { units, call: async () => void (await act(kernels, own, 0)) };
  };
  const { native } = context;
  return {
    ours: async (kernels) => {
      const own = await sharedStore(kernels);
      limit ??= bareRead(own, units);
      return {
        units,
        call: async () => {
          await act(kernels, own);
        },
      };
    },
    peers: isSpread && native !== null ? { 'one thread': await alone(native) } : {},
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
  prepare: (context) => prepare(context, { act: openWith(USUAL, false), unit: 'ops', sample: USUAL }),
};
export const stateRebuild: BenchCase = {
  ...common,
  name: 'state.rebuild',
  unit: 'ops',
  prepare: (context) => prepare(context, { act: openWith(USUAL, true), unit: 'ops', sample: USUAL }),
};
export const stateRebuildCores: BenchCase = {
  ...common,
  name: 'state.rebuild.cores',
  unit: 'ops',
  waits: true,
  rounds: 3,
  onRequest: true,
  prepare: (context) => prepare(context, { act: openWith(LONG, true), unit: 'ops', sample: LONG, isSpread: true }),
};
export const logVerify: BenchCase = {
  ...common,
  name: 'log.verify',
  unit: 'bytes',
  prepare: (context) => prepare(context, { act: verify, unit: 'bytes', sample: USUAL }),
};
export const logVerifyCores: BenchCase = {
  ...common,
  name: 'log.verify.cores',
  unit: 'bytes',
  waits: true,
  rounds: 3,
  onRequest: true,
  prepare: (context) => prepare(context, { act: verify, unit: 'bytes', sample: LONG, isSpread: true }),
};
