/**
 * Does what the plan says: commits, proves and drops replicas, and beside it encodes or rotates one or two at a time.
 *
 * Invariants
 * - A proof never waits for an encoding.
 * - A commit or proof is sent only for a replica that is whole and durable on disk.
 * - A rotation reads its plaintext out of the own replica, every leaf checked; a damaged one is dropped and the segment fetched again. (With
 *   `faults.corruptByte` and after an injected corruption the check is left out for that replica, so that the network can be seen to catch it.)
 * - What was sent is remembered for a while and not sent again meanwhile; what the ledger does not show after that is sent anew.
 */
import { type Hash, hash, type Kernels, sameBytes } from '../../../native/index.ts';
import {
  CorruptReplicaError,
  type DesignatedBlock,
  planReplicas,
  type ReplicaHeader,
  type ReplicaStore,
  type ReplicationSchedule,
  type ReplicatorAction,
  rotationStartPeriod,
  type SegmentGeometry,
  type VrfKey,
} from '../../../replicator/index.ts';
import type { BlockHeader, Payload } from '../../codec/index.ts';
import type { LedgerRules } from '../../ledger/index.ts';
import type { PeerName } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import type { ReplicasAnswer } from '../protocols.ts';
import { FakeReveals } from './fake-reveals.ts';
import type { ReplicatorFaults } from './faults.ts';
import type { FinalityFollower } from './finality-follower.ts';
import type { MadeProof, ProofRequest, Prover } from './prover.ts';
import {
  type Encoded,
  type EncodingNow,
  isCallers,
  isLong,
  type LongAction,
  ReplicaEncoder,
} from './replica-encoder.ts';
import type { SegmentSource } from './segment-source.ts';

/** How many slots a sent transaction may take to show on the ledger before it is sent again. */
const RESEND_SLOTS = 12;

export interface KeeperDeps {
  readonly kernels: Kernels;
  readonly store: ReplicaStore;
  readonly vrf: VrfKey;
  readonly identity: Uint8Array;
  readonly schedule: ReplicationSchedule;
  readonly geometry: SegmentGeometry;
  readonly market: KeeperMarket;
  readonly prover: Prover;
  readonly faults: ReplicatorFaults;
  readonly follower: FinalityFollower;
  readonly segments: SegmentSource;
  /** Hands a transaction to the network; true when somebody took it. */
  readonly send: (payload: Payload) => Promise<boolean>;
  /** Keeps the newest proof of each segment, for `cairn verify proof`. */
  readonly saveProof: (segment: number, ending: string, bytes: Uint8Array) => Promise<void>;
  readonly log: Logger;
}

/** The market's rules as far as they decide when a proof is sent. */
export type KeeperMarket = Pick<LedgerRules['replication'], 'mode' | 'proofDeadlineSlots'>;

/** What is kept of one replica besides its file. */
interface Held {
  readonly header: ReplicaHeader;
  commitSentSlot: number;
  readonly proofSentSlot: Map<number, number>;
}

export interface KeeperCounts {
  encodes: number;
  rotations: number;
  proofsSent: number;
  fakesSent: number;
  reveals: number;
}

