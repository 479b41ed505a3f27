/**
 * What a network of a given size sends, measured in a short calm run, and by a model that says the same and goes on to sizes that cannot be run.
 *
 * The model: per slot every validator votes once. A vote leaves its voter towards d neighbours, and each other node passes it on once, to d - 1: n d - (n - 1) messages
 * in all. The block of the slot goes from its leader to each other node, with the votes of the slot before in it.
 */
import { VOTE_SIZE_BYTES } from '../../src/codec/index.ts';
import type { FinalitySummary } from './finality-times.ts';
import { meshDegree } from './mesh.ts';
import { scenarioNamed } from './scenarios.ts';
import { Simulation, USUAL_SLOT_MS } from './simulation.ts';

/** Before it the nodes find each other and the first blocks. */
const WARM_UP_MS = 5_000;
const SLOTS_PER_SECOND = 1000 / USUAL_SLOT_MS;
/** A block without its votes: header, parent, ticks, two transfers, frames; fitted to the runs of 4 and 25. */
const BARE_BLOCK_BYTES = 800;
/** Statuses, a second and peer; likewise. */
const STATUS_BYTES = 260;

export interface Traffic {
  readonly validators: number;
  /** Neighbours that a node passes gossip on to. */
  readonly degree: number;
  /** A second and node, on average. */
  readonly votesSent: number;
  readonly voteBytes: number;
  readonly otherBytes: number;
  readonly finality: FinalitySummary | null;
}

class Enough extends Error {}

/** Runs a calm network of this size over five regions for `measuredMs` after its first seconds. */
export async function measureTraffic(validators: number, measuredMs: number, seed = 1): Promise<Traffic> {
  const scenario = scenarioNamed('calm')!;
  let start = { ms: 0, count: 0, gossip: 0, all: 0 };
  const sums = (): typeof start => {
    const { links, nowMs } = simulation;
    let all = 0;
    for (const bytes of links.sentBytes.values()) all += bytes;
    return { ms: nowMs, count: links.gossipCount, gossip: links.gossipBytes, all };
  };
  const onProgress = (nowMs: number): void => {
    if (start.ms === 0 && nowMs >= WARM_UP_MS) start = sums();
    if (nowMs >= WARM_UP_MS + measuredMs) simulation.stop(new Enough());
  };
  const simulation = new Simulation({ seed, scenario, durationMs: 1, validators, wideArea: true, onProgress });
  await simulation.run().catch((error: Error) => {
    if (!(error instanceof Enough)) throw error;
  });
  const end = sums();
  const share = (bytes: number): number => bytes / validators / ((end.ms - start.ms) / 1000);
  const gossip = share(end.gossip - start.gossip);
  return {
    validators,
    degree: meshDegree(validators),
    votesSent: share(end.count - start.count),
    voteBytes: gossip,
    otherBytes: share(end.all - start.all) - gossip,
    finality: simulation.times.summary(),
  };
}

/** The same by the model. @param degree of the mesh, as simulated unless given */
export function modelTraffic(validators: number, degree: number = meshDegree(validators)): Omit<Traffic, 'finality'> {
  const n = validators;
  const votesSent = SLOTS_PER_SECOND * (n * degree - (n - 1));
  const block = BARE_BLOCK_BYTES + n * VOTE_SIZE_BYTES;
  return {
    validators,
    degree,
    votesSent,
    voteBytes: votesSent * VOTE_SIZE_BYTES,
    otherBytes: (SLOTS_PER_SECOND * block * (n - 1)) / n + STATUS_BYTES * (n - 1),
  };
}
