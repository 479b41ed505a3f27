/**
 * Gives hand-overs to light clients, oldest first. Chain nodes and replicators answer alike.
 *
 * Invariant: an answer is bounded by protocols.ts; who wants more asks again from where it has come to.
 */
import type { PeerName, Transport } from '../../net/transport.ts';
import { decodeMessage, HAND_OVERS_MAX, HAND_OVERS_SIZE_BYTES_MAX, HandOversRequest, PROTOCOL } from '../protocols.ts';

/** Where hand-overs are kept. */
export interface HandOverSource {
  /** Those of an epoch on, ascending, at most so many. */
  from(epoch: number, countMax: number): Iterable<Uint8Array>;
}

/** Registers the handler. */
export function serveHandOvers(transport: Pick<Transport, 'handle'>, source: HandOverSource): void {
  transport.handle(PROTOCOL.handOvers, (from, request) => handOvers(source, from, request));
}

async function* handOvers(source: HandOverSource, from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
  const { fromEpoch } = decodeMessage(HandOversRequest, request, from, PROTOCOL.handOvers);
  let sizeBytes = 0;
  for (const bytes of source.from(fromEpoch, HAND_OVERS_MAX)) {
    sizeBytes += bytes.length;
    if (sizeBytes > HAND_OVERS_SIZE_BYTES_MAX) return;
    yield bytes;
  }
}
