/**
 * How every segment stands on the ledger, as a chain node tells it, and which segments follow from that for this identity.
 *
 * Invariant: what is told decides only what is kept here; it is asked for once a period.
 */
import type { Kernels } from '../../../native/index.ts';
import { periodOf, type ReplicationSchedule } from '../../../replicator/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import {
  decodeMessage,
  encodeMessage,
  PROTOCOL,
  type ReplicaStatus,
  STANDINGS_MAX,
  type StandingRow,
  StandingsAnswer,
} from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import { chooseSegments, type SegmentNeed } from './choose-segments.ts';

/** Bytes of one row of the answer, at most. */
const ROW_SIZE_BYTES_MAX = 64;

export interface MarketViewDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  /** 20 bytes. */
  readonly identity: Uint8Array;
  readonly schedule: ReplicationSchedule;
}

export interface ChooseRequest {
  readonly segmentCount: number;
  /** Of the last final block. */
  readonly slot: number;
  readonly capacity: number;
  readonly held: ReadonlySet<number>;
  /** Segments just given up: not taken again meanwhile. */
  readonly left: { has(segment: number): boolean };
  /** This identity's own records: taken off what the ledger counts. */
  readonly records: readonly ReplicaStatus[];
}

export class MarketView {
  readonly #deps: MarketViewDeps;
  #rows = new Map<number, StandingRow>();
  #target = 1;
  #identities = 1;
  #asked = -1;

  constructor(deps: MarketViewDeps) {
    this.#deps = deps;
  }

  /** Asks when a period has begun, or a segment was completed, since the last time. A peer that does not answer leaves things as they were. Throws `PeerFault`. */
  async update(peer: PeerName, head: BlockHeader): Promise<void> {
    const period = periodOf(this.#deps.schedule, head.slot);
    if (this.#asked === period && this.#rows.size >= head.segmentCount) return;
    try {
      this.#rows = await this.#fetch(peer, head.segmentCount);
      this.#asked = period;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
    }
  }

  async #fetch(peer: PeerName, segmentCount: number): Promise<Map<number, StandingRow>> {
    const rows = new Map<number, StandingRow>();
    while (rows.size < segmentCount) {
      const answer = await this.#ask(peer, rows.size, segmentCount - rows.size);
      if (answer === undefined || answer.standings.length === 0) break;
      for (const row of answer.standings) rows.set(row.segment, row);
      this.#target = answer.target;
      this.#identities = answer.identities;
    }
    return rows;
  }

  /** The segments to keep. Of a segment nothing is known of, nobody is taken to have a replica. */
  choose({ segmentCount, slot, capacity, held, left, records }: ChooseRequest): number[] {
    const own = new Map(records.map((record) => [record.segment, record]));
    const needs = Array.from({ length: segmentCount }, (_, segment): SegmentNeed => {
      const row = this.#rows.get(segment);
      const mine = own.get(segment);
      const proven = (row?.proven ?? 0) - (mine?.proof === 'accepted' ? 1 : 0);
      const committed = (row?.replicas ?? 0) - (mine === undefined ? 0 : 1);
      return { segment, proven: Math.max(0, proven), committed: Math.max(0, committed) };
    }).filter(({ segment }) => !left.has(segment));
    const { kernels, identity, schedule } = this.#deps;
    const period = periodOf(schedule, slot);
    const [target, identities] = [this.#target, this.#identities];
    return chooseSegments({ kernels, identity, period, target, identities, capacity, held, needs });
  }

  async #ask(peer: PeerName, from: number, wanted: number): Promise<StandingsAnswer | undefined> {
    const countMax = Math.min(wanted, STANDINGS_MAX);
    const request = encodeMessage({ from, countMax });
    const sizeBytesMax = 4_096 + countMax * ROW_SIZE_BYTES_MAX;
    const question = { protocol: PROTOCOL.standings, request, framesMax: 1, sizeBytesMax };
    for await (const frame of ask(this.#deps.transport, peer, question))
      return decodeMessage(StandingsAnswer, frame, peer, PROTOCOL.standings);
    return undefined;
  }
}
