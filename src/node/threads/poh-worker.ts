/**
 * The PoH thread: one loop that takes requests, lets the engine hash a slice, and sleeps while nothing is due.
 *
 * It never returns to the event loop: requests are taken from the port directly, and sleeping is a wait on shared memory that a request
 * ends at once. The thread is ended by `terminate`.
 */
import { performance } from 'node:perf_hooks';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { loadKernels } from '../../../native/index.ts';
import { PohEngine } from './poh-engine.ts';
import { FIGURE, type PohWorkerData } from './poh-messages.ts';

const { parameters, slotDurationMs, port, wake, figures } = workerData as PohWorkerData;
const wakeCount = new Int32Array(wake);
const shownFigures = new Float64Array(figures);
const engine = new PohEngine(
  loadKernels(),
  { parameters, slotDurationMs },
  () => performance.now(),
  (event) => port.postMessage(event),
);

function showFigures(): void {
  const rate = engine.rate();
  for (const [name, place] of Object.entries(FIGURE)) shownFigures[place] = rate[name as keyof typeof FIGURE];
}

for (;;) {
  // Read before the requests: one that comes after them changes the count, and the wait below returns at once.
  const seen = Atomics.load(wakeCount, 0);
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
    engine.request(next.message);
  const idleMs = engine.turn();
  showFigures();
  if (idleMs > 0) Atomics.wait(wakeCount, 0, seen, idleMs);
}
