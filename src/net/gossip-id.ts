/**
 * The name of a gossip message: the same for every transport, so that "delivered once" means the same thing.
 */
import { createHash } from 'node:crypto';

/** How long an id is remembered, and so for how long equal bytes are one message. */
export const GOSSIP_SEEN_MS = 120_000;

/** First 20 bytes of SHA-256(topic as UTF-8 || 0x00 || message). */
export function gossipId(topic: string, message: Uint8Array): Uint8Array {
  return createHash('sha256').update(topic).update('\0').update(message).digest().subarray(0, 20);
}
