/**
 * Gathers validation packets: asks validators for their sealed findings on this identity's proofs, and on others' of the same period, and hands those that hold
 * to the ledger in one transaction; and when nobody can seal any more, the secrets that open them, which have the proofs settled.
 *
 * Invariants
 * - A finding goes into a packet only when its signature holds for exactly the list asked about: one bad signature would be paid for in vain.
 * - One list a period is out at a time. Sealed findings are sent again when there are more of them, and once when there are not; secrets as long as own proofs are undecided; neither within `RESEND_SLOTS`.
 */
import { address, byteKey, hash, type Kernels, publicKey } from '../../../native/index.ts';
import {
  hasFinding,
  type ReplicaName,
  replicaNameOrder,
  type SealedFindings,
  type SeatSecret,
  type SignedMessage,
  type UnsealPayload,
  VALIDATION_ENTRIES_MAX,
  VALIDATION_VOTERS_MAX,
  type ValidationsPayload,
  validationMessage,
} from '../../codec/index.ts';
import type { Electorate } from '../../consensus/index.ts';
import { type LedgerRules, sealLastSlot, seatKey, totalWeight, weightOf } from '../../ledger/index.ts';
import type { PeerName, Transport } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import {
  decodeMessage,
  encodeMessage,
  FindingsSecretAnswer,
  PendingProofsAnswer,
  PROTOCOL,
  ValidationsAnswer,
} from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import type { SignatureChecks } from '../signature-checks.ts';

/** Longer than a transaction takes to become final, where the network is well. */
const RESEND_SLOTS = 4;
/** Proofs stay pending until their findings are opened: a packet that says nothing new is sent once more, in case it was lost. */
const REPEATS_MAX = 1;
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
  readonly send: (payload: ValidationsPayload | UnsealPayload, fees: number) => Promise<boolean>;
  readonly log: Logger;
}

export class PacketGatherer {
  readonly #deps: PacketGathererDeps;
  /** Slot in which a period's packet, or its secrets, were sent. */
  readonly #sent = new Map<string, number>();
  /** How much was said in the last packet of a period, and how often that was sent again. */
  readonly #landed = new Map<number, { readonly words: number; readonly repeats: number }>();
  /** The final head's slot at which validators were last asked, by period. */
  readonly #askedSlot = new Map<number, number>();
  /** Packets that were taken. */
  packetsSent = 0;

  constructor(deps: PacketGathererDeps) {
    this.#deps = deps;
  }

  /** Lands sealed findings on a period's proofs, and later their secrets, when enough validators have some. @param own segments whose proofs of that period are pending @param slot of the final head */
  async gather(period: number, own: readonly number[], slot: number): Promise<void> {
    for (const [sent, sentSlot] of this.#sent) if (slot - sentSlot >= RESEND_SLOTS) this.#sent.delete(sent);
    const isOpening = slot > sealLastSlot(this.#deps.rules.replication, period);
    const name = `${isOpening ? 'secrets' : 'sealed'}/${period}`;
    if (own.length === 0 || this.#sent.has(name) || this.#askedSlot.get(period) === slot) return;
    this.#askedSlot.delete(period - PERIODS_KEPT);
    this.#landed.delete(period - PERIODS_KEPT);
    this.#askedSlot.set(period, slot);
    const entries = await this.#entries(period, own);
    const isSent = isOpening ? await this.#openFindings(period, entries) : await this.#landSealed(period, entries);
    if (!isSent) return;
    this.#sent.set(name, slot);
    this.packetsSent += 1;
  }

  async #landSealed(period: number, entries: readonly ReplicaName[]): Promise<boolean> {
    const voters = await this.#ask(period, entries);
    if (!this.#isWorthIt(entries, voters)) return false;
    const words = entries.reduce(
      (sum, _, index) => sum + voters.filter(({ spoken }) => hasFinding(spoken, index)).length,
      0,
    );
    const last = this.#landed.get(period) ?? { words: 0, repeats: 0 };
    const repeats = words > last.words ? 0 : last.repeats + 1;
    if (repeats > REPEATS_MAX) return false;
    if (!(await this.#deps.send({ kind: 'validations', period, entries, voters }, 1 + voters.length))) return false;
    this.#landed.set(period, { words, repeats });
    this.#deps.log.debug({ period, entries: entries.length, voters: voters.length }, 'sealed findings sent');
    return true;
  }

  /** Opens what more than two thirds of the weight have sealed. Whether a secret fits, the ledger sees; what is rejected is left to the validators, whose reasons count. */
  async #openFindings(period: number, names: readonly ReplicaName[]): Promise<boolean> {
    const { rules, electorate, send, log } = this.#deps;
    const asked = await Promise.all(this.#deps.validators().map((peer) => this.#secret(peer, period)));
    const secrets = distinct(asked.filter((one) => one !== undefined));
    const weight = secrets.reduce((sum, { seat }) => sum + weightOf(electorate(), seat), 0n);
    if (weight * 3n <= totalWeight(electorate()) * 2n) return false;
    const entries = names.map((name) => ({ ...name, reason: 'unstated' as const }));
    log.debug({ period, last: sealLastSlot(rules.replication, period), secrets: secrets.length }, 'secrets sent');
    return send({ kind: 'unseal', period, secrets, entries }, 1 + secrets.length + entries.length);
  }

  /** The findings of every validator that has some on this list. */
  async #ask(period: number, entries: readonly ReplicaName[]): Promise<readonly SealedFindings[]> {
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
  ): Promise<{ readonly answer: SealedFindings; readonly signed: SignedMessage } | undefined> {
    const { rules, electorate } = this.#deps;
    const frame = await this.#one(peer, PROTOCOL.validations, {
      period,
      entries: entries.map(({ segment, identity }) => ({ segment, identity: Uint8Array.from(identity) })),
    });
    if (frame === undefined) return undefined;
    const answer = decodeMessage(ValidationsAnswer, frame, peer, PROTOCOL.validations) as SealedFindings;
    const size = Math.ceil(entries.length / 8);
    const key = seatKey(electorate(), answer.seat);
    if (key === undefined || answer.spoken.length !== size || answer.sealed.length !== size) return undefined;
    const message = validationMessage(rules.chainId, { period, entries }, answer);
    return { answer, signed: { publicKey: publicKey(key), signature: answer.signature, message } };
  }

  /** A validator's secret of the right shape; whether it is the one, the ledger sees. */
  async #secret(peer: PeerName, period: number): Promise<SeatSecret | undefined> {
    const frame = await this.#one(peer, PROTOCOL.findingsSecret, { period });
    if (frame === undefined) return undefined;
    const { seat, secret } = decodeMessage(FindingsSecretAnswer, frame, peer, PROTOCOL.findingsSecret);
    return seatKey(this.#deps.electorate(), seat) === undefined ? undefined : { seat, secret: hash(secret) };
  }

  /** More than two thirds of the weight say something of one entry at least: then the packet may settle something by itself. */
  #isWorthIt(entries: readonly ReplicaName[], voters: readonly SealedFindings[]): boolean {
    const electorate = this.#deps.electorate();
    return entries.some((_, index) => {
      const weight = voters.reduce(
        (sum, { seat, spoken }) => sum + (hasFinding(spoken, index) ? weightOf(electorate, seat) : 0n),
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

/** One of each seat, ascending. */
function distinct<T extends { readonly seat: number }>(all: readonly T[]): T[] {
  const bySeat = new Map(all.map((one) => [one.seat, one]));
  return [...bySeat.values()].sort((a, b) => a.seat - b.seat).slice(0, VALIDATION_VOTERS_MAX);
}
