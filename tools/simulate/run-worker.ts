/** A thread that plays whole runs, one after the other, as it is told. */
import { parentPort } from 'node:worker_threads';
import type { RunOrder, RunReply } from './run-threads.ts';
import { scenarioNamed } from './scenarios.ts';
import { simulate } from './simulation.ts';

async function played({ number, scenario: name, ...options }: RunOrder): Promise<RunReply> {
  try {
    const scenario = scenarioNamed(name);
    if (scenario === undefined) throw new RangeError(`no scenario is called ${name}`);
    const { violation, ...report } = await simulate({ ...options, scenario });
    return { number, report: { ...report, isViolated: violation !== null } };
  } catch (error) {
    return { number, error: error as Error };
  }
}

parentPort?.on('message', (order: RunOrder) => {
  void played(order).then((reply) => parentPort?.postMessage(reply));
});
