/**
 * Asking a peer, with everything bounded: bytes and silence by the transport, the number of frames here.
 *
 * Why the frames: an empty frame is allowed and costs no bytes of the maximum, so a peer could send them for ever.
 */
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import { IDLE_TIMEOUT_MS } from '../protocols.ts';

export interface Question {
  readonly protocol: string;
  /** The request frame; borrowed. */
  readonly request: Uint8Array;
  /** Most frames in the answer. */
  readonly framesMax: number;
  /** Most bytes in the answer, all frames together. */
  readonly sizeBytesMax: number;
}

/** Sends a request and yields the answer's frames. Throws `TransportError`, and `PeerFault` 'too-many-frames'. */
export async function* ask(transport: Transport, peer: PeerName, question: Question): AsyncGenerator<Uint8Array> {
  const { protocol, request, framesMax, sizeBytesMax } = question;
  const options = { idleTimeoutMs: IDLE_TIMEOUT_MS, responseSizeBytesMax: sizeBytesMax };
  let frames = 0;
  for await (const frame of transport.request(peer, protocol, request, options)) {
    frames += 1;
    if (frames > framesMax)
      throw new PeerFault(peer, 'too-many-frames', `${protocol}: more than ${framesMax} frames in an answer`);
    yield frame;
  }
}
