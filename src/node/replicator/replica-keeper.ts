/**
 * Does what the plan says: commits, proves and drops replicas, and beside it encodes or rotates one at a time.
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
  proveKey,
  type ReplicaHeader,
  type ReplicaStore,
  type ReplicationSchedule,
  type ReplicatorAction,
  ReplicatorError,
  type ReplicatorErrorCode,
  rotationStartPeriod,
  type SegmentGeometry,
  type VrfKey,
} from '../../../replicator/index.ts';
import { FilesError } from '../../../storage/index.ts';
import type { BlockHeader, Payload } from '../../codec/index.ts';
import type { LedgerRules } from '../../ledger/index.ts';
import { PeerFault, type PeerName, TransportError } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import type { ReplicasAnswer } from '../protocols.ts';
import type { ReplicatorFaults } from './faults.ts';
import type { FinalityFollower } from './finality-follower.ts';
import type { MadeProof, ProofRequest, Prover } from './prover.ts';
import type { SegmentSource } from './segment-source.ts';

/** What the encoder says of bytes that are not the segment asked for. */
const WRONG_SEGMENT: readonly string[] = ['segment-root', 'source-long'] satisfies ReplicatorErrorCode[];

/** How many slots a sent transaction may take to show on the ledger before it is sent again. */
const RESEND_SLOTS = 12;
/** Later than any deadline. */
const LATEST: number = Number.MAX_SAFE_INTEGER;

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
  /** Segments whose bytes came from several peers and did not fit together. */
  readonly #mixed = new Set<number>();
  readonly #damaged = new Map<number, CorruptReplicaError>();
  readonly counts: KeeperCounts = { encodes: 0, rotations: 0, proofsSent: 0, fakesSent: 0, reveals: 0 };
  /** The encoding under way. */
  #current: { readonly action: LongAction; encodedSizeBytes: number } | null = null;
  #long: Promise<void> | undefined;
  #isStopping = false;
  /** What failed since the last look. */
  #failure: Error | undefined;
  /** When an encoding of a segment last failed, as a running number. */
  readonly #missed = new Map<number, number>();
  /** Slot in which a segment's fake was last revealed. */
  readonly #revealSentSlot = new Map<number, number>();
  #misses = 0;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
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
    return this.#current === null ? own : [...own, this.#current.action.segment];
  }

  get current(): { readonly action: LongAction; readonly progress: number } | null {
    if (this.#current === null) return null;
    const { action, encodedSizeBytes } = this.#current;
    return { action, progress: encodedSizeBytes / this.#deps.geometry.segmentSizeBytes };
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
      if (this.#corrupted.has(segment) || this.#deps.faults.isBlind) continue;
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
    await this.#revealFakes(head, records);
    const actions = planReplicas({
      slot: head.slot,
      schedule: this.#deps.schedule,
      deadlineSlots: this.#deps.faults.provesLate ? LATEST : this.#deps.market.proofDeadlineSlots,
      segments,
      replicas: [...this.#held.values()].map((held) => this.#status(held, head.slot, records)),
    });
    for (const action of actions)
      if (!isLong(action)) await this.#guarded(action, () => this.#perform(action, head, records));
    this.#startLong(actions.filter(isLong), peers);
    this.#tellFailure();
  }

  /** Resolves when no encoding is under way. Throws what failed. */
  async idle(): Promise<void> {
    await this.#long;
    this.#tellFailure();
  }

  #tellFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  /** Ends an encoding under way at its next chunk; what it has on disk is gone on with after the next start. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#long;
  }

  /** Begins the next encoding or rotation, unless one is under way. What nobody could give goes behind the others. */
  #startLong(actions: readonly LongAction[], peers: readonly PeerName[]): void {
    const inTurn = [...actions].sort((a, b) => this.#missedAt(a) - this.#missedAt(b));
    const [action] = inTurn;
    if (action === undefined || this.#long !== undefined || this.#isStopping) return;
    this.#current = { action, encodedSizeBytes: 0 };
    this.#long = this.#guarded(action, () =>
      action.kind === 'encode'
        ? this.#encode(action.segment, action.rotation, peers)
        : this.#rotate(action.segment, action.fromRotation, action.rotation, peers),
    ).finally(() => {
      this.#current = null;
      this.#long = undefined;
    });
  }

  #missedAt({ segment }: LongAction): number {
    return this.#missed.get(segment) ?? 0;
  }

  /** A disk that fails and a peer that lies are the caller's to deal with; the rest is planned again. */
  async #guarded(action: ReplicatorAction, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#missed.delete(action.segment);
    } catch (error) {
      if (isLong(action)) this.#missed.set(action.segment, ++this.#misses);
      if (error instanceof FilesError || error instanceof PeerFault || error instanceof TransportError)
        this.#failure ??= error;
      else this.#deps.log.warn({ ...action, error: (error as Error).message }, 'action failed, planned again');
    }
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

  /** Reveals fakes whose time has come, and forgets those that are settled. */
  async #revealFakes(head: BlockHeader, records: ReplicasAnswer): Promise<void> {
    const { folder } = this.#deps.prover;
    for (const fake of folder.fakes) {
      const record = records.replicas.find(({ segment }) => segment === fake.segment);
      const { opens, closes } = this.#revealSlots(fake.period);
      const isRevealed = record?.lastPeriod === fake.period && record.proof === 'revealed';
      if (isRevealed || head.slot > closes) await folder.dropFake(fake);
      if (isRevealed || record?.lastPeriod !== fake.period || head.slot < opens || head.slot > closes) continue;
      if (head.slot - (this.#revealSentSlot.get(fake.segment) ?? Number.NEGATIVE_INFINITY) < RESEND_SLOTS) continue;
      const { segment, period, secret, restHash } = fake;
      if (!(await this.#deps.send({ kind: 'revealFake', segment, period, secret, restHash: hash(restHash) }))) continue;
      this.#revealSentSlot.set(segment, head.slot);
      this.counts.reveals += 1;
    }
  }

  /** Head slots at which a reveal can be sent: the next block is in the range that the ledger takes. */
  #revealSlots(period: number): { readonly opens: number; readonly closes: number } {
    const { market, schedule } = this.#deps;
    const opens = period * schedule.slotsPerPeriod + market.proofDeadlineSlots;
    return { opens, closes: opens + schedule.slotsPerPeriod - 1 };
  }

  /** A replica that is dropped on purpose is retired first: the ledger would count misses. */
  async #retire(segment: number, head: BlockHeader, records: ReplicasAnswer): Promise<void> {
    const isKept = [...this.#held.values()].filter(({ header }) => header.segment === segment).length > 1;
    if (isKept || !records.replicas.some((record) => record.segment === segment)) return;
    await this.#deps.send({ kind: 'retire', segment });
    this.#deps.log.info({ segment, slot: head.slot }, 'replica retired');
  }

  async #perform(
    action: Exclude<ReplicatorAction, LongAction>,
    head: BlockHeader,
    records: ReplicasAnswer,
  ): Promise<void> {
    switch (action.kind) {
      case 'commit':
        return this.#commit(action.segment, action.rotation, head);
      case 'prove':
        return this.#prove(action, head, records);
      case 'drop':
        if (this.#current?.action.segment === action.segment) return;
        await this.#retire(action.segment, head, records);
        this.#held.delete(nameOf(action.segment, action.rotation));
        return this.#deps.store.drop(action);
    }
  }

  async #encode(segment: number, rotation: number, peers: readonly PeerName[]): Promise<void> {
    const request = this.#encodeRequest(segment, rotation);
    const segmentRoot = this.#deps.segments.roots[segment];
    if (request === undefined || segmentRoot === undefined) return;
    // After bytes of several peers did not fit together, one is asked alone: then it is known who lied.
    const asked = this.#mixed.has(segment) ? peers.slice(0, 1) : peers;
    const fetch = { index: segment, peers: asked, givers: new Set<PeerName>() };
    let begunAt = 0;
    const source = (offset: number): AsyncIterable<Uint8Array> => {
      begunAt = offset;
      return this.#deps.segments.streamFrom(fetch, offset);
    };
    try {
      const header = await this.#deps.store.encode({ ...request, source, segmentRoot });
      await this.#deps.faults.afterEncode(this.#deps.store, header);
      this.#hold(header);
    } catch (error) {
      if (!(error instanceof ReplicatorError)) throw error;
      throw this.#sourceFailure(error, segment, begunAt === 0 ? [...fetch.givers] : []);
    }
    this.#mixed.delete(segment);
    this.#corrupted.delete(segment);
    this.counts.encodes += 1;
  }

  /** Who is to blame for bytes that are not the segment: the one who gave all of them; nobody when there were several. */
  #sourceFailure(error: ReplicatorError, segment: number, givers: readonly PeerName[]): Error {
    if (error.code === 'source-short') return new TransportError('closed', error.message);
    if (!WRONG_SEGMENT.includes(error.code)) return error;
    const [only] = givers;
    if (only !== undefined && givers.length === 1) return new PeerFault(only, 'wrong-segment', error.message);
    this.#mixed.add(segment);
    return new TransportError('closed', `${error.message}: of several peers, one sent wrong bytes`);
  }

  async #rotate(segment: number, fromRotation: number, rotation: number, peers: readonly PeerName[]): Promise<void> {
    // Who lost parts of a replica on purpose cannot read the segment out of it.
    if (this.#deps.faults.erases) return this.#encode(segment, rotation, peers);
    const request = this.#encodeRequest(segment, rotation);
    if (request === undefined) return;
    try {
      const unchecked = this.#corrupted.has(segment);
      this.#hold(await this.#deps.store.reencode({ ...request, fromRotation, unchecked }));
      this.counts.rotations += 1;
    } catch (error) {
      if (!(error instanceof CorruptReplicaError)) throw error;
      this.#deps.log.warn(
        { segment, fromRotation, error: error.message },
        'own replica is damaged: fetching the segment again',
      );
      this.#held.delete(nameOf(segment, fromRotation));
      await this.#deps.store.drop({ segment, rotation: fromRotation });
    }
  }

  #encodeRequest(segment: number, rotation: number): EncodeRequest | undefined {
    const rotationHash = this.#designated(rotationStartPeriod(this.#deps.schedule, rotation))?.pohHash;
    if (rotationHash === undefined) return undefined;
    const keyProof = proveKey(this.#deps.vrf, { segment, rotation, rotationHash });
    const onProgress = (encodedSizeBytes: number): void => {
      if (this.#isStopping) throw new TransportError('aborted', 'the replicator stops');
      if (this.#current !== null) this.#current.encodedSizeBytes = encodedSizeBytes;
    };
    return { segment, rotation, rotationHash, keyProof, onProgress };
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
    if (this.#mustWaitForReveal(segment, period, head.slot) || this.#isTooEarly(period, head.slot)) return;
    const made = await this.#made(held.header, { period, periodBlock, rotationBlock, ...records });
    if (made === undefined) return;
    if (!(await this.#deps.send(made.payload))) return;
    held.proofSentSlot.set(period, head.slot);
    this.counts.proofsSent += 1;
    if (made.isFake) this.counts.fakesSent += 1;
    this.#deps.log.debug({ segment, period, slot: head.slot, deadlineSlot, fake: made.isFake }, 'proof sent');
    for (const { ending, bytes } of made.files) await this.#deps.saveProof(segment, ending, bytes);
  }

  /** A fake must be revealed before the next proof takes its place on the ledger. */
  #mustWaitForReveal(segment: number, period: number, slot: number): boolean {
    return this.#deps.prover.folder.fakes.some(
      (fake) => fake.segment === segment && fake.period < period && slot <= this.#revealSlots(fake.period).closes,
    );
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
/** What takes as long as reading and writing a segment. */
type LongAction = Extract<ReplicatorAction, { readonly kind: 'encode' | 'rotate' }>;

function isLong(action: ReplicatorAction): action is LongAction {
  return action.kind === 'encode' || action.kind === 'rotate';
}

type PlannedReplica = Parameters<typeof planReplicas>[0]['replicas'][number];
type EncodeRequest = Omit<Parameters<ReplicaStore['encode']>[0], 'source' | 'segmentRoot'>;

function nameOf(segment: number, rotation: number): string {
  return `${segment}/${rotation}`;
}
