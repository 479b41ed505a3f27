/**
 * What a validator does besides voting and leading, all by transactions: puts evidence before the chain until its culprit is slashed, names a secondary while it leads,
 * approves the one another leader names, and comes back after an absence.
 *
 * Invariants
 * - Evidence is sent again every `RESEND_SLOTS` until the final state shows the culprit slashed or gone; at most `EVIDENCE_MAX` culprits wait.
 * - One approval a nomination; one nomination under way.
 */
import { byteKey, type PublicKey, sameBytes, slot as toSlot } from '../../../native/index.ts';
import { blockTransactions, type Offence, type Payload, type SigningKey } from '../../codec/index.ts';
import { type Electorate, type Evidence, rankOf } from '../../consensus/index.ts';
import { type Genesis, type LedgerRules, readValidators, type ValidatorOverview } from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import { culpritOf } from '../chain/consensus-effects.ts';
import type { Logger } from '../log.ts';
import { offenceOf } from './offence.ts';

/** Slots after which what has not come into the chain is sent again. */
const RESEND_SLOTS = 16;
const EVIDENCE_MAX = 64;
/** Epochs after which a bond that left for absence may enter again, by the ledger's rule. */
const AWAY_EPOCHS = 2;
/** Nominations seen that are remembered. */
const NOMINATIONS_KEPT = 64;

export interface ValidatorDutiesDeps {
  readonly key: SigningKey;
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  readonly best: () => ChainBlock;
  readonly final: () => ChainBlock;
  /** Whether this validator leads, and the next block is its own too. */
  readonly isLeading: () => boolean;
  /** Signs and queues a payload. @param isFree a member's own business: it pays no fee */
  readonly send: (payload: Payload, isFree: boolean) => Promise<void>;
  readonly log: Logger;
}

interface Outstanding {
  readonly culprit: PublicKey;
  readonly offence: Offence;
  sentSlot: number;
}

export class ValidatorDuties {
  readonly #deps: ValidatorDutiesDeps;
  readonly #evidence = new Map<string, Outstanding>();
  readonly #approved = new Set<string>();
  #nominatedUntil = 0;
  #askedBackEpoch = -1;

  constructor(deps: ValidatorDutiesDeps) {
    this.#deps = deps;
  }

  /** Misbehaviour was found here. */
  evidence(evidence: Evidence): void {
    const offence = offenceOf(evidence);
    const culprit = culpritOf(evidence);
    const key = byteKey(culprit);
    if (offence === null || this.#evidence.has(key) || this.#evidence.size >= EVIDENCE_MAX) return;
    this.#evidence.set(key, { culprit, offence, sentSlot: Number.NEGATIVE_INFINITY });
    this.look();
  }

  /** A block was executed here: its leader may have named somebody to follow it. */
  executed(block: ChainBlock): void {
    for (const { payload, from } of blockTransactions(block.block?.entries ?? []))
      if (payload.kind === 'nominate' && sameBytes(from, block.header.leader))
        this.#approve(block, payload.secondary, payload.deadlineSlot);
  }

  /** Does what is due; now and then. */
  look(): void {
    const best = this.#deps.best();
    const { publicKey } = this.#deps.key;
    const isMember = rankOf(best.electorate, publicKey) !== undefined;
    if (isMember) this.#sendEvidence(best);
    if (isMember && this.#deps.isLeading()) this.#nominate(best);
    if (!isMember) this.#comeBack(best);
  }

  #sendEvidence({ header: { slot } }: ChainBlock): void {
    if (this.#evidence.size === 0) return;
    const validators = readValidators(this.#deps.rules, this.#deps.final().state);
    for (const [key, outstanding] of this.#evidence) {
      const found = validators.find((each) => sameBytes(each.publicKey, outstanding.culprit));
      if (found === undefined || found.slashed) this.#evidence.delete(key);
      else if (slot - outstanding.sentSlot >= RESEND_SLOTS) {
        outstanding.sentSlot = slot;
        this.#send({ kind: 'evidence', offence: outstanding.offence }, true);
      }
    }
  }

  /** The next in rank stands in when this leader is gone: named until it is approved. */
  #nominate({ header: { slot }, electorate }: ChainBlock): void {
    const next = nextInRank(electorate, this.#deps.key.publicKey);
    if (next === null || isStanding(electorate, this.#deps.key.publicKey) || slot <= this.#nominatedUntil) return;
    const { timeoutSlots, slotsPerEpoch } = this.#deps.genesis.consensus;
    // The ledger takes no deadline further away than an epoch.
    this.#nominatedUntil = slot + Math.min(4 * timeoutSlots, slotsPerEpoch);
    this.#send({ kind: 'nominate', secondary: next, deadlineSlot: toSlot(this.#nominatedUntil) }, true);
  }

  #approve({ header, electorate }: ChainBlock, secondary: PublicKey, deadlineSlot: number): void {
    const name = `${byteKey(secondary)} ${deadlineSlot}`;
    const own = electorate.members[rankOf(electorate, this.#deps.key.publicKey) ?? -1];
    const nominee = electorate.members[rankOf(electorate, secondary) ?? -1];
    if (own?.excluded !== false || nominee?.excluded !== false) return;
    if (header.slot >= deadlineSlot || this.#approved.has(name)) return;
    this.#approved.add(name);
    for (const oldest of this.#approved) if (this.#approved.size > NOMINATIONS_KEPT) this.#approved.delete(oldest);
    this.#send({ kind: 'approve', secondary }, true);
  }

  /** A bond that left the sets for absence, and nothing else, waits to enter again: once an epoch until it does. */
  #comeBack({ electorate: { epoch } }: ChainBlock): void {
    if (epoch === this.#askedBackEpoch) return;
    const { rules, final, key, log } = this.#deps;
    const own = readValidators(rules, final().state).find((each) => sameBytes(each.publicKey, key.publicKey));
    if (own === undefined || !mayComeBack(own, epoch)) return;
    this.#askedBackEpoch = epoch;
    log.info({ epoch }, 'left the sets for absence: asking to enter again');
    this.#send({ kind: 'bond', amount: 0n as never }, false);
  }

  #send(payload: Payload, isFree: boolean): void {
    void this.#deps
      .send(payload, isFree)
      .catch((error: Error) => this.#deps.log.warn({ kind: payload.kind, error: error.message }, 'not sent'));
  }
}

/** The first active member of the current set after a key, by rank; null when there is no other. */
export function nextInRank(electorate: Electorate, key: PublicKey): PublicKey | null {
  const { members } = electorate;
  const rank = rankOf(electorate, key) ?? -1;
  const after = [...members.slice(rank + 1), ...members.slice(0, Math.max(0, rank))];
  const next = after.find((member) => member.inCurrent && !member.excluded && !sameBytes(member.publicKey, key));
  return next?.publicKey ?? null;
}

/** Whether somebody other than the leader is approved to follow it, and can. */
function isStanding(electorate: Electorate, leader: PublicKey): boolean {
  const { secondary, members } = electorate;
  if (secondary === null || sameBytes(secondary, leader)) return false;
  return members[rankOf(electorate, secondary) ?? -1]?.excluded === false;
}

/** Whether it left for absence, long enough ago. */
function mayComeBack({ leftEpoch, asked, slashed }: ValidatorOverview, epoch: number): boolean {
  return leftEpoch !== null && epoch >= leftEpoch + AWAY_EPOCHS && !asked && !slashed;
}