export class ReplicaKeeper {
  readonly #deps: KeeperDeps;
  readonly #held = new Map<string, Held>();
  readonly #corrupted = new Set<number>();
  readonly #damaged = new Map<number, CorruptReplicaError>();
  readonly counts: KeeperCounts = { encodes: 0, rotations: 0, proofsSent: 0, fakesSent: 0, reveals: 0 };
  readonly #encoder: ReplicaEncoder;
  #encodingsDue = 0;
  readonly #reveals: FakeReveals;
  /** The segments wanted when unfinished encodings of all others were last removed. */
  #sweptFor: string | undefined;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    const { schedule, follower } = deps;
    this.#encoder = new ReplicaEncoder({
      ...deps,
      rotationHash: (rotation) =>
        follower.lastUpTo(rotationStartPeriod(schedule, rotation) * schedule.slotsPerPeriod)?.pohHash,
      isUnchecked: (segment) => this.#corrupted.has(segment),
    });
    const { market, prover, send } = deps;
    this.#reveals = new FakeReveals({ schedule, market, folder: prover.folder, send });
  }

  /** Takes over what the directory holds; damaged replicas are dropped. */
  async open(): Promise<void> {
    const { replicas, damaged } = await this.#deps.store.list();
    for (const header of replicas) this.#hold(header);
    for (const { segment, rotation, error } of damaged) {
      this.#deps.log.warn({ segment, rotation, error: error.message }, 'damaged replica dropped');
      await this.#deps.store.drop({ segment, rotation });
    }
  }

  /** Replicas whole on disk. */
  get held(): readonly ReplicaHeader[] {
    return [...this.#held.values()].map(({ header }) => header);
  }

  /** Segments of which a replica is held or being made. */
  get segments(): readonly number[] {
    const own = this.held.map(({ segment }) => segment);
    return [...own, ...this.#encoder.current.map(({ action }) => action.segment)];
  }

  /** Whether an encoding is due that could be under way: then there is work though the chain stands still. */
  get isWaiting(): boolean {
    return this.#encoder.isFree && this.#encodingsDue > this.#encoder.current.length;
  }

  get current(): readonly EncodingNow[] {
    return this.#encoder.current;
  }

  /** Period of the last proof sent for a replica. */
  lastPeriodSent(segment: number, rotation: number): number | null {
    const periods = [...(this.#held.get(nameOf(segment, rotation))?.proofSentSlot.keys() ?? [])];
    return periods.length === 0 ? null : Math.max(...periods);
  }

  /** From now on rotations of this segment read the own replica unchecked. Fault injection only. */
  markCorrupted(segment: number): void {
    this.#corrupted.add(segment);
  }

  get hasCorrupted(): boolean {
    return this.#corrupted.size > 0;
  }

  /** A replica gave wrong bytes: it is dropped before anything else is done, and encoded again. */
  noteDamaged(segment: number, error: CorruptReplicaError): void {
    this.#damaged.set(segment, error);
  }

  async #dropDamaged(): Promise<void> {
    for (const [segment, error] of this.#damaged) {
      this.#damaged.delete(segment);
      if (this.#corrupted.has(segment) || this.#deps.faults.keepsDamaged) continue;
      const held = this.held.findLast((one) => one.segment === segment);
      if (held === undefined) continue;
      this.#deps.log.warn({ segment, rotation: held.rotation, error: error.message }, 'damaged replica dropped');
      this.#held.delete(nameOf(segment, held.rotation));
      await this.#deps.store.drop(held);
    }
  }

  /**
   * Plans and does everything due at the head; `peers` serve a segment, in the order they should be asked. Commits, proofs and drops are done when it
   * resolves; an encoding or rotation goes on beside (`idle` waits for it), one at a time, so that no proof waits for it. Throws what failed, then or before.
   */
  async work(segments: readonly number[], records: ReplicasAnswer, peers: readonly PeerName[]): Promise<void> {
    await this.#dropDamaged();
    const head = this.#deps.follower.head;
    if (head === undefined) return;
    this.counts.reveals += await this.#reveals.work(head.slot, records.replicas);
    const { faults, market } = this.#deps;
    const actions = planReplicas({
      slot: head.slot,
      schedule: this.#deps.schedule,
      // The final head lags, and what is sent must land yet: half of the time is left for that. A late proof is rejected.
      deadlineSlots: faults.provesLate ? Number.MAX_SAFE_INTEGER : Math.ceil(market.proofDeadlineSlots / 2),
      segments,
      replicas: [...this.#held.values()].map((held) => this.#status(held, head.slot, records)),
    });
    for (const action of actions) if (!isLong(action)) await this.#attempt(action, head, records);
    await this.#forgetUnfinished(segments);
    const long = actions.filter(isLong);
    this.#encodingsDue = long.length;
    this.#encoder.begin(long, peers, (encoded) => this.#take(encoded));
    this.#encoder.tellFailure();
  }

  /** What a kill left of segments that are not wanted any more would fill the disk beyond the capacity. */
  async #forgetUnfinished(segments: readonly number[]): Promise<void> {
    const wanted = segments.join();
    const isKept = this.#encoder.current.every(({ action }) => segments.includes(action.segment));
    if (wanted === this.#sweptFor || !isKept) return;
    await this.#deps.store.forgetUnfinished(segments);
    this.#sweptFor = wanted;
  }

  /** Resolves when no encoding is under way. Throws what failed. */
  async idle(): Promise<void> {
    await this.#encoder.idle();
    this.#encoder.tellFailure();
  }

  /** Ends an encoding under way at its next chunk; what it has on disk is gone on with after the next start. */
  stop(): Promise<void> {
    return this.#encoder.stop();
  }

  #take({ action, header, damaged }: Encoded): void {
    if (header !== undefined) {
      this.#hold(header);
      if (action.kind === 'encode') this.#corrupted.delete(action.segment);
      this.counts[action.kind === 'encode' ? 'encodes' : 'rotations'] += 1;
    }
    if (damaged !== undefined) this.#held.delete(nameOf(damaged.segment, damaged.rotation));
  }

  #status({ header, commitSentSlot, proofSentSlot }: Held, slot: number, records: ReplicasAnswer): PlannedReplica {
    const { segment, rotation } = header;
    const record = records.replicas.find((one) => one.segment === segment && one.rotation === rotation);
    const isRecent = (sentSlot: number): boolean => slot - sentSlot < RESEND_SLOTS;
    const provenPeriods = [...proofSentSlot].filter(([, sentSlot]) => isRecent(sentSlot)).map(([period]) => period);
    if (record !== undefined && record.lastPeriod >= 0) provenPeriods.push(record.lastPeriod);
    const commit = record !== undefined ? 'final' : isRecent(commitSentSlot) ? 'sent' : 'none';
    const unsettled = [...proofSentSlot].some(
      ([period, sentSlot]) => isRecent(sentSlot) && period > (record?.lastPeriod ?? -1),
    );
    const proofPending = record?.proof === 'pending' || unsettled;
    const provableFrom = record === undefined ? 0 : this.#provableFrom(record.commitSlot);
    return { segment, rotation, commit, provenPeriods, proofPending, provableFrom };
  }

  /** Openings prove something only of a root that was committed before the period's hash was known. */
  #provableFrom(commitSlot: number): number {
    const { market, schedule } = this.#deps;
    return market.mode === 'stream' ? 0 : Math.ceil(commitSlot / schedule.slotsPerPeriod);
  }

  /** A disk that fails and a peer that lies are the caller's to deal with; the rest is planned again. */
  async #attempt(action: ShortAction, head: BlockHeader, records: ReplicasAnswer): Promise<void> {
    try {
      await this.#perform(action, head, records);
    } catch (error) {
      if (isCallers(error)) throw error;
      this.#deps.log.warn({ ...action, error: (error as Error).message }, 'action failed, planned again');
    }
  }

  async #perform(action: ShortAction, head: BlockHeader, records: ReplicasAnswer): Promise<void> {
    switch (action.kind) {
      case 'commit':
        return this.#commit(action.segment, action.rotation, head);
      case 'prove':
        return this.#prove(action, head, records);
      case 'drop':
        if (this.#encoder.current.some(({ action: now }) => now.segment === action.segment)) return;
        this.#held.delete(nameOf(action.segment, action.rotation));
        return this.#deps.store.drop(action);
    }
  }

  async #commit(segment: number, rotation: number, head: BlockHeader): Promise<void> {
    const held = this.#held.get(nameOf(segment, rotation));
    if (held === undefined) return;
    const { keyProof } = held.header;
    const replicaRoot = await this.#deps.faults.committedRoot(held.header);
    if (replicaRoot === undefined) return;
    if (await this.#deps.send({ kind: 'commit', segment, rotation, keyProof, replicaRoot: hash(replicaRoot) }))
      held.commitSentSlot = head.slot;
  }

  async #prove(
    { segment, rotation, period, deadlineSlot }: ProveAction,
    head: BlockHeader,
    records: ReplicasAnswer,
  ): Promise<void> {
    const held = this.#held.get(nameOf(segment, rotation));
    const periodBlock = this.#designated(period);
    const rotationBlock = this.#designated(rotationStartPeriod(this.#deps.schedule, rotation));
    if (held === undefined || periodBlock === undefined || rotationBlock === undefined) return;
    if (this.#reveals.mustWait(segment, period, head.slot) || this.#isTooEarly(period, head.slot)) return;
    const made = await this.#made(held.header, { period, periodBlock, rotationBlock, ...records });
    if (made === undefined) return;
    if (!(await this.#deps.send(made.payload))) return;
    held.proofSentSlot.set(period, head.slot);
    this.counts.proofsSent += 1;
    if (made.isFake) this.counts.fakesSent += 1;
    this.#deps.log.debug({ segment, period, slot: head.slot, deadlineSlot, fake: made.isFake }, 'proof sent');
    for (const { ending, bytes } of made.files) await this.#deps.saveProof(segment, ending, bytes);
  }

  /** The fault that answers late waits until its proof can only come too late. */
  #isTooEarly(period: number, slot: number): boolean {
    const { faults, market, schedule } = this.#deps;
    return faults.provesLate && slot < period * schedule.slotsPerPeriod + market.proofDeadlineSlots;
  }

  /** Makes a proof; undefined when the replica turned out to be damaged, which has it dropped and encoded again. */
  async #made(
    header: ReplicaHeader,
    request: Omit<ProofRequest, 'header' | 'replica'>,
  ): Promise<MadeProof | undefined> {
    const replica = await this.#deps.faults.openForProof(this.#deps.store, header);
    if (replica === undefined) return undefined;
    try {
      return await this.#deps.prover.prove({ ...request, header, replica });
    } catch (error) {
      if (!(error instanceof CorruptReplicaError)) throw error;
      this.noteDamaged(header.segment, error);
      return undefined;
    } finally {
      await replica.close();
    }
  }

  /** The last final block up to the period's first slot: it designates the period's hash. */
  #designated(period: number): (DesignatedBlock & { readonly pohHash: Hash }) | undefined {
    const header = this.#deps.follower.lastUpTo(period * this.#deps.schedule.slotsPerPeriod);
    return header === undefined
      ? undefined
      : { height: header.height, blockHash: header.hash, pohHash: header.pohHash };
  }

  #hold(header: ReplicaHeader): void {
    if (!sameBytes(header.identity, this.#deps.identity)) throw new RangeError('a replica of another identity');
    this.#held.set(nameOf(header.segment, header.rotation), {
      header,
      commitSentSlot: Number.NEGATIVE_INFINITY,
      proofSentSlot: new Map(),
    });
  }
}

type ProveAction = Extract<ReplicatorAction, { readonly kind: 'prove' }>;
type ShortAction = Exclude<ReplicatorAction, LongAction>;
type PlannedReplica = Parameters<typeof planReplicas>[0]['replicas'][number];

function nameOf(segment: number, rotation: number): string {
  return `${segment}/${rotation}`;
}
