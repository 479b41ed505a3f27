/**
 * Who is connected and how far each claims to be: exchanged on connection and every few seconds after, by whichever of the two asks first.
 *
 * Invariants: claims only start fetches, they never decide anything; a ledger key is believed only with a signature
 * over the peer's own name; a peer of another chain is dropped; one entry a connected peer.
 */
import { sameBytes } from '../../../native/index.ts';
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import { type Clock, every, systemClock } from '../clock.ts';
import type { Logger } from '../log.ts';
import {
  decodeMessage,
  encodeMessage,
  IDLE_TIMEOUT_MS,
  PROTOCOL,
  peerKeyMessage,
  StatusMessage,
} from '../protocols.ts';

/** Least time between two rounds of questions; as long as a slot where slots are longer, since heights change no faster. */
const REFRESH_INTERVAL_MS = 2_000;
const REDIAL_INTERVAL_MS = 1_000;
const STATUS_SIZE_BYTES_MAX = 4_096;

export interface PeersDeps {
  readonly transport: Transport;
  readonly log: Logger;
  /** The machine's unless given. */
  readonly clock?: Clock;
  readonly chainId: Uint8Array;
  readonly slotDurationMs: number;
  /** Addresses to keep connected to. */
  readonly bootstrap: readonly string[];
  readonly status: () => StatusMessage;
  /** Whether a signature by a public key over a message is good. */
  readonly isSigned: (publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array) => boolean;
  /** A peer's claim came, or came anew. */
  readonly onStatus: (peer: PeerName, status: StatusMessage) => void;
}

export class Peers {
  readonly #deps: PeersDeps;
  readonly #statuses = new Map<PeerName, StatusMessage>();
  readonly #clock: Clock;
  readonly #refreshIntervalMs: number;
  /** When each connected peer last told its status. */
  readonly #heardMs = new Map<PeerName, number>();
  /** The name behind each bootstrap address, once dialled. */
  readonly #dialled = new Map<string, PeerName>();
  #stops: (() => void)[] = [];

  constructor(deps: PeersDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#refreshIntervalMs = Math.max(REFRESH_INTERVAL_MS, deps.slotDurationMs);
    deps.transport.handle(PROTOCOL.status, (from, request) => this.#serve(from, request));
    deps.transport.onPeer((peer, connected) => {
      if (connected) void this.#exchange(peer);
      else this.#forget(peer);
    });
  }

  /** Dials the bootstrap addresses and keeps dialling those that are lost. */
  async start(): Promise<void> {
    await Promise.all(this.#deps.bootstrap.map((address) => this.#dial(address)));
    this.#stops.push(
      every(this.#clock, this.#refreshIntervalMs, () => void this.#refresh()),
      every(this.#clock, REDIAL_INTERVAL_MS, () => void this.#redial()),
    );
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Claims of the peers connected now. */
  get statuses(): ReadonlyMap<PeerName, StatusMessage> {
    return this.#statuses;
  }

  /** Connected peers that say they keep blocks: validators and archives. */
  keepingBlocks(): PeerName[] {
    return [...this.#statuses].filter(([, { role }]) => role !== 'replicator').map(([peer]) => peer);
  }

  /** The connected peer that says it signs with this ledger key. */
  withKey(publicKey: Uint8Array): PeerName | null {
    for (const [peer, status] of this.#statuses)
      if (status.publicKey !== null && sameBytes(status.publicKey, publicKey)) return peer;
    return null;
  }

  async #dial(address: string): Promise<void> {
    try {
      this.#dialled.set(address, await this.#deps.transport.dial(address));
    } catch (error) {
      this.#deps.log.debug({ address, error: (error as Error).message }, 'dial failed');
    }
  }

  async #redial(): Promise<void> {
    const connected = new Set(this.#deps.transport.peers());
    const lost = this.#deps.bootstrap.filter((address) => {
      const peer = this.#dialled.get(address);
      return peer === undefined || !connected.has(peer);
    });
    await Promise.all(lost.map((address) => this.#dial(address)));
  }

  #forget(peer: PeerName): void {
    this.#statuses.delete(peer);
    this.#heardMs.delete(peer);
  }

  /** Asks everybody but who has just asked here: a question tells as much as an answer. */
  async #refresh(): Promise<void> {
    const sinceMs = this.#clock.nowMs() - this.#refreshIntervalMs / 2;
    const silent = this.#deps.transport
      .peers()
      .filter((peer) => (this.#heardMs.get(peer) ?? Number.NEGATIVE_INFINITY) < sinceMs);
    await Promise.all(silent.map((peer) => this.#exchange(peer)));
  }

  async #exchange(peer: PeerName): Promise<void> {
    const { transport, log } = this.#deps;
    try {
      const options = { idleTimeoutMs: IDLE_TIMEOUT_MS, responseSizeBytesMax: STATUS_SIZE_BYTES_MAX };
      for await (const frame of transport.request(peer, PROTOCOL.status, this.#own(), options))
        this.#accept(peer, frame);
    } catch (error) {
      if (error instanceof PeerFault) transport.ban(peer, `${error.code}: ${error.message}`);
      log.debug({ peer, error: (error as Error).message }, 'no status from peer');
    }
  }

  async *#serve(from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    this.#accept(from, request);
    yield this.#own();
  }

  #own(): Uint8Array {
    return encodeMessage({ ...this.#deps.status() });
  }

  /** Transactions go to whoever holds the leader's key: a claim alone must not draw them. */
  #requireProvenKey(peer: PeerName, { publicKey, keyProof }: StatusMessage): void {
    if (publicKey === null || this.#isProven(peer, publicKey, keyProof)) return;
    const message = peerKeyMessage(this.#deps.chainId, peer);
    if (keyProof === null || !this.#deps.isSigned(publicKey, keyProof, message))
      throw new PeerFault(peer, 'unproven-key', 'the peer claims a ledger key without proof that it holds it');
  }

  /** The very proof that was good a moment ago. */
  #isProven(peer: PeerName, publicKey: Uint8Array, keyProof: Uint8Array | null): boolean {
    const known = this.#statuses.get(peer);
    if (known === undefined || known.publicKey === null || known.keyProof === null || keyProof === null) return false;
    return sameBytes(known.publicKey, publicKey) && sameBytes(known.keyProof, keyProof);
  }

  #accept(peer: PeerName, bytes: Uint8Array): void {
    const status = decodeMessage(StatusMessage, bytes, peer, PROTOCOL.status);
    if (!sameBytes(status.chainId, this.#deps.chainId))
      throw new PeerFault(peer, 'wrong-chain', 'the peer is on another chain');
    this.#requireProvenKey(peer, status);
    if (!this.#deps.transport.peers().includes(peer)) return;
    this.#statuses.set(peer, status);
    this.#heardMs.set(peer, this.#clock.nowMs());
    this.#deps.onStatus(peer, status);
  }
}
