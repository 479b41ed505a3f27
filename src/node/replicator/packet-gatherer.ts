/**
 * Gathers validation packets: asks validators for their signed findings on this identity's proofs, and on others' of the same period, and hands those that hold
 * to the ledger in one transaction.
 *
 * Invariants
 * - A finding goes into a packet only when its signature holds for exactly the list asked about: one bad signature would have the whole packet refused.
 * - One list a period is out at a time; it is sent again only when own proofs are still undecided `RESEND_SLOTS` later.
 */
import { address, byteKey, type Kernels, publicKey } from '../../../native/index.ts';
import {
  hasFinding,
  type ReplicaName,
  replicaNameOrder,
  type SignedFindings,
  type SignedMessage,
  VALIDATION_ENTRIES_MAX,
  VALIDATION_VOTERS_MAX,
  type ValidationsPayload,
  validationMessage,
} from '../../codec/index.ts';
import type { Electorate } from '../../consensus/index.ts';
import { type LedgerRules, seatKey, totalWeight, weightOf } from '../../ledger/index.ts';
import type { PeerName, Transport } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import { decodeMessage, encodeMessage, PendingProofsAnswer, PROTOCOL, ValidationsAnswer } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import type { SignatureChecks } from '../signature-checks.ts';

const RESEND_SLOTS = 8;
const ANSWER_SIZE_BYTES_MAX = 16_384;
const PERIODS_KEPT = 4;

export interface PacketGathererDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly rules: LedgerRules;
  /** Who has which seat now, and what weight. */
  readonly electorate: () => Electorate;
  readonly signatures: Pick<SignatureChecks, 'many'>;
  /** 20 bytes. */
  readonly identity: Uint8Array;
  /** Connected validators. */
  readonly validators: () => readonly PeerName[];
  /** Hands a transaction to the network, with so many minimum fees. */
  readonly send: (payload: ValidationsPayload, fees: number) => Promise<boolean>;
  readonly log: Logger;
}

export class PacketGatherer {
  readonly #deps: PacketGathererDeps;
  /** Slot in which a packet of a period was sent. */
  readonly #sent = new Map<number, number>();
  /** The final head's slot at which validators were last asked, by period. */
  readonly #askedSlot = new Map<number, number>();
  /** Packets that were taken. */
  packetsSent = 0;

  constructor(deps: PacketGathererDeps) {
    this.#deps = deps;
  }

