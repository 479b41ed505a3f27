/**
 * The liveness phase: the faults are over for a core that was a quorum then, and everybody in it must finalize new blocks within a bound.
 *
 * The premise is looked at throughout: more than half of both full sets is there. With less nobody may go on (docs/protocol.md, "Partitions"), and where bonds move,
 * a core that was a quorum can become less by what was on its way: members leave, and one that was left broken becomes active. Then all are mended, and the bound
 * starts anew; that can happen once a phase. Between half and two thirds the absent must be excluded in time.
 */
import { byteKey } from '../../native/index.ts';
import { addWeight, type Electorate, indexOf, NO_TALLY } from '../../src/consensus/electorate.ts';
import type { FaultRunner } from './fault-runner.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Simulation } from './simulation.ts';

/**
 * The longest that it may take to make progress: the protocol's minute, and another for the case that somebody who stays away must be excluded first
 * (`staleEpochsSlow` epochs, which pass slowly while nothing becomes final).
 */
export const LIVENESS_BOUND_MS = 120_000;
/** Blocks that must become final in it, above all that was final before. */
export const LIVENESS_BLOCKS = 6;
/** How often the premise is looked at. */
const PREMISE_LOOK_MS = 1_000;

/** Whether these validators (names by `byteKey`) are more than half of both full sets of an electorate, so that it can go on by their votes. */
export function areMajority(electorate: Pick<Electorate, 'members'>, names: ReadonlySet<string>): boolean {
  const { full } = indexOf(electorate);
  const present = electorate.members.filter(({ publicKey }) => names.has(byteKey(publicKey)));
  const { current, previous } = present.reduce(addWeight, NO_TALLY);
  return current * 2n > full.current && previous * 2n > full.previous;
}

/**
 * Runs until everybody in the core has finalized `LIVENESS_BLOCKS` more.
 * @param run until a time, or until what it is given says that it is done
 * @throws Violation "no-progress" when that takes longer than the bound
 */
export async function expectProgress(
  simulation: Simulation,
  core: readonly SimulatedNode[],
  faults: FaultRunner,
  run: (untilMs: number, isDone: () => boolean) => Promise<void>,
): Promise<void> {
  const { oracles, trace, stretch, options, chain } = simulation;
  const goal = oracles.finalHeight + LIVENESS_BLOCKS;
  const boundMs = (options.scenario.livenessMs ?? LIVENESS_BOUND_MS) * stretch;
  const names = new Set(
    core.flatMap(({ rank }) => (rank === null ? [] : [byteKey(chain.validators[rank]!.publicKey)])),
  );
  const isDone = (): boolean => core.every(({ node }) => (node?.tree.root.header.height ?? 0) >= goal);
  const isTooFew = ({ node }: SimulatedNode): boolean =>
    node !== undefined && !areMajority(node.tree.best.electorate, names);
  let untilMs = simulation.nowMs + boundMs;
  while (!isDone() && !oracles.isForked && simulation.nowMs < untilMs) {
    await run(Math.min(untilMs, simulation.nowMs + PREMISE_LOOK_MS * stretch), isDone);
    if (!faults.leavesBroken || !core.some(isTooFew)) continue;
    faults.restore();
    trace.add('mended', null);
    untilMs = simulation.nowMs + boundMs;
  }
  if (isDone() || oracles.isForked) return;
  const heights = core.map(({ name, node }) => `${name} ${node?.tree.root.header.height ?? 'down'}`).join(', ');
  oracles.fail('no-progress', `height ${goal} is not final after ${boundMs / 1000} s: ${heights}`);
}
