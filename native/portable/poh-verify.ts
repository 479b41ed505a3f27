/**
 * Checking many stretches of PoH with four chains side by side.
 *
 * Each lane holds one stretch; all lanes step together as far as the shortest allows, then finished lanes are judged and refilled.
 * Invariant: the answer is the lowest wrong index, whatever order the lanes finish in.
 */
import type { Sha256Engine } from './sha256-engine.ts';

const LANES = 4;

/** The kernel `pohVerify` over an engine. Arguments as in `Kernels`. */
export function pohVerify(
  engine: Sha256Engine,
  hashes: Uint8Array,
  steps: Uint32Array,
  hasMixin: Uint8Array,
  mixins: Uint8Array,
): number {
  const states = new Uint8Array(32 * LANES);
  /** Stretch in each lane (-1: none) and its plain steps still to go. */
  const stretch = new Array<number>(LANES).fill(-1);
  const left = new Array<number>(LANES).fill(0);
  const state = (lane: number): Uint8Array => states.subarray(32 * lane, 32 * lane + 32);
  let next = 0;
  let firstWrong = -1;

  const refill = (lane: number): void => {
    stretch[lane] = -1;
    if (next >= steps.length || firstWrong >= 0) return;
    states.set(hashes.subarray(32 * next, 32 * next + 32), 32 * lane);
    left[lane] = steps[next]! - hasMixin[next]!;
    stretch[lane] = next++;
  };
  const judge = (lane: number): void => {
    const index = stretch[lane]!;
    const end = endHash(
      engine,
      state(lane),
      hasMixin[index] === 1 ? mixins.subarray(32 * index, 32 * index + 32) : null,
    );
    if (!equals(end, hashes, 32 * (index + 1)) && (firstWrong < 0 || index < firstWrong)) firstWrong = index;
  };

  for (let lane = 0; lane < LANES; lane++) refill(lane);
  for (;;) {
    const busy = [0, 1, 2, 3].filter((lane) => stretch[lane]! >= 0);
    if (busy.length === 0) return firstWrong;
    const count = Math.min(...busy.map((lane) => left[lane]!));
    if (busy.length === 1) engine.chain(state(busy[0]!), count);
    else engine.chain4(states, count);
    for (const lane of busy) {
      left[lane]! -= count;
      if (left[lane] !== 0) continue;
      judge(lane);
      refill(lane);
    }
  }
}

function endHash(engine: Sha256Engine, state: Uint8Array, mixin: Uint8Array | null): Uint8Array {
  if (mixin === null) return state;
  const message = new Uint8Array(64);
  message.set(state);
  message.set(mixin, 32);
  return engine.hash(message);
}

function equals(found: Uint8Array, expected: Uint8Array, at: number): boolean {
  for (let i = 0; i < 32; i++) if (found[i] !== expected[at + i]) return false;
  return true;
}
