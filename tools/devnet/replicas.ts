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
  /** But those that came too late, as on a machine with too much to do: they say nothing about the replica. */
  rejected: number;
  late: number;
  expired: number;
  /** `accepted` when a rejection was first seen; null before. */
  acceptedAtFirstRejection: number | null;
}

const NONE_YET = { rejected: 0, late: 0, expired: 0, acceptedAtFirstRejection: null };

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
      life = { identity, segment, commits: 0, accepted: 0, ...NONE_YET };
      this.#lives.set(key, life);
    }
    return life;
  }

  #update(life: ReplicaLife, row: Wire<ReplicaRow>): void {
    for (const counter of ['commits', 'accepted', 'expired'] as const) {
      if (row[counter] < life[counter]) return;
    }
    const added = row.rejected - life.rejected - life.late;
    if (added < 0) return;
    if (row.reason === 'late') life.late += added;
    else if (added > 0) {
      if (life.rejected === 0) life.acceptedAtFirstRejection = row.accepted;
      life.rejected += added;
    }
    life.commits = row.commits;
    life.accepted = row.accepted;
    life.expired = row.expired;
  }
}
