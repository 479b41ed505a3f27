/**
 * Votes on the gossip layer, the second time too. Gossip takes equal bytes for one message for two minutes; a vote sent again, as the protocol does when nothing
 * is being justified, carries 8 fresh bytes behind it, so that it is another message and reaches those who lost the first one.
 *
 * Message: the vote (264 bytes), sent for the first time; or the vote and 8 bytes that nobody can guess, sent again.
 *
 * Invariants
 * - Every node passes one vote on at most once in `repeatIntervalMs`, whoever sends it how often with whatever bytes behind it: fresh bytes cannot multiply traffic
 *   beyond what the protocol's own resend costs.
 * - What is too old to matter to anybody near this node's root is dropped before its signature is looked at.
 * - Nobody can make a resend unheard by sending its message first: its bytes come from the sender's own random source.
 * - At most `VOTES_REMEMBERED_MAX` votes are remembered, each for as long as the gossip layer remembers its message.
 */
import { byteKey } from '../../../native/index.ts';
import { VOTE_SIZE_BYTES, type Vote } from '../../codec/index.ts';
import { GOSSIP_SEEN_MS } from '../../net/gossip-id.ts';
import type { GossipVerdict, PeerName, Transport } from '../../net/transport.ts';
import type { Clock } from '../clock.ts';

/** Bytes behind a vote that is sent again. */
export const REPEAT_SIZE_BYTES = 8;
/** Most votes whose last passing is remembered; the oldest goes first. */
const VOTES_REMEMBERED_MAX = 65_536;
/** Voter and signature: what names a vote here. */
const NAME_SIZE_BYTES = 32 + 64;
/** Where a vote's target slot stands (docs/format/packets.md). */
const TARGET_SLOT_OFFSET = 48;

export interface VoteGossipDeps {
  readonly transport: Transport;
  readonly topic: string;
  readonly clock: Clock;
  /** A vote is passed on at most once in so long. Below the interval of the protocol's resend. */
  readonly repeatIntervalMs: number;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  /** Votes for slots below this one are of no use to anybody near this node's root. */
  readonly oldestSlot: () => number;
  /** Judges a vote's 264 bytes and, when they are good, takes it. */
  readonly judge: (vote: Uint8Array, from: PeerName) => GossipVerdict;
}

export class VoteGossip {
  readonly #deps: VoteGossipDeps;
  /** When a vote was last passed on by this node, by its name; in order of time. */
  readonly #passedMs = new Map<string, number>();

  constructor(deps: VoteGossipDeps) {
    this.#deps = deps;
  }

  /** Begins to listen. Once. */
  subscribe(): void {
    this.#deps.transport.subscribe(this.#deps.topic, (from, message) => this.#receive(message, from));
  }

  /** Sends a vote. Nothing is sent when it went through here a moment ago. @param again peers may have had it, in an earlier life of this node */
  send(vote: Vote, again = false): void {
    const key = nameOf(vote.bytes);
    const isRepeat = again || this.#passedMs.has(key);
    if (this.#isRecent(key)) return;
    this.#passed(key);
    const { transport, topic, randomBytes } = this.#deps;
    transport.publish(topic, isRepeat ? repeatOf(vote.bytes, randomBytes(REPEAT_SIZE_BYTES)) : vote.bytes);
  }

  #receive(message: Uint8Array, from: PeerName): GossipVerdict {
    if (message.length !== VOTE_SIZE_BYTES && message.length !== VOTE_SIZE_BYTES + REPEAT_SIZE_BYTES) return 'reject';
    const vote = message.subarray(0, VOTE_SIZE_BYTES);
    const key = nameOf(vote);
    if (this.#isRecent(key) || targetSlotOf(vote) < this.#deps.oldestSlot()) return 'ignore';
    const verdict = this.#deps.judge(vote, from);
    if (verdict === 'accept') this.#passed(key);
    return verdict;
  }

  #isRecent(key: string): boolean {
    const passedMs = this.#passedMs.get(key);
    return passedMs !== undefined && this.#deps.clock.nowMs() - passedMs < this.#deps.repeatIntervalMs;
  }

  #passed(key: string): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#passedMs.delete(key);
    this.#passedMs.set(key, nowMs);
    for (const [oldest, passedMs] of this.#passedMs) {
      if (this.#passedMs.size <= VOTES_REMEMBERED_MAX && passedMs > nowMs - GOSSIP_SEEN_MS) return;
      this.#passedMs.delete(oldest);
    }
  }
}

/** The message of a vote that is sent again. */
export function repeatOf(vote: Uint8Array, fresh: Uint8Array): Uint8Array {
  const message = new Uint8Array(vote.length + fresh.length);
  message.set(vote);
  message.set(fresh, vote.length);
  return message;
}

/** A vote's voter and signature. Another vote can have the same only with a signature that is not its own. */
function nameOf(vote: Uint8Array): string {
  return byteKey(vote.subarray(VOTE_SIZE_BYTES - NAME_SIZE_BYTES));
}

function targetSlotOf(vote: Uint8Array): bigint {
  return new DataView(vote.buffer, vote.byteOffset, vote.length).getBigUint64(TARGET_SLOT_OFFSET, true);
}
