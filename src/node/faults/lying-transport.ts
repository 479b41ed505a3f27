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
import type { PeerFault, PeerName, RequestOptions, Transport } from '../../net/transport.ts';
import type { ByzantineKind } from '../config.ts';
import { PROTOCOL } from '../protocols.ts';

/** Slot of the first lie. */
export const LIES_FROM_SLOT = 24;

type GossipHandler = Parameters<Transport['subscribe']>[1];
type RequestHandler = Parameters<Transport['handle']>[1];

export class LyingTransport implements Transport {
  readonly self: PeerName;
  readonly #inner: Transport;
  readonly #kind: ByzantineKind;
  readonly #kernels: Kernels;
  readonly #key: SigningKey;

  constructor(inner: Transport, kind: ByzantineKind, kernels: Kernels, key: SigningKey) {
    this.self = inner.self;
    this.#inner = inner;
    this.#kind = kind;
    this.#kernels = kernels;
    this.#key = key;
  }

  publish(topic: string, message: Uint8Array): void {
    const vote = decodeVote(message.slice(0, VOTE_SIZE_BYTES));
    const isLie = vote.targetSlot >= LIES_FROM_SLOT && sameBytes(vote.voter, this.#key.publicKey);
    if (isLie && this.#kind === 'silent') return;
    this.#inner.publish(topic, message);
    if (!isLie || this.#kind !== 'double-vote') return;
    const targetHash = this.#digest(vote.targetHash);
    this.#inner.publish(topic, signVote({ ...vote, targetHash }, this.#key).bytes);
  }

  async *request(
    peer: PeerName,
    protocol: string,
    request: Uint8Array,
    options: RequestOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const sent = protocol === PROTOCOL.blocks ? this.#pushed(peer, request) : request;
    if (sent !== null) yield* this.#inner.request(peer, protocol, sent, options);
  }

  #pushed(peer: PeerName, bytes: Uint8Array): Uint8Array | null {
    const block = decodeBlock(this.#kernels, bytes.slice());
    const { header } = block;
    if (header.slot < LIES_FROM_SLOT || !sameBytes(header.leader, this.#key.publicKey)) return bytes;
    if (this.#kind === 'silent') return null;
    const isOther = (this.#kernels.sha256(Buffer.from(peer))[0] ?? 0) % 2 === 0;
    if (this.#kind !== 'double-propose' || !isOther) return bytes;
    const other = signHeader(this.#kernels, { ...header, stateRoot: this.#digest(header.stateRoot) }, this.#key);
    return assembleBlock(other, block.entries).bytes;
  }

  #digest(bytes: Uint8Array): Hash {
    return hash(this.#kernels.sha256(bytes));
  }

  addresses(): readonly string[] {
    return this.#inner.addresses();
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  dial(address: string): Promise<PeerName> {
    return this.#inner.dial(address);
  }

  peers(): readonly PeerName[] {
    return this.#inner.peers();
  }

  onPeer(listener: (peer: PeerName, connected: boolean) => void): void {
    this.#inner.onPeer(listener);
  }

  subscribe(topic: string, handler: GossipHandler): void {
    this.#inner.subscribe(topic, handler);
  }

  handle(protocol: string, handler: RequestHandler): void {
    this.#inner.handle(protocol, handler);
  }

  fault(fault: PeerFault): void {
    this.#inner.fault(fault);
  }

  ban(peer: PeerName, reason: string): void {
    this.#inner.ban(peer, reason);
  }
}
