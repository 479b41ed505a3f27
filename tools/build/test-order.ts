/**
 * The order of test files: a plan made before the first one runs, from how long the long ones take, so that no long file is left over for the end and
 * networks of processes run beside what computes, not beside each other, as long as there is something to compute.
 *
 * A file that starts a network of processes (`test/e2e`) mostly waits for slots and takes half a core; any other computes. The plan plays the run with the
 * figures below: whenever a worker is free it takes the longest network while fewer than `NETWORKS_AT_ONCE` are running, else the longest of the others. It
 * is the same on every machine and in every run. Figures need not be right, only their order of size: a wrong one costs time, never a test.
 */
import { relative, sep } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Networks that are meant to run at the same time, by the plan: the rest of the workers compute. Two take more than a core, and make each other's slots late. */
const NETWORKS_AT_ONCE = 1;

/** About how many seconds on two cores with other work; a file that is not named takes `USUAL_SECONDS`. Files that share a process (vitest.config.ts) come after all others. */
const SECONDS: Readonly<Record<string, number>> = {
  'e2e/market': 100,
  'e2e/stake': 86,
  'simulate/simulation': 85,
  'e2e/replicator-kill': 85,
  'simulate/hours': 82,
  'e2e/replicator-life': 73,
  'e2e/crash': 72,
  'e2e/keeping': 65,
  'e2e/kill-validators': 60,
  'e2e/dishonest-verifiers': 60,
  'e2e/both-twins': 50,
  'e2e/bad-input': 40,
  'e2e/partition': 40,
  'simulate/planted-bugs': 38,
  'consensus/simulation': 37,
  'simulate/planted-stake-bugs': 35,
  'simulate/kills-at-work': 30,
  'e2e/commands': 28,
  'crash/power-cuts': 22,
  'crash/every-operation': 21,
  'e2e/disk-full': 20,
  'cli/program': 18,
  'simulate/threads': 17,
  'storage/commands': 14,
  'crash/log-every-operation': 12,
  'replicator/open-proof': 11,
  'crash/sigkill': 11,
  'node/poisoned-sync': 10,
  'node/fast-sync': 10,
  'crash/real-faults': 9,
  'codec/fuzz': 9,
  'storage/segment-proofs': 9,
  'storage/table-threads': 9,
};
const USUAL_SECONDS = 2;

export interface PlannedFile {
  /** Below `test/`, with slashes and without `.test.ts`. */
  readonly name: string;
  /** Whether it may run in a process that has run others. */
  readonly isShared: boolean;
}

const secondsOf = ({ name }: PlannedFile): number => SECONDS[name] ?? USUAL_SECONDS;
const isNetwork = ({ name }: PlannedFile): boolean => name.startsWith('e2e/');

/** Those with a process of their own first, the longest first among equals, then by name. */
function byLength(a: PlannedFile, b: PlannedFile): number {
  const order = Number(a.isShared) - Number(b.isShared) || secondsOf(b) - secondsOf(a);
  return order !== 0 ? order : a.name < b.name ? -1 : 1;
}

/** The order in which a queue gives these files to that many workers. */
export function planOrder<T extends PlannedFile>(files: readonly T[], workers: number): T[] {
  const sorted = [...files].sort(byLength);
  const [networks, others] = [sorted.filter(isNetwork), sorted.filter((file) => !isNetwork(file))];
  const order: T[] = [];
  const running: { readonly until: number; readonly isNetwork: boolean }[] = [];
  let now = 0;
  while (order.length < files.length) {
    if (running.length === workers) {
      running.sort((a, b) => a.until - b.until);
      now = running.shift()!.until;
    }
    const hasRoom = running.filter((each) => each.isNetwork).length < NETWORKS_AT_ONCE;
    const next = (hasRoom ? networks.shift() : undefined) ?? others.shift() ?? networks.shift()!;
    order.push(next);
    running.push({ until: now + secondsOf(next), isNetwork: isNetwork(next) });
  }
  return order;
}

export default class TestOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root, maxWorkers } = this.ctx.config;
    const planned = files.map((spec) => ({
      spec,
      name: relative(root, spec.moduleId)
        .split(sep)
        .slice(1)
        .join('/')
        .replace(/\.test\.ts$/, ''),
      isShared: spec.project.config.isolate === false,
    }));
    return planOrder(planned, Number(maxWorkers)).map(({ spec }) => spec);
  }
}
