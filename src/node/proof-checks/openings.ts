/**
 * Fetches the openings behind a proof from the replicator that sent it: bytes that the ledger holds only the digest of.
 *
 * Invariants
 * - What is given out has the digest on the ledger: it may be a wrong proof, but it is the one that was sent.
 * - No more than the bound that follows from genesis is read from a peer, few fetches run at once, and a proof whose openings were not there is asked for
 *   again only `RETRY_SLOTS` later: a silent replicator delays itself.
 */
import { byteKey, type Kernels, sameBytes } from '../../../native/index.ts';
import { type Genesis, openingDigest, openingSizeBytesBound, type PendingProof } from '../../ledger/index.ts';
import type { PeerName, Transport } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import { encodeMessage, PROTOCOL } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import { proofName } from './findings-book.ts';

const FETCHES_AT_ONCE = 8;
const RETRY_SLOTS = 2;
const FRAMES_MAX = 4096;

export interface OpeningsDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly genesis: Genesis;
  /** Peers that say they hold this ledger key. */
  readonly holders: (publicKey: Uint8Array) => readonly PeerName[];
  readonly log: Logger;
}

export class Openings {
  readonly #deps: OpeningsDeps;
  readonly #sizeBytesMax: number;
  /** Slot in which a fetch failed. */
  readonly #failed = new Map<string, number>();

  constructor(deps: OpeningsDeps) {
    this.#deps = deps;
    const { replication, history } = deps.genesis;
    this.#sizeBytesMax = Math.ceil(openingSizeBytesBound(replication, history));
  }

  /** The openings of each proof, in order; undefined where nobody gave them. @param slot of the final head */
  async fetchAll(proofs: readonly PendingProof[], slot: number): Promise<(Uint8Array | undefined)[]> {
    for (const [name, failedSlot] of this.#failed) if (slot - failedSlot >= RETRY_SLOTS) this.#failed.delete(name);
    const bodies: (Uint8Array | undefined)[] = proofs.map(() => undefined);
    let next = 0;
    const work = async (): Promise<void> => {
      for (let index = next++; index < proofs.length; index = next++)
        bodies[index] = await this.#fetch(proofs[index]!, slot);
    };
    await Promise.all(Array.from({ length: Math.min(FETCHES_AT_ONCE, proofs.length) }, work));
    return bodies;
  }

  async #fetch(proof: PendingProof, slot: number): Promise<Uint8Array | undefined> {
    const name = proofName(proof);
    if (this.#failed.has(name)) return undefined;
    for (const peer of this.#deps.holders(proof.publicKey)) {
      const body = await this.#fetchFrom(peer, proof);
      if (body !== undefined) return body;
    }
    this.#failed.set(name, slot);
    return undefined;
  }

  async #fetchFrom(peer: PeerName, { segment, period, proof }: PendingProof): Promise<Uint8Array | undefined> {
    const { kernels, transport, log } = this.#deps;
    const request = encodeMessage({ segment, period });
    const question = { protocol: PROTOCOL.opening, request, framesMax: FRAMES_MAX, sizeBytesMax: this.#sizeBytesMax };
    try {
      const frames: Uint8Array[] = [];
      for await (const frame of ask(transport, peer, question)) frames.push(frame);
      const body = new Uint8Array(Buffer.concat(frames));
      if (body.length >= 32 && sameBytes(openingDigest(kernels, body), proof.openingDigest)) return body;
      log.debug({ peer, segment, period, sizeBytes: body.length }, 'not the openings of this proof');
    } catch (error) {
      log.debug({ peer, segment, period, error: (error as Error).message }, 'no openings from this peer');
    }
    return undefined;
  }
}

/** Peers by the ledger key they say they hold. */
export function holdersOf(
  statuses: Iterable<readonly [PeerName, { readonly publicKey: Uint8Array | null }]>,
  publicKey: Uint8Array,
): PeerName[] {
  const wanted = byteKey(publicKey);
  return [...statuses]
    .filter(([, { publicKey: key }]) => key !== null && byteKey(key) === wanted)
    .map(([peer]) => peer);
}
