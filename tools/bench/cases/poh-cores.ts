/**
 * Verification of PoH on every core, through the node's own pool of threads: batches are split, copied to the threads and joined again. The peer is
 * the same pool with one thread, so `of it` is what the other cores add. It takes the wall's clock: processor time adds the threads up.
 */
import { availableParallelism } from 'node:os';
import type { Kernels } from '../../../native/index.ts';
import { startVerifyPool, type Verifier } from '../../../src/node/threads/index.ts';
import type { PohBatch } from '../../../src/poh/index.ts';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Work } from '../model.ts';
import { joined } from '../sample-data.ts';
import { stretches } from './poh.ts';

const THREADS = Math.min(availableParallelism(), 64);
const STEPS = 1_000;
const STRETCHES = 384;

/** Starts threads that run the given twin: they read the setting when they start. */
function startPool(twin: Kernels['name'], threads: number): Verifier {
  const before = process.env.CAIRN_KERNELS;
  process.env.CAIRN_KERNELS = twin;
  try {
    return startVerifyPool({
      threads,
      onFatal: (error) => {
        throw error;
      },
    });
  } finally {
    if (before === undefined) delete process.env.CAIRN_KERNELS;
    else process.env.CAIRN_KERNELS = before;
  }
}

export const pohVerifyCores: BenchCase = {
  name: 'poh.verify.cores',
  unit: 'hashes',
  limitIs: `the limit of poh.verify, times ${THREADS} cores`,
  waits: true,
  prepare(context) {
    const pools = new Map<string, Verifier>();
    const pool = (twin: Kernels['name'], threads: number): Verifier => {
      const key = `${twin} ${threads}`;
      const started = pools.get(key) ?? startPool(twin, threads);
      pools.set(key, started);
      return started;
    };
    let batch: PohBatch | undefined;
    const work = (verifier: Verifier, kernels: Kernels): Work => {
      batch ??= stretches(kernels, STRETCHES, STEPS);
      const shared = batch;
      // The verifier keeps what it is given.
      const call = async (): Promise<void> => {
        const wrong = await verifier.pohVerify(copyOf(shared));
        if (wrong !== -1) throw new RangeError(`stretch ${wrong} was judged wrong`);
      };
      return { units: STRETCHES * STEPS, call };
    };
    const { native } = context;
    const units = STRETCHES * STEPS;
    const limit = limitWork(context, 'sha256Lanes', units) ?? limitWork(context, 'sha256FourChains', units);
    return {
      ours: (kernels) => work(pool(kernels.name, THREADS), kernels),
      peers: { 'one thread': native === null ? undefined : work(pool('native', 1), native) },
      limit: limit && { units: limit.units * THREADS, call: limit.call },
      result: async (kernels) => {
        const right = stretches(kernels, 64, 500);
        const wrong = copyOf(right);
        wrong.hashes[32 * 40]! ^= 1;
        const verifier = pool(kernels.name, THREADS);
        const found = [await verifier.pohVerify(copyOf(right)), await verifier.pohVerify(wrong)];
        return joined(right.hashes, Int32Array.from(found));
      },
      close: async () => {
        await Promise.all([...pools.values()].map((each) => each.stop()));
      },
    };
  },
};

const copyOf = ({ hashes, steps, hasMixin, mixins }: PohBatch): PohBatch => ({
  hashes: hashes.slice(),
  steps: steps.slice(),
  hasMixin: hasMixin.slice(),
  mixins: mixins.slice(),
});
