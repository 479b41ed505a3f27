/**
 * A replicator's dealings with the ledger: what it records of this identity, and the transactions it is sent.
 *
 * What a node answers about our records is not proven to us and only decides what to send next; the ledger itself decides what counts.
 */
import { amount, type Kernels, type PohCount } from '../../../native/index.ts';
import { type BlockHeader, type Payload, type SigningKey, signTransaction } from '../../codec/index.ts';
import type { PeerName, Transport } from '../../net/transport.ts';
import { decodeMessage, encodeMessage, PROTOCOL, REPLICAS_MAX, ReplicasAnswer } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import { frameTransactions } from '../relay/submissions.ts';

export interface LedgerLinkDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly key: SigningKey;
  readonly minimumFee: bigint;
  /** First value of the transactions' counters; later ones count up. */
  readonly counterStart: bigint;
}

export class LedgerLink {
  readonly #deps: LedgerLinkDeps;
  #counter: bigint;

  constructor(deps: LedgerLinkDeps) {
    this.#deps = deps;
    this.#counter = deps.counterStart;
  }

  /** What a node's final state records of this identity. Throws when the peer does not answer. */
  async records(peer: PeerName): Promise<ReplicasAnswer | undefined> {
    const request = encodeMessage({ identity: this.#deps.key.address });
    const sizeBytesMax = 4_096 + REPLICAS_MAX * 256;
    const question = { protocol: PROTOCOL.replicas, request, framesMax: 1, sizeBytesMax };
    for await (const frame of ask(this.#deps.transport, peer, question))
      return decodeMessage(ReplicasAnswer, frame, peer, PROTOCOL.replicas);
    return undefined;
  }

  /** Signs a transaction over the final head and hands it to `peers`; true when one of them took it. @param fees how many minimum fees it pays */
  async send(peers: readonly PeerName[], head: BlockHeader, payload: Payload, fees: number = 1): Promise<boolean> {
    this.#counter += 1n;
    const transaction = signTransaction(
      this.#deps.kernels,
      {
        lastValidHash: head.pohHash.slice(0, 20),
        lastValidCount: head.pohCount as PohCount,
        payload,
        counter: this.#counter,
        fee: amount(this.#deps.minimumFee * BigInt(fees)),
      },
      this.#deps.key,
    );
    const framed = frameTransactions([transaction]);
    const answers = await Promise.allSettled(peers.map((peer) => this.#submit(peer, framed)));
    return answers.some((answer) => answer.status === 'fulfilled' && answer.value);
  }

  async #submit(peer: PeerName, framed: Uint8Array): Promise<boolean> {
    const question = { protocol: PROTOCOL.submit, request: framed, framesMax: 1, sizeBytesMax: 64 };
    for await (const frame of ask(this.#deps.transport, peer, question)) return frame[0] === 0;
    return false;
  }
}
