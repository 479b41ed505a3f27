/** Follows what the validators decide about each other, and says it as it happens: who leads, who enters and leaves the sets, who is excluded or slashed. */
import type { StatusView, ValidatorsRows } from '../../src/rpc/client.ts';

type Row = ValidatorsRows['validators'][number];

/** What the run shows of it. */
export interface ConsensusReading {
  /** Changes of the lead seen, and who has led. */
  readonly elections: number;
  readonly leaders: readonly string[];
  readonly epoch: number;
  readonly era: number;
  readonly slashed: readonly string[];
  /** Validators that left the sets for absence, or were excluded, at some time. */
  readonly stale: readonly string[];
  readonly decoys: number;
  readonly evidence: number;
  readonly conflicts: number;
}

export class ConsensusWatch {
  readonly #names: ReadonlyMap<string, string>;
  readonly #termSlots: number;
  readonly #say: (line: string) => void;
  readonly #rows = new Map<string, Row>();
  readonly #leaders = new Set<string>();
  readonly #slashed = new Set<string>();
  readonly #stale = new Set<string>();
  #leader: string | null = null;
  #leaderTerm = 0;
  #secondary: string | null = null;
  #elections = 0;
  #era = 0;
  #epoch = 0;

  /** @param names of nodes by public key */
  constructor(names: ReadonlyMap<string, string>, termSlots: number, say: (line: string) => void) {
    this.#names = names;
    this.#termSlots = termSlots;
    this.#say = say;
  }

  /** Takes what the furthest node says. */
  observe(view: ValidatorsRows, { head }: Pick<StatusView, 'head'>): void {
    this.#epoch = Math.max(this.#epoch, view.epoch);
    if (view.era > this.#era) {
      this.#era = view.era;
      const count = view.validators.filter(({ weight }) => weight !== '0').length;
      this.#say(`era ${view.era} begins in epoch ${view.epoch}, ${count} validators weigh`);
    }
    this.#observeLeader(view, head.slot);
    for (const row of view.validators) this.#observeRow(row);
  }

  #observeLeader({ leader, secondary }: ValidatorsRows, slot: number): void {
    if (secondary !== this.#secondary && secondary !== null)
      this.#say(`${this.#name(secondary)} is approved as secondary`);
    this.#secondary = secondary;
    if (leader === null || leader === this.#leader) return;
    const term = this.#termSlots === 0 ? 0 : Math.floor((slot + 1) / this.#termSlots);
    const why = term === this.#leaderTerm ? 'elected' : 'by schedule';
    if (this.#leader !== null) {
      this.#elections += 1;
      this.#say(`${this.#name(leader)} leads after ${this.#name(this.#leader)}, ${why}, from about slot ${slot + 1}`);
    }
    this.#leader = leader;
    this.#leaderTerm = term;
    this.#leaders.add(this.#name(leader));
  }

  #observeRow(row: Row): void {
    const name = this.#name(row.publicKey);
    const before = this.#rows.get(row.publicKey);
    this.#rows.set(row.publicKey, row);
    if (row.slashed && !this.#slashed.has(name)) {
      this.#slashed.add(name);
      this.#say(`${name} is SLASHED: its bond goes to the reward pool`);
    }
    if (before === undefined) return;
    if (row.stage !== before.stage) this.#say(`${name}: ${before.stage} -> ${row.stage}`);
    if (row.excluded && !before.excluded) this.#say(`${name} is excluded: absent while nothing became final`);
    if (row.missedEpochs > before.missedEpochs) this.#say(`${name} has missed ${row.missedEpochs} epochs`);
    if ((row.stale || row.excluded) && !row.slashed) this.#stale.add(name);
  }

  #name(key: string): string {
    return this.#names.get(key) ?? key.slice(0, 8);
  }

  /** @param statuses of all running validators and archives */
  reading(statuses: readonly StatusView[]): ConsensusReading {
    const each = statuses.map(({ consensus }) => consensus);
    return {
      elections: this.#elections,
      leaders: [...this.#leaders],
      epoch: this.#epoch,
      era: this.#era,
      slashed: [...this.#slashed],
      stale: [...this.#stale],
      decoys: each.reduce((sum, { decoys }) => sum + decoys, 0),
      evidence: Math.max(0, ...each.map(({ evidence }) => evidence)),
      conflicts: each.filter(({ conflict }) => conflict !== null).length,
    };
  }
}
