/** Proof of History: the generator as a validator drives it, with mixins and ticks; and verification of what it made. */
import { createHash } from 'node:crypto';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { hash, type Kernels, pohCount } from '../../../native/index.ts';
import { type PohBatch, PohGenerator } from '../../../src/poh/index.ts';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Work } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

const HASHES_PER_TICK = 50_000;
const MIXINS_PER_TICK = 4;
const PARAMETERS = { hashesPerTick: HASHES_PER_TICK, ticksPerSlot: 10 };

/** One tick: slices with a mixin between them, and the tick's own step. */
function driveTick(generator: PohGenerator, mixins: Uint8Array): void {
  for (let i = 0; i < MIXINS_PER_TICK; i += 1) {
    generator.advance(HASHES_PER_TICK / MIXINS_PER_TICK - 2);
    generator.mixin(mixins.subarray(32 * i, 32 * i + 32));
  }
  while (generator.advance(HASHES_PER_TICK) === undefined);
}

const generatorOf = (kernels: Kernels): PohGenerator =>
  new PohGenerator(kernels, PARAMETERS, { count: pohCount(0), hash: hash(new Uint8Array(32)) });

/** A chain of `step`s, 32 bytes each. */
function chainOf(units: number, step: (state: Uint8Array) => Uint8Array): Work {
  let state: Uint8Array = new Uint8Array(32);
  const call = (): void => {
    for (let i = 0; i < units; i += 1) state = step(state);
  };
  return { units, call };
}

const nodeSha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();

export const pohGenerate: BenchCase = {
  name: 'poh.generate',
  unit: 'hashes',
  limitIs: 'one chain of SHA instructions',
  prepare(context) {
    const mixins = sampleBytes(32 * MIXINS_PER_TICK, 1);
    const wasm = context.peers.wasmSha256;
    return {
      ours: (kernels) => {
        const generator = generatorOf(kernels);
        return { units: HASHES_PER_TICK, call: () => driveTick(generator, mixins) };
      },
      peers: {
        'node:crypto': chainOf(500, nodeSha256),
        noble: chainOf(500, nobleSha256),
        'hash-wasm': wasm && chainOf(500, (state) => wasm.init().update(state).digest('binary')),
      },
      limit: limitWork(context, 'sha256Chain', HASHES_PER_TICK),
      result: (kernels) => {
        const generator = generatorOf(kernels);
        driveTick(generator, mixins);
        return generator.point().hash;
      },
    };
  },
};

/** Stretches of equal length, every second ending in a mixin, right when `spoilt` is undefined. */
export function stretches(kernels: Kernels, count: number, steps: number): PohBatch {
  const hashes = new Uint8Array(32 * (count + 1));
  const mixins = sampleBytes(32 * count, 2);
  const hasMixin = Uint8Array.from({ length: count }, (_, i) => i % 2);
  for (let i = 0; i < count; i += 1) {
    const state = hashes.slice(32 * i, 32 * i + 32);
    kernels.sha256Chain(state, steps - hasMixin[i]!);
    const mixed = joined(state, mixins.subarray(32 * i, 32 * i + 32));
    hashes.set(hasMixin[i] === 1 ? kernels.sha256(mixed) : state, 32 * (i + 1));
  }
  return { hashes, steps: new Uint32Array(count).fill(steps), hasMixin, mixins };
}

export const pohVerify: BenchCase = {
  name: 'poh.verify',
  unit: 'hashes',
  limitIs: '32 lanes of AVX-512, or four chains of SHA instructions',
  prepare(context) {
    const [count, steps] = [context.size === 'tiny' ? 40 : 128, 1_000];
    let packed: ReturnType<typeof stretches> | undefined;
    const verify = (kernels: Kernels): void => {
      const wrong = kernels.pohVerify(packed!.hashes, packed!.steps, packed!.hasMixin, packed!.mixins);
      if (wrong !== -1) throw new RangeError(`stretch ${wrong} was judged wrong`);
    };
    return {
      ours: (kernels) => {
        packed ??= stretches(kernels, count, steps);
        return { units: count * steps, call: () => verify(kernels) };
      },
      peers: { 'node:crypto': chainOf(500, nodeSha256), noble: chainOf(500, nobleSha256) },
      limit: limitWork(context, 'sha256Lanes', count * steps) ?? limitWork(context, 'sha256FourChains', count * steps),
      result: (kernels) => {
        const { hashes, steps: counts, hasMixin, mixins } = stretches(kernels, 9, 50);
        const right = kernels.pohVerify(hashes, counts, hasMixin, mixins);
        hashes[32 * 5]! ^= 1;
        return joined(hashes, Int32Array.of(right, kernels.pohVerify(hashes, counts, hasMixin, mixins)));
      },
    };
  },
};
