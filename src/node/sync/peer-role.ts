/** What a peer says it is: asked before a sync, because replicators keep segments and no state, and nobody should be blamed for that. */
import type { PeerName, Transport } from '../../net/transport.ts';
import { decodeMessage, encodeMessage, PROTOCOL, StatusMessage } from '../protocols.ts';
import { ask } from '../relay/ask.ts';

const STATUS_SIZE_BYTES_MAX = 4_096;

/** A claim; a peer that does not answer counts as a chain node, and is judged by what it answers later. */
export async function peerRole(
  transport: Transport,
  peer: PeerName,
  chainId: Uint8Array,
): Promise<StatusMessage['role']> {
  const own: StatusMessage = {
    chainId,
    role: 'archive',
    startHeight: 0,
    finalizedHeight: 0,
    bestHeight: 0,
    publicKey: null,
    keyProof: null,
    rpc: null,
    version: '',
  };
  const request = encodeMessage({ ...own });
  const question = { protocol: PROTOCOL.status, request, framesMax: 1, sizeBytesMax: STATUS_SIZE_BYTES_MAX };
  try {
    for await (const frame of ask(transport, peer, question))
      return decodeMessage(StatusMessage, frame, peer, PROTOCOL.status).role;
  } catch {
    // Whatever it is, the sync proper will find out.
  }
  return 'archive';
}
