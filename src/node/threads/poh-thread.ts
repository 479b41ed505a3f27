/**
 * The PoH service on a thread of its own: posts requests to poh-worker.ts and wakes it, turns its messages into replies and events.
 *
 * Invariants
 * - Every message carries one reply or event, so that Node runs what awaits a reply before the next one is delivered.
 * - The thread never keeps the process alive, except while a call waits for it.
 * - When the thread dies, pending calls are rejected, later ones too, and `onFatal` is called once.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { type Hash, hash, type Slot } from '../../../native/index.ts';
import { workerUrl } from '../../../native/worker-url.ts';
import { checkPohParameters, type PohPoint } from '../../poh/index.ts';
import { PohCalls } from './poh-calls.ts';
import {
  FIGURE,
  FIGURE_COUNT,
  type PohEvent,
  type PohPace,
  type PohRequest,
  type PohWorkerData,
} from './poh-messages.ts';
import type { PohListener, PohRate, PohService, PohStart } from './poh-service.ts';
import { ThreadError } from './thread-error.ts';

export interface PohThreadOptions extends PohPace {
  /** Called when the thread has died by itself: the node cannot lead any more. */
  readonly onFatal: (error: ThreadError) => void;
}

/** Starts the thread; it sleeps until `start`. Throws PohError for parameters out of range. */
export function startPohThread(options: PohThreadOptions): PohService {
  return new PohThread(options);
}

class PohThread implements PohService {
  readonly #calls = new PohCalls();
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #wake: Int32Array;
  readonly #figures: Float64Array;
  readonly #onFatal: (error: ThreadError) => void;
  #isStopped = false;

  constructor({ parameters, slotDurationMs, onFatal }: PohThreadOptions) {
    checkPohParameters(parameters);
    const { port1, port2 } = new MessageChannel();
    const wake = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const figures = new SharedArrayBuffer(FIGURE_COUNT * Float64Array.BYTES_PER_ELEMENT);
    const workerData: PohWorkerData = { parameters, slotDurationMs, port: port2, wake, figures };
    this.#onFatal = onFatal;
    this.#wake = new Int32Array(wake);
    this.#figures = new Float64Array(figures);
    this.#port = port1;
    this.#worker = new Worker(workerUrl(import.meta.url, './poh-worker.ts'), {
      workerData,
      transferList: [port2],
      execArgv: [],
    });
    this.#worker.on('error', (error) => this.#fail(`the PoH thread failed: ${error.message}`));
    this.#worker.on('exit', (code) => this.#fail(`the PoH thread ended by itself with code ${code}`));
    port1.on('message', (event: PohEvent) => this.#receive(event));
    this.#keepAliveWhilePending();
  }

  start({ count, hash: pohHash, slot, parentHash }: PohStart): Promise<PohPoint> {
    this.#calls.endRun();
    const at = { count, hash: copyOf(pohHash), slot, parentHash: copyOf(parentHash) };
    return this.#calls.point(true, (id) => this.#send({ kind: 'start', id, at }));
  }

  openSlot(slot: Slot, parentHash: Hash): Promise<PohPoint> {
    return this.#calls.point(false, (id) => this.#send({ kind: 'openSlot', id, slot, parentHash: copyOf(parentHash) }));
  }

  mixin(slot: Slot, digest: Uint8Array): Promise<PohPoint | null> {
    const copied = copyOf(digest);
    return this.#calls.mixin((id) => this.#send({ kind: 'mixin', id, slot, digest: copied }));
  }

  onTick(listener: PohListener): () => void {
    return this.#calls.onTick(listener);
  }

  onSlotEnd(listener: PohListener): () => void {
    return this.#calls.onSlotEnd(listener);
  }

  rate(): PohRate {
    const figure = (place: number) => this.#figures[place]!;
    return {
      hashesPerSecond: figure(FIGURE.hashesPerSecond),
      capacityPerSecond: figure(FIGURE.capacityPerSecond),
      ticksBehind: figure(FIGURE.ticksBehind),
      heldMs: figure(FIGURE.heldMs),
      slippedMs: figure(FIGURE.slippedMs),
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#calls.fail(new ThreadError('stopped', 'the PoH service was stopped'));
    this.#port.close();
    await this.#worker.terminate();
  }

  #send(request: PohRequest): void {
    this.#port.postMessage(request);
    Atomics.add(this.#wake, 0, 1);
    Atomics.notify(this.#wake, 0);
    this.#keepAliveWhilePending();
  }

  #receive(event: PohEvent): void {
    this.#calls.receive(event);
    this.#keepAliveWhilePending();
  }

  #fail(message: string): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const error = new ThreadError('worker-failed', message);
    this.#calls.fail(error);
    this.#port.close();
    this.#onFatal(error);
  }

  #keepAliveWhilePending(): void {
    if (this.#calls.pendingCount > 0) {
      this.#port.ref();
      this.#worker.ref();
    } else {
      this.#port.unref();
      this.#worker.unref();
    }
  }
}

/** A 32-byte copy: posting a view would copy the whole buffer it lies in. */
function copyOf(bytes: Uint8Array): Hash {
  return hash(Uint8Array.from(bytes));
}
