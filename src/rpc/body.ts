/**
 * Reads an HTTP body into text with a maximum, counted as it arrives: an announced length is only good for refusing early.
 */
import type { IncomingMessage } from 'node:http';

export type BodyFault = 'too-large' | 'not-utf8' | 'gone';

/**
 * How much more than the maximum is read and dropped, so that a caller who sends somewhat too much sees the refusal instead of a reset while it
 * still writes.
 */
const DRAIN_FACTOR = 4;

/** The body, or why there is none: over `sizeBytesMax`, not UTF-8, or the caller has gone. Never rejects. */
export async function readBody(request: IncomingMessage, sizeBytesMax: number): Promise<string | BodyFault> {
  if (Number(request.headers['content-length'] ?? 0) > DRAIN_FACTOR * sizeBytesMax) return 'too-large';
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      sizeBytes += (chunk as Buffer).length;
      if (sizeBytes > DRAIN_FACTOR * sizeBytesMax) return 'too-large';
      if (sizeBytes <= sizeBytesMax) chunks.push(chunk as Buffer);
      else chunks.length = 0;
    }
  } catch {
    return 'gone';
  }
  if (sizeBytes > sizeBytesMax) return 'too-large';
  return decode(Buffer.concat(chunks));
}

function decode(bytes: Buffer): string | BodyFault {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'not-utf8';
  }
}
