/**
 * A validator that lies on purpose, for demonstrations and tests (`faults.byzantine` in its configuration): the node itself is honest, what leaves it is changed here.
 *
 * - `double-vote`: each vote goes out with a second one for another block of the same slot.
 * - `double-propose`: half of the peers get another header for each own block.
 * - `silent`: neither votes nor blocks leave it.
 *
 * It begins to lie at `LIES_FROM_SLOT`, so that a network has begun first. `lazy` and `censor` lie elsewhere (chain-node.ts).
 */
import { type Hash, hash, type Kernels, sameBytes } from '../../../native/index.ts';
import {
  assembleBlock,
  decodeBlock,
  decodeVote,
  type SigningKey,
  signHeader,
  signVote,
  VOTE_SIZE_BYTES,
} from '../../codec/index.ts';
import type { PeerName, Transport } from '../../net/transport.ts';
import type { ByzantineKind } from '../config.ts';
import { ObservedTransport } from './observed-transport.ts';

/** Slot of the first lie. */
export const LIES_FROM_SLOT = 24;

/** A transport through which a validator lies. */
export function lyingTransport(
  inner: Transport,
  kind: ByzantineKind,
  kernels: Kernels,
  chainId: Hash,
  key: SigningKey,
): Transport {
  const digest = (bytes: Uint8Array): Hash => hash(kernels.sha256(bytes));

  function onPublish(_topic: string, message: Uint8Array): readonly Uint8Array[] | null {
    const vote = decodeVote(message.slice(0, VOTE_SIZE_BYTES));
    if (vote.targetSlot < LIES_FROM_SLOT || !sameBytes(vote.voter, key.publicKey)) return null;
    if (kind === 'silent') return [];
    if (kind !== 'double-vote') return null;
    return [message, signVote(chainId, { ...vote, targetHash: digest(vote.targetHash) }, key).bytes];
  }

  function onPush(peer: PeerName, bytes: Uint8Array): Uint8Array | null {
    const block = decodeBlock(kernels, bytes.slice());
    const { header } = block;
    if (header.slot < LIES_FROM_SLOT || !sameBytes(header.leader, key.publicKey)) return bytes;
    if (kind === 'silent') return null;
    const isOther = (kernels.sha256(Buffer.from(peer))[0] ?? 0) % 2 === 0;
    if (kind !== 'double-propose' || !isOther) return bytes;
    const other = signHeader(kernels, { ...header, stateRoot: digest(header.stateRoot) }, key);
    return assembleBlock(other, block.entries).bytes;
  }

  return new ObservedTransport(inner, { onPublish, onPush });
}
