/**
 * A libp2p 3 stream as a `Duplex`.
 *
 * libp2p emits bytes as events; here they queue until read. Past READ_HIGH_BYTES the stream is paused: yamux then stops sending window
 * updates, and the peer stops once its window (at most STREAM_WINDOW_SIZE_BYTES_MAX) is used up. What may arrive meanwhile fits into the
 * stream's own read buffer (STREAM_READ_BUFFER_BYTES), so an honest sender is never reset for being fast.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import type { Duplex } from './duplex.ts';
import { READ_HIGH_BYTES, READ_LOW_BYTES } from './stream-windows.ts';
import { TransportError } from './transport.ts';

type Waiter = { resolve(chunk: Uint8Array | null): void; reject(error: TransportError): void };

export class Libp2pDuplex implements Duplex {
  readonly #stream: Stream;
  readonly #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #isResuming = false;
  #ended = false;
  #failure: TransportError | undefined;
  #reader: Waiter | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.addEventListener('message', (event: StreamMessageEvent) => this.#arrived(event.data.subarray()));
    stream.addEventListener('remoteCloseWrite', () => this.#finish());
    stream.addEventListener('close', (event: StreamCloseEvent) => this.#closed(event.error));
    if (stream.remoteWriteStatus === 'closed') this.#ended = true;
    if (stream.status !== 'open') this.#closed(undefined);
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.length;
      this.#resume();
      return Promise.resolve(chunk);
    }
    if (this.#ended && this.#stream.readBufferLength === 0) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    try {
      for (const chunk of chunks) this.#stream.send(chunk);
      while (this.#stream.writableNeedsDrain) await this.#drained();
    } catch (error) {
      throw this.#failure ?? closedError(error);
    }
  }

  async end(): Promise<void> {
    try {
      await this.#stream.close();
    } catch (error) {
      throw this.#failure ?? closedError(error);
    }
  }

  abort(reason: string): void {
    this.#stream.abort(new TransportError('closed', reason));
  }

  #arrived(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve(bytes);
      return;
    }
    this.#chunks.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#pauseWhenFull();
  }

  #pauseWhenFull(): void {
    if (this.#isResuming || this.#queuedBytes <= READ_HIGH_BYTES) return;
    if (this.#stream.readStatus === 'readable') this.#stream.pause();
  }

  #resume(): void {
    if (this.#queuedBytes >= READ_LOW_BYTES || this.#stream.readStatus !== 'paused') return;
    // `resume` first emits what it held back and then sends window updates again, even if the reader paused it meanwhile: the peer would
    // send without bound. So nothing pauses inside the call, and a queue that is full again pauses after it.
    this.#isResuming = true;
    try {
      this.#stream.resume();
    } catch {
      // The connection is gone and cannot carry the window update; `close` has told or will tell the reader.
    } finally {
      this.#isResuming = false;
    }
    this.#pauseWhenFull();
  }

  /** One drain event. Not `stream.onDrain()`: in libp2p 3.3 its promise, once resolved, stays resolved, so a second wait would not wait. */
  #drained(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#stream.removeEventListener('drain', onDrain);
        this.#stream.removeEventListener('close', onClose);
        act();
      };
      const onDrain = () => settle(resolve);
      const onClose = (event: StreamCloseEvent) => settle(() => reject(closedError(event.error)));
      this.#stream.addEventListener('drain', onDrain);
      this.#stream.addEventListener('close', onClose);
    });
  }

  /** The peer ended its side in order; bytes held back by a pause may still come. */
  #finish(): void {
    this.#ended = true;
    if (this.#stream.readBufferLength > 0) return;
    this.#reader?.resolve(null);
    this.#reader = undefined;
  }

  #closed(error: Error | undefined): void {
    this.#failure = closedError(error);
    if (this.#ended) this.#reader?.resolve(null);
    else this.#reader?.reject(this.#failure);
    this.#reader = undefined;
  }
}

function closedError(cause: unknown): TransportError {
  if (cause instanceof TransportError) return cause;
  const detail = cause instanceof Error ? `: ${cause.message}` : '';
  return new TransportError('closed', `the stream was closed${detail}`);
}
