/**
 * A pair of in-memory duplexes: what one end writes, the other reads, after the delay its link says, in order, and never more than a window
 * ahead of the reader.
 *
 * Invariants
 * - Bytes are copied on write, so the two nodes of a simulation share no memory.
 * - What is written at once arrives at once, as from a socket that gathers.
 * - With the same link answers and the same scheduler, every run is the same: no clock, no randomness, no timers of its own.
 */
import type { Duplex } from './duplex.ts';
import type { Timers } from './timers.ts';
import { TransportError } from './transport.ts';

/** Bytes on their way or unread before a writer waits, as yamux's first window. */
export const MEMORY_WINDOW_SIZE_BYTES: number = 256 * 1024;

/** Delay of the next bytes in one direction; `lost` breaks the stream, as a lost TCP connection would. */
export type StreamDelay = (sizeBytes: number) => number | 'lost';

type Signal = { readonly bytes: Uint8Array } | { readonly bytes: null };

/** One direction. */
class Pipe {
  readonly #timers: Timers;
  readonly #delay: StreamDelay;
  readonly #onLost: () => void;
  readonly #travelling: Signal[] = [];
  readonly #arrived: Uint8Array[] = [];
  #arrivesAt = 0;
  #unreadBytes = 0;
  #ended = false;
  #failure: TransportError | undefined;
  #reader: { resolve(chunk: Uint8Array | null): void; reject(error: TransportError): void } | undefined;
  #writers: { resolve(): void; reject(error: TransportError): void }[] = [];

  constructor(timers: Timers, delay: StreamDelay, onLost: () => void) {
    this.#timers = timers;
    this.#delay = delay;
    this.#onLost = onLost;
  }

  /** Nothing more will ever be read from here. */
  get isOver(): boolean {
    return this.#failure !== undefined || (this.#ended && this.#arrived.length === 0);
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#arrived.shift();
    if (chunk !== undefined) {
      this.#wasRead(chunk.length);
      return Promise.resolve(chunk);
    }
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (bytes.length === 0) return;
    this.#unreadBytes += bytes.length;
    this.#send({ bytes: new Uint8Array(bytes) });
    while (this.#unreadBytes > MEMORY_WINDOW_SIZE_BYTES)
      await new Promise<void>((resolve, reject) => this.#writers.push({ resolve, reject }));
  }

  end(): void {
    if (this.#failure === undefined) this.#send({ bytes: null });
  }

  /** Both ends see a reset; what has arrived can still be read. */
  fail(error: TransportError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#travelling.length = 0;
    if (!this.#ended) this.#reader?.reject(error);
    this.#reader = undefined;
    for (const writer of this.#writers.splice(0)) writer.reject(error);
  }

  #send(signal: Signal): void {
    const delayMs = this.#delay(signal.bytes?.length ?? 0);
    if (delayMs === 'lost') {
      this.#onLost();
      return;
    }
    // In order whatever the delays say: each event delivers the head of the line.
    this.#arrivesAt = Math.max(this.#arrivesAt, this.#timers.now() + delayMs);
    this.#travelling.push(signal);
    this.#timers.after(this.#arrivesAt - this.#timers.now(), () => this.#deliver());
  }

  #deliver(): void {
    const signal = this.#travelling.shift();
    if (signal === undefined) return;
    if (signal.bytes === null) this.#ended = true;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) {
      if (signal.bytes !== null) this.#arrived.push(signal.bytes);
      return;
    }
    if (signal.bytes !== null) this.#wasRead(signal.bytes.length);
    reader.resolve(signal.bytes);
  }

  #wasRead(sizeBytes: number): void {
    this.#unreadBytes -= sizeBytes;
    if (this.#unreadBytes > MEMORY_WINDOW_SIZE_BYTES) return;
    for (const writer of this.#writers.splice(0)) writer.resolve();
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

export class MemoryDuplex implements Duplex {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  readonly #break: (error: TransportError) => void;

  /** Use `memoryDuplexPair`. */
  constructor(incoming: Pipe, outgoing: Pipe, breakBoth: (error: TransportError) => void) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#break = breakBoth;
  }

  /** Both directions have ended, or were reset. */
  get isOver(): boolean {
    return this.#incoming.isOver && this.#outgoing.isOver;
  }

  read(): Promise<Uint8Array | null> {
    return this.#incoming.read();
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#outgoing.write(chunks.length === 1 ? chunks[0]! : joined(chunks));
  }

  async end(): Promise<void> {
    this.#outgoing.end();
  }

  abort(reason: string): void {
    this.#break(new TransportError('closed', reason));
  }
}

/** A connected pair. `delays`: from the first end to the second, and back. */
export function memoryDuplexPair(
  timers: Timers,
  delays: readonly [StreamDelay, StreamDelay],
): readonly [MemoryDuplex, MemoryDuplex] {
  const breakBoth = (error: TransportError): void => {
    forth.fail(error);
    back.fail(error);
  };
  const lost = () => breakBoth(new TransportError('closed', 'the connection was lost'));
  const forth: Pipe = new Pipe(timers, delays[0], lost);
  const back: Pipe = new Pipe(timers, delays[1], lost);
  return [new MemoryDuplex(back, forth, breakBoth), new MemoryDuplex(forth, back, breakBoth)];
}