  /** Lands a packet for a period when enough validators have findings. @param own segments whose proofs of that period are pending @param slot of the final head */
  async gather(period: number, own: readonly number[], slot: number): Promise<void> {
    for (const [sentPeriod, sentSlot] of this.#sent) if (slot - sentSlot >= RESEND_SLOTS) this.#sent.delete(sentPeriod);
    if (own.length === 0 || this.#sent.has(period) || this.#askedSlot.get(period) === slot) return;
    this.#askedSlot.delete(period - PERIODS_KEPT);
    this.#askedSlot.set(period, slot);
    const all = await this.#entries(period, own);
    const first = await this.#ask(period, all);
    // What nobody approves is left to the validators' own verdicts, which say why; what somebody approves goes along, also a fake.
    const entries = all.filter((_, index) => !isRejected(first, index));
    const voters = entries.length === all.length ? first : await this.#ask(period, entries);
    if (!this.#isWorthIt(entries, voters)) return;
    const payload: ValidationsPayload = { kind: 'validations', period, entries, voters };
    if (!(await this.#deps.send(payload, 1 + voters.length))) return;
    this.#sent.set(period, slot);
    this.packetsSent += 1;
    this.#deps.log.debug({ period, entries: entries.length, voters: voters.length }, 'validation packet sent');
  }

  /** The findings of every validator that has some on this list. */
  async #ask(period: number, entries: readonly ReplicaName[]): Promise<readonly SignedFindings[]> {
    if (entries.length === 0) return [];
    const asked = await Promise.all(this.#deps.validators().map((peer) => this.#findings(peer, period, entries)));
    const shaped = asked.filter((one) => one !== undefined);
    const verdicts = await this.#deps.signatures.many(shaped.map(({ signed }) => signed));
    return distinct(shaped.filter((_, index) => verdicts[index]).map(({ answer }) => answer));
  }

  /** Own proofs, and as many of others' as fit. */
  async #entries(period: number, own: readonly number[]): Promise<readonly ReplicaName[]> {
    const identity = address(Uint8Array.from(this.#deps.identity));
    const names = new Map<string, ReplicaName>();
    const add = (name: ReplicaName): void => {
      if (names.size < VALIDATION_ENTRIES_MAX) names.set(`${name.segment}/${byteKey(name.identity)}`, name);
    };
    for (const segment of own) add({ segment, identity });
    for (const { segment, identity: other } of await this.#others(period))
      add({ segment, identity: address(Uint8Array.from(other)) });
    return [...names.values()].sort(replicaNameOrder);
  }

  async #others(period: number): Promise<PendingProofsAnswer['entries']> {
    const [peer] = this.#deps.validators();
    if (peer === undefined) return [];
    const frame = await this.#one(peer, PROTOCOL.pendingProofs, { period });
    if (frame === undefined) return [];
    return decodeMessage(PendingProofsAnswer, frame, peer, PROTOCOL.pendingProofs).entries;
  }

  /** A validator's findings of the right shape; their signature is still to be checked. */
  async #findings(
    peer: PeerName,
    period: number,
    entries: readonly ReplicaName[],
  ): Promise<{ readonly answer: SignedFindings; readonly signed: SignedMessage } | undefined> {
    const { rules, electorate } = this.#deps;
    const frame = await this.#one(peer, PROTOCOL.validations, {
      period,
      entries: entries.map(({ segment, identity }) => ({ segment, identity: Uint8Array.from(identity) })),
    });
    if (frame === undefined) return undefined;
    const answer = decodeMessage(ValidationsAnswer, frame, peer, PROTOCOL.validations) as SignedFindings;
    const size = Math.ceil(entries.length / 8);
    const key = seatKey(electorate(), answer.seat);
    if (key === undefined || answer.valid.length !== size || answer.invalid.length !== size) return undefined;
    const message = validationMessage(rules.chainId, { period, entries }, answer);
    return { answer, signed: { publicKey: publicKey(key), signature: answer.signature, message } };
  }

  /** More than two thirds of the weight approve one entry at least: then the packet settles something by itself. */
  #isWorthIt(entries: readonly ReplicaName[], voters: readonly SignedFindings[]): boolean {
    const electorate = this.#deps.electorate();
    return entries.some((_, index) => {
      const weight = voters.reduce(
        (sum, { seat, valid }) => sum + (hasFinding(valid, index) ? weightOf(electorate, seat) : 0n),
        0n,
      );
      return weight * 3n > totalWeight(electorate) * 2n;
    });
  }

  /** One frame of an answer; undefined when the peer has none, or fails: it is asked again later. */
  async #one(peer: PeerName, protocol: string, message: Record<string, unknown>): Promise<Uint8Array | undefined> {
    const question = { protocol, request: encodeMessage(message), framesMax: 1, sizeBytesMax: ANSWER_SIZE_BYTES_MAX };
    try {
      for await (const frame of ask(this.#deps.transport, peer, question)) return frame;
    } catch (error) {
      this.#deps.log.debug({ peer, protocol, error: (error as Error).message }, 'no findings from a validator');
    }
    return undefined;
  }
}

function isRejected(voters: readonly SignedFindings[], index: number): boolean {
  return (
    voters.some(({ invalid }) => hasFinding(invalid, index)) && !voters.some(({ valid }) => hasFinding(valid, index))
  );
}

/** One of each seat, ascending. */
function distinct(findings: readonly SignedFindings[]): SignedFindings[] {
  const bySeat = new Map(findings.map((one) => [one.seat, one]));
  return [...bySeat.values()].sort((a, b) => a.seat - b.seat).slice(0, VALIDATION_VOTERS_MAX);
}
