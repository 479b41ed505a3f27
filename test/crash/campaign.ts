/**
 * A campaign of seeded power cuts over the real engine on the simulated disk: each seed gives one directory several lives, each with a fault
 * somewhere (also while it recovers from the one before), and everything must hold after each.
 */
import { expect } from 'vitest';
import type { FaultKind } from '../../storage/files/simulated-disk.ts';
import type { StateStore } from '../../storage/state.ts';
import { Trace } from './trace.ts';

/** Lives that one directory gets. */
const LIVES_A_SEED = 4;
/** Within how many operations a fault strikes: those of opening a store, and those of a life. */
const REACHES = { open: 25, life: 95 };

export interface CampaignOptions {
  readonly firstSeed: number;
  /** Power cuts, struck in the middle of an operation, to reach; the last seed is finished. */
  readonly cuts: number;
  /** Called after each seed. */
  readonly report?: (figures: CampaignFigures) => void;
}

export interface CampaignFigures {
  /** Power cuts in the middle of an operation. */
  cuts: number;
  /** Those of them that struck while the store was opening: in recovery, mostly. */
  cutsInRecovery: number;
  /** Failed writes, syncs and so on: I/O errors and full disks. */
  failures: number;
  /** Batches that were acknowledged and found again. */
  batches: number;
  /** Segments that were deleted on the way, at least. */
  deletedSegments: number;
  nextSeed: number;
}

/** Runs until that many cuts have struck. Throws, naming the seed, when an invariant is broken. */
export async function runCampaign({ firstSeed, cuts, report }: CampaignOptions): Promise<CampaignFigures> {
  const none = { cuts: 0, cutsInRecovery: 0, failures: 0, batches: 0, deletedSegments: 0 };
  const figures: CampaignFigures = { ...none, nextSeed: firstSeed };
  for (; figures.cuts < cuts; figures.nextSeed++) {
    try {
      await runSeed(figures.nextSeed, figures);
    } catch (error) {
      const replay = `npm run test:long -- crash --seed ${figures.nextSeed} --count 1`;
      throw new Error(`seed ${figures.nextSeed} (replay: ${replay})`, { cause: error });
    }
    report?.(figures);
    // The simulated disk never waits, and only a turn of the event loop gives back the tables of stores that were left to die: 60 KB a cut otherwise.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return figures;
}

async function runSeed(seed: number, figures: CampaignFigures): Promise<void> {
  const trace = new Trace(seed);
  for (let life = 0; life < LIVES_A_SEED; life++) {
    const draw = trace.random();
    const kind = draw < 0.7 ? 'cut' : draw < 0.85 ? 'io' : 'no-space';
    await live(trace, kind, trace.random() < 0.3 ? REACHES.open : REACHES.life, figures);
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
  figures.batches += trace.acknowledged;
  figures.deletedSegments += trace.firstSegment();
  await store.close();
  await trace.recoverTwice();
}

/** One life: open, append, perhaps close, with a fault somewhere. */
async function live(trace: Trace, kind: FaultKind, reach: number, figures: CampaignFigures): Promise<void> {
  trace.disk.fault = { at: trace.disk.operations + Math.floor(trace.random() * reach), kind };
  let store: StateStore | undefined;
  try {
    store = await trace.open();
    trace.check(store);
    await trace.append(store, 6);
    if (trace.random() < 0.5) await store.close();
  } catch (error) {
    const struck = trace.disk.fault !== undefined && trace.disk.operations > trace.disk.fault.at;
    if (!struck && trace.disk.powered) throw error;
    if (trace.disk.powered) figures.failures += 1;
    if (trace.disk.powered && store !== undefined && store.failure !== undefined) await trace.checkStopped(store);
  }
  if (trace.disk.powered) return;
  figures.cuts += 1;
  if (store === undefined) figures.cutsInRecovery += 1;
}

/** One line about a campaign. */
export function describeCampaign(firstSeed: number, figures: CampaignFigures): string {
  expect(figures.batches).toBeGreaterThan(figures.cuts);
  const { cuts, cutsInRecovery, failures, batches, deletedSegments, nextSeed } = figures;
  const what = `${cuts} power cuts (${cutsInRecovery} while opening), ${failures} failed operations, ${deletedSegments} segments deleted`;
  return `seeds ${firstSeed} to ${nextSeed - 1}: ${what}, ${batches} acknowledged batches all there`;
}
