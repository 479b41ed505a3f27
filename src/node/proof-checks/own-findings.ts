/**
 * What a validator sends of its findings by itself, because no packet will bring it: sealed ones that have not landed, its secret once it may be shown, and
 * the rejections, which nobody else would have settled.
 *
 * Invariants
 * - Approvals and rejections are sealed alike, and at the same time: when something is sent tells nothing of what it says.
 * - The secret is shown only when the *final* chain is past the last slot for sealed findings: then nobody can seal a copy on it, on any fork.
 * - What is needed for that is read from the final state and the key: after a crash it goes on as if there had been none.
 * - Nothing is sent again before `RESEND_SLOTS` have passed. What is open already and still does not settle proofs is sent `ATTEMPTS_MAX` times at most.
 */
import { type Payload, type ReplicaName, type SettledName, VALIDATION_ENTRIES_MAX } from '../../codec/index.ts';
import {
  firstUndecidedPeriod,
  type LedgerRules,
  pendingProofs,
  periodOfSlot,
  proofLastSlot,
  readReplicas,
  readSeal,
  sealLastSlot,
} from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import { type FindingsBook, settledName } from './findings-book.ts';

/** Longer than a transaction takes to become final, where the network is well. */
const RESEND_SLOTS = 4;
const ATTEMPTS_MAX = 3;

/** The final chain as far as findings go. */
type FinalState = Pick<ChainBlock, 'state' | 'header'>;

export interface OwnFindingsDeps {
  readonly rules: LedgerRules;
  readonly book: FindingsBook;
  /** @param fees how many minimum fees it costs */
  readonly send: (payload: Payload, fees: number) => Promise<void>;
  /** Asked before a secret is given away or sent; true when absent. What copies uses it (copying-verifier.ts). */
  readonly maySpeak?: (final: FinalState, period: number, seat: number) => boolean;
}

export class OwnFindings {
  readonly #deps: OwnFindingsDeps;
  /** Slot in which something was last sent, by what it was. */
  readonly #sent = new Map<string, number>();
  /** How often proofs of a period were to be settled. */
  readonly #attempts = new Map<number, number>();

  constructor(deps: OwnFindingsDeps) {
    this.#deps = deps;
  }

  /** Sends what is due. @param seat this validator's */
  async send(final: FinalState, seat: number): Promise<void> {
    const { rules } = this.#deps;
    const { slot } = final.header;
    for (const [what, sentSlot] of this.#sent) if (slot - sentSlot >= RESEND_SLOTS) this.#sent.delete(what);
    await this.#sendSealed(final, seat);
    const current = periodOfSlot(rules.replication, slot);
    const first = firstUndecidedPeriod(rules.replication, slot);
    for (const period of this.#attempts.keys()) if (period < first) this.#attempts.delete(period);
    for (let period = first; period <= current; period++)
      if (this.isPastSealing(slot, period)) await this.#sendOpen(final, period, seat);
  }

  /** Whether nobody can seal findings of a period any more. @param slot of the final head */
  isPastSealing(slot: number, period: number): boolean {
    return slot > sealLastSlot(this.#deps.rules.replication, period);
  }

  /** Seals what the ledger lacks: after the time in which packets bring it, and in any case after the proofs' deadline. */
  async #sendSealed({ state, header: { slot } }: FinalState, seat: number): Promise<void> {
    const { rules, book } = this.#deps;
    const { replication } = rules;
    const due = new Map<number, ReplicaName[]>();
    for (const { segment, identity, period } of pendingProofs(rules, state, seat, slot)) {
      const finding = book.get({ segment, identity, period });
      if (finding === undefined || this.#sent.has(sealedName(period))) continue;
      if (slot < proofLastSlot(replication, period) && slot - finding.foundSlot < patienceSlots(rules)) continue;
      const entries = due.get(period);
      if (entries === undefined) due.set(period, [{ segment, identity }]);
      else entries.push({ segment, identity });
    }
    for (const [period, all] of due) {
      for (const entries of partsOf(all)) {
        const voter = book.seal(period, entries, seat)!;
        await this.#deps.send({ kind: 'validations', period, entries, voters: [voter] }, 2);
      }
      this.#sent.set(sealedName(period), slot);
    }
  }

  /** Shows the secret, and has settled what nobody else does: rejections at once, the rest after a while. */
  async #sendOpen(final: FinalState, period: number, seat: number): Promise<void> {
    const { rules, book, send, maySpeak } = this.#deps;
    const { state, header } = final;
    const seal = readSeal(state, period, seat);
    const name = `open/${period}`;
    if (seal === undefined || this.#sent.has(name) || maySpeak?.(final, period, seat) === false) return;
    const attempts = this.#attempts.get(period) ?? 0;
    if (seal.isOpen && attempts >= ATTEMPTS_MAX) return;
    const isPatient = header.slot <= sealLastSlot(rules.replication, period) + patienceSlots(rules);
    const unsettled = this.#unsettled(final, period, isPatient);
    if (unsettled.length === 0 && (seal.isOpen || isPatient)) return;
    this.#sent.set(name, header.slot);
    this.#attempts.set(period, attempts + 1);
    const secrets = seal.isOpen ? [] : [{ seat, secret: book.secret(period, seat) }];
    const [first = [], ...others] = partsOf(unsettled);
    await send({ kind: 'unseal', period, secrets, entries: first }, 1 + secrets.length + first.length);
    for (const entries of others) await send({ kind: 'unseal', period, secrets: [], entries }, 1 + entries.length);
  }

  /** This validator's findings on the period's proofs that the ledger has not settled. */
  #unsettled({ state }: FinalState, period: number, rejectedOnly: boolean): SettledName[] {
    const names: SettledName[] = [];
    for (const { segment, identity, record } of readReplicas(state)) {
      if (record.proof?.state !== 'pending' || record.nextPeriod !== period + 1) continue;
      const finding = this.#deps.book.get({ segment, identity, period });
      if (finding !== undefined && !(rejectedOnly && finding.valid)) names.push(settledName(finding));
    }
    return names;
  }
}

/** How long it waits for somebody else to land what it has sealed, and later to show its secret and settle what it has approved. */
function patienceSlots({ replication }: LedgerRules): number {
  return Math.max(2, Math.floor(replication.sealSlots / 2));
}

function sealedName(period: number): string {
  return `sealed/${period}`;
}

function partsOf<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / VALIDATION_ENTRIES_MAX) }, (_, part) =>
    all.slice(part * VALIDATION_ENTRIES_MAX, (part + 1) * VALIDATION_ENTRIES_MAX),
  );
}
