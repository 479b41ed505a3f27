/**
 * The wires: how long bytes take from one node to another, and whether they arrive.
 *
 * A gossip message can vanish. Bytes of a stream are under TCP: a lost packet delays them, and now and then the connection breaks. A cut wire loses
 * all; a clogged one delivers late.
 */
import type { Link, Replay, TrafficKind } from '../../src/net/memory-network.ts';
import type { Chance } from './chance.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface WireQuality {
  /** One way, milliseconds: lowest and highest. */
  readonly delayMs: readonly [number, number];
  /** Share of packets lost. */
  readonly lossRate: number;
  /** Share of gossip messages that arrive again later; none unless given. */
  readonly replayRate?: number;
}

export const CALM: WireQuality = { delayMs: [1, 20], lossRate: 0 };

/** A lost packet of a stream is sent again after about this long. */
const RESEND_MS = 200;
/** Share of lost packets that cost the stream. */
const BREAK_SHARE = 0.05;
/** A message that arrives again does so within this: now and then past the two minutes for which the gossip layer remembers it. */
const REPLAY_MS = [1, 150_000] as const;

export class Links {
  /** Everywhere, unless `base` says otherwise. */
  quality: WireQuality = CALM;
  /** Delay of a wire that comes on top, by distance; none unless given. */
  base: (from: string, to: string) => number = () => 0;
  /** Bytes sent by each node, all kinds. */
  readonly sentBytes: Map<string, number> = new Map();
  /** Over all nodes: gossip messages sent, lost ones too. */
  gossipCount = 0;
  gossipBytes = 0;
  readonly #time: VirtualTime;
  readonly #chance: Chance;
  /** `from>to`: cut until it heals. */
  readonly #cut = new Map<string, number>();
  /** Nothing reaches `from>to` before this time. */
  readonly #clogged = new Map<string, number>();
  /** Suspended nodes: what is sent to them waits. */
  readonly #asleep = new Map<string, number>();

  constructor(time: VirtualTime, chance: Chance) {
    this.#time = time;
    this.#chance = chance;
  }

  /** Cuts one direction; cuts add up, each is healed by itself. */
  cut(from: string, to: string): void {
    const name = `${from}>${to}`;
    this.#cut.set(name, (this.#cut.get(name) ?? 0) + 1);
  }

  heal(from: string, to: string): void {
    const name = `${from}>${to}`;
    const left = (this.#cut.get(name) ?? 0) - 1;
    if (left > 0) this.#cut.set(name, left);
    else this.#cut.delete(name);
  }

  clog(from: string, to: string, untilMs: number): void {
    const name = `${from}>${to}`;
    this.#clogged.set(name, Math.max(untilMs, this.#clogged.get(name) ?? 0));
  }

  sleep(node: string, untilMs: number): void {
    this.#asleep.set(node, Math.max(untilMs, this.#asleep.get(node) ?? 0));
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** The hook of the memory network. */
  readonly link: Link = (from, to, kind, sizeBytes) => {
    this.sentBytes.set(from, (this.sentBytes.get(from) ?? 0) + sizeBytes);
    if (kind === 'gossip') {
      this.gossipCount += 1;
      this.gossipBytes += sizeBytes;
    }
    if (this.#cut.size > 0 && (this.isCut(from, to) || (kind === 'dial' && this.isCut(to, from)))) return 'lost';
    const delayMs = this.#delay(from, to, kind);
    return delayMs === 'lost' ? 'lost' : Math.max(delayMs, this.#heldMs(from, to));
  };

  /** The hook of the memory network: how much later a gossip message arrives once more, or null. */
  readonly replay: Replay = () => {
    const { replayRate = 0 } = this.quality;
    if (replayRate === 0 || !this.#chance.hits(replayRate)) return null;
    const [low, high] = REPLAY_MS;
    // Mostly soon: the cube of an even chance.
    return low + (high - low) * this.#chance.next() ** 3;
  };

  #delay(from: string, to: string, kind: TrafficKind): number | 'lost' {
    const { delayMs, lossRate } = this.quality;
    let totalMs = this.base(from, to) + this.#chance.between(delayMs[0], delayMs[1]);
    if (lossRate === 0 || !this.#chance.hits(lossRate)) return totalMs;
    if (kind === 'gossip' || this.#chance.hits(BREAK_SHARE)) return 'lost';
    for (let again = 0; again < 8 && (again === 0 || this.#chance.hits(lossRate)); again += 1) totalMs += RESEND_MS;
    return totalMs;
  }

  #heldMs(from: string, to: string): number {
    if (this.#clogged.size === 0 && this.#asleep.size === 0) return 0;
    const untilMs = Math.max(this.#clogged.get(`${from}>${to}`) ?? 0, this.#asleep.get(to) ?? 0);
    return Math.max(0, untilMs - this.#time.nowMs);
  }
}
