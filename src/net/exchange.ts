/**
 * One request and its response over a duplex: both sides, the same for every transport.
 *
 * Invariants
 * - Whatever happens, the duplex is ended or aborted before these functions settle (the serving side allows the peer a short linger).
 * - A server never answers with more than a handler's own words or a fixed sentence: stacks and internal messages stay in the log.
 * - Backpressure: the next frame is asked of a handler only when the stream can take more.
 */
import type { Duplex } from './duplex.ts';
import { endChunk, FrameReader, frameChunks, type RefusalCodeName, refusalChunk } from './frames.ts';
import type { TransportLimits } from './limits.ts';
import type { Timers } from './timers.ts';
import { PeerFault, type RequestOptions, TransportError } from './transport.ts';

/** A server that has sent its end mark must also end its side of the stream within this. */
const LINGER_AFTER_RESPONSE_MS = 2_000;

/** Waits for `work`, but no longer than `timeoutMs`, nor past the signal's abort. The loser's later failure is swallowed. */
export function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  timers: Timers,
  what: string,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => settle(() => reject(new TransportError('aborted', `${what}: aborted by the caller`)));
    const cancel = timers.after(timeoutMs, () =>
      settle(() => reject(new TransportError('timeout', `${what}: nothing within ${timeoutMs} ms`))),
    );
    const settle = (act: () => void) => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
    work.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}

/**
 * The asking side: sends the request on a fresh duplex and yields the response's frames.
 * @param open makes the duplex; if the caller gives up before it is there, it is aborted when it comes
 */
export async function* ask(
  open: () => Promise<Duplex>,
  request: Uint8Array,
  options: RequestOptions,
  timers: Timers,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = frameChunks(request);
  const opening = open();
  const wait = <T>(work: Promise<T>, what: string): Promise<T> =>
    within(work, options.idleTimeoutMs, timers, what, options.signal);
  let whole: Duplex | undefined;
  try {
    const duplex = await wait(opening, 'opening the stream');
    await wait(duplex.write(chunks), 'sending the request');
    await wait(duplex.end(), 'sending the request');
    const reader = new FrameReader(duplex);
    let allowed = options.responseSizeBytesMax;
    for (;;) {
      const record = await wait(reader.record(allowed), 'waiting for the response');
      if (record.kind === 'refusal') throw refusedError(record.code, record.message);
      if (record.kind === 'end') break;
      allowed -= record.bytes.length;
      yield record.bytes;
    }
    whole = duplex;
  } finally {
    if (whole !== undefined) linger(whole, LINGER_AFTER_RESPONSE_MS, timers);
    else
      opening.then(
        (duplex) => duplex.abort('request given up'),
        () => {},
      );
  }
}

function refusedError(code: RefusalCodeName, message: string): TransportError {
  return new TransportError(code === 'tooLarge' ? 'too-large' : 'refused', `the peer refused (${code}): ${message}`);
}

export interface ServeContext {
  readonly timers: Timers;
  readonly limits: TransportLimits;
  /** Accounts for the bytes of the unfinished request; throws `busy`. */
  readonly account: (sizeBytes: number) => void;
  readonly handler: (request: Uint8Array) => AsyncIterable<Uint8Array>;
}

/** Answers a stream with a refusal and ends it. Never rejects. */
export async function refuse(
  duplex: Duplex,
  code: RefusalCodeName,
  message: string,
  context: Pick<ServeContext, 'timers' | 'limits'>,
): Promise<void> {
  try {
    await within(duplex.write([refusalChunk(code, message)]), context.limits.lingerMs, context.timers, 'refusing');
    await within(duplex.end(), context.limits.lingerMs, context.timers, 'refusing');
    linger(duplex, context.limits.lingerMs, context.timers);
  } catch {
    duplex.abort(message);
  }
}

/**
 * The serving side: reads the request, runs the handler, sends its frames. Rejects with what went wrong, after the peer has been told in a
 * refusal: `PeerFault` or `TransportError` for the peer's doing, anything else for the handler's.
 */
export async function serve(duplex: Duplex, context: ServeContext): Promise<void> {
  const { timers, limits } = context;
  try {
    const reader = new FrameReader(duplex, context.account);
    const request = await within(reader.request(), limits.requestTimeoutMs, timers, 'reading the request');
    for await (const frame of context.handler(request))
      await within(duplex.write(frameChunks(frame)), limits.drainTimeoutMs, timers, 'sending the response');
    await within(duplex.write([endChunk()]), limits.drainTimeoutMs, timers, 'sending the response');
    await within(duplex.end(), limits.drainTimeoutMs, timers, 'sending the response');
    linger(duplex, context.limits.lingerMs, context.timers);
  } catch (error) {
    await refuseFor(error, duplex, context);
    throw error;
  }
}

async function refuseFor(error: unknown, duplex: Duplex, context: ServeContext): Promise<void> {
  if (error instanceof PeerFault) return refuse(duplex, 'fault', `${error.code}: ${error.message}`, context);
  if (!(error instanceof TransportError)) return refuse(duplex, 'internal', 'internal error', context);
  if (error.code === 'busy') return refuse(duplex, 'busy', error.message, context);
  if (error.code === 'too-large') return refuse(duplex, 'tooLarge', error.message, context);
  if (error.code === 'malformed' || error.code === 'timeout')
    return refuse(duplex, 'malformed', error.message, context);
  duplex.abort(error.message);
}

/**
 * Our side is done: what the peer still sends is read and dropped for a moment, so that a peer in the middle of a large request gets to see
 * our answer; one that does not end its side by then is reset.
 */
function linger(duplex: Duplex, lingerMs: number, timers: Timers): void {
  within(drain(duplex), lingerMs, timers, 'lingering').catch(() => duplex.abort('the peer did not end its side'));
}

async function drain(duplex: Duplex): Promise<void> {
  while ((await duplex.read()) !== null);
}
