/**
 * What the ledger said about each replica over the run: counters at the last look, and how they stood when things changed.
 *
 * Invariant: figures never go back; an answer read from an older block than the last one is passed over.
 */
import type { ReplicaRow } from '../../src/rpc/views/replication.ts';
import type { Wire } from '../../src/rpc/wire.ts';

/** One replica's life so far. */
export interface ReplicaLife {
  /** Bech32m. */
  readonly identity: string;
  readonly segment: number;
  /** 1 + its key rotations. */
  commits: number;
  accepted: number;
  rejected: number;
  expired: number;
  /** `accepted` when a rejection was first seen; null before. */
  acceptedAtFirstRejection: number | null;
}

export class ReplicaTracker {
  readonly #lives = new Map<string, ReplicaLife>();

  /** Takes in one answer of `cairn_getReplication`. */
  observe(rows: readonly Wire<ReplicaRow>[]): void {
    for (const row of rows) this.#update(this.#life(row), row);
  }

  get lives(): readonly ReplicaLife[] {
    return [...this.#lives.values()];
  }

  find(identity: string, segment: number): ReplicaLife | undefined {
    return this.#lives.get(`${identity}/${segment}`);
  }

  #life(row: Wire<ReplicaRow>): ReplicaLife {
    const key = `${row.identity}/${row.segment}`;
    let life = this.#lives.get(key);
    if (life === undefined) {
      const { identity, segment } = row;
      life = { identity, segment, commits: 0, accepted: 0, rejected: 0, expired: 0, acceptedAtFirstRejection: null };
      this.#lives.set(key, life);
    }
    return life;
  }

  #update(life: ReplicaLife, row: Wire<ReplicaRow>): void {
    for (const counter of ['commits', 'accepted', 'rejected', 'expired'] as const) {
      if (row[counter] < life[counter]) return;
    }
    if (life.rejected === 0 && row.rejected > 0) life.acceptedAtFirstRejection = row.accepted;
    life.commits = row.commits;
    life.accepted = row.accepted;
    life.rejected = row.rejected;
    life.expired = row.expired;
  }
}
