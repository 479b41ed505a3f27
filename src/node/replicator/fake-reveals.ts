/**
 * When fakes are revealed: once validators have had their period to open what they sealed, before the next proof of the segment takes their place on the ledger.
 *
 * Invariant: a fake is forgotten only when the ledger shows it revealed, or when it can no longer be.
 */

import { hash } from '../../../native/index.ts';
import type { ReplicationSchedule } from '../../../replicator/index.ts';
import type { Payload } from '../../codec/index.ts';
import type { ReplicaStatus } from '../protocols.ts';
import type { KeptFake, OpeningFolder } from './opening-folder.ts';

const RESEND_SLOTS = 4;

export interface FakeRevealsDeps {
  readonly schedule: ReplicationSchedule;
  readonly market: { readonly proofDeadlineSlots: number };
  readonly folder: OpeningFolder;
  readonly send: (payload: Payload) => Promise<boolean>;
}

export class FakeReveals {
  readonly #deps: FakeRevealsDeps;
  /** Slot in which a segment's fake was last revealed. */
  readonly #sentSlot = new Map<number, number>();

  constructor(deps: FakeRevealsDeps) {
    this.#deps = deps;
  }

  /** Reveals what is due, and forgets what is settled. @returns how many reveals were sent */
  async work(slot: number, records: readonly ReplicaStatus[]): Promise<number> {
    let sent = 0;
    for (const fake of this.#deps.folder.fakes) {
      const record = records.find(({ segment }) => segment === fake.segment);
      const stands = record?.lastPeriod === fake.period;
      const isRevealed = stands && record.proof === 'revealed';
      if (isRevealed || slot > this.#slots(fake.period).closes) await this.#deps.folder.dropFake(fake);
      else if (stands && (await this.#reveal(fake, slot))) sent += 1;
    }
    return sent;
  }

  /** Whether a fake must be revealed before a proof of its segment for a later period is sent. */
  mustWait(segment: number, period: number, slot: number): boolean {
    return this.#deps.folder.fakes.some(
      (fake) => fake.segment === segment && fake.period < period && slot <= this.#slots(fake.period).closes,
    );
  }

  async #reveal({ segment, period, secret, restHash }: KeptFake, slot: number): Promise<boolean> {
    const last = this.#sentSlot.get(segment) ?? Number.NEGATIVE_INFINITY;
    if (slot < this.#slots(period).opens || slot - last < RESEND_SLOTS) return false;
    if (!(await this.#deps.send({ kind: 'revealFake', segment, period, secret, restHash: hash(restHash) })))
      return false;
    this.#sentSlot.set(segment, slot);
    return true;
  }

  /** Slots of the final head at which a reveal can be sent: the next block is in the range that the ledger takes. */
  #slots(period: number): { readonly opens: number; readonly closes: number } {
    const { market, schedule } = this.#deps;
    const opens = (period + 1) * schedule.slotsPerPeriod - 1;
    return { opens, closes: opens + market.proofDeadlineSlots };
  }
}
