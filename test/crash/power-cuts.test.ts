/** Seeded power cuts and I/O errors over the real engine on the simulated disk. CAIRN_CRASH_CUTS and CAIRN_CRASH_SEED set size and start. */
import { expect, it } from 'vitest';
import type { FaultKind } from '../../storage/files/simulated-disk.ts';
import type { StateStore } from '../../storage/state.ts';
import { Trace } from './trace.ts';

const cuts = Number(process.env.CAIRN_CRASH_CUTS ?? 600);
const firstSeed = Number(process.env.CAIRN_CRASH_SEED ?? 1);
const CUTS_A_SEED = 4;

/** Runs one life: open, append, perhaps close, with a fault somewhere. @returns the fault that struck, if one did */
async function live(trace: Trace, kind: FaultKind, reach: number): Promise<boolean> {
  trace.disk.fault = { at: trace.disk.operations + Math.floor(trace.random() * reach), kind };
  let store: StateStore | undefined;
  try {
    store = await trace.open();
    trace.check(store);
    await trace.append(store, 6);
    if (trace.random() < 0.5) await store.close();
    return !trace.disk.powered;
  } catch (error) {
    const struck = trace.disk.fault !== undefined && trace.disk.operations > trace.disk.fault.at;
    if (!struck && trace.disk.powered) throw error;
    if (trace.disk.powered && store !== undefined && store.failure !== undefined) await trace.checkStopped(store);
    return true;
  }
}

it(`survives ${cuts} power cuts, nested in recovery too, without losing an acknowledged batch`, {
  timeout: 600_000,
}, async () => {
  let done = 0;
  let recovered = 0;
  for (let seed = firstSeed; done < cuts; seed++) {
    const trace = new Trace(seed);
    try {
      for (let cut = 0; cut < CUTS_A_SEED; cut++, done++) {
        const draw = trace.random();
        const kind = draw < 0.7 ? 'cut' : draw < 0.85 ? 'io' : 'no-space';
        await live(trace, kind, trace.random() < 0.3 ? 25 : 140);
        // A process that only died finds the page cache as it was, lost pages of failed syncs included.
        if (trace.disk.powered && trace.random() < 0.5) trace.disk.restartProcess();
        else trace.disk.reboot();
        if (trace.random() < 0.2) {
          await trace.recoverTwice();
          trace.disk.reboot();
        }
      }
      const store = await trace.open();
      trace.check(store);
      recovered += trace.acknowledged;
      await store.close();
      await trace.recoverTwice();
    } catch (error) {
      throw new Error(`seed ${seed} (replay: CAIRN_CRASH_SEED=${seed} CAIRN_CRASH_CUTS=1)`, { cause: error });
    }
  }
  expect(recovered).toBeGreaterThan(cuts);
});
