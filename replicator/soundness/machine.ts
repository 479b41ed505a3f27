/** What one core of this machine does, measured in short samples. The clock is the caller's. */
import type { Kernels } from '../../native/index.ts';
import type { MachineRates } from './parameters.ts';

/** Milliseconds, from anywhere, never going back. */
export type Clock = () => number;

const SAMPLE_MS = 120;
const CHAIN_SIZE_BYTES = 64 * 1024;
/** Where this machine's kernel is fastest: docs/performance.md. */
const IDENTITIES = 32;
const SHARE_SIZE_BYTES = 7 * 1024;
const POH_STEPS = 20_000;

/** Units a second: the best of three samples, for the cheat is assumed to have the machine to itself. */
function rateOf(now: Clock, units: number, call: () => void): number {
  call();
  let best = 0;
  for (let round = 0; round < 3; round += 1) {
    const started = now();
    let calls = 0;
    let elapsed = 0;
    do {
      call();
      calls += 1;
      elapsed = now() - started;
    } while (elapsed < SAMPLE_MS);
    best = Math.max(best, (calls * units * 1000) / elapsed);
  }
  return best;
}

/** Measures for about a second. */
export function measureMachine(kernels: Kernels, now: Clock): MachineRates {
  const key = new Uint8Array(32).fill(1);
  const chain = new Uint8Array(16);
  const [input, output] = [new Uint8Array(CHAIN_SIZE_BYTES), new Uint8Array(CHAIN_SIZE_BYTES)];
  const keys = new Uint8Array(32 * IDENTITIES).map((_, index) => index);
  const chains = new Uint8Array(16 * IDENTITIES);
  const share = new Uint8Array(SHARE_SIZE_BYTES);
  const outputs = new Uint8Array(IDENTITIES * SHARE_SIZE_BYTES);
  const state = new Uint8Array(32);
  return {
    oneChain: rateOf(now, CHAIN_SIZE_BYTES, () => kernels.aesCbcEncrypt(key, chain, input, output)),
    manyChains: rateOf(now, outputs.length, () => kernels.aesCbcEncryptMany(keys, chains, share, outputs)),
    poh: rateOf(now, POH_STEPS, () => kernels.sha256Chain(state, POH_STEPS)),
  };
}
