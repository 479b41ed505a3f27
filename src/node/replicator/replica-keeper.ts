/**
 * Does what the plan says: encodes, rotates, commits, proves and drops replicas, one action at a time.
 *
 * Invariants
 * - A commit or proof is sent only for a replica that is whole and durable on disk.
 * - A rotation reads its plaintext out of the own replica, every leaf checked; a damaged one is dropped and the segment fetched again. (With
 *   `faults.corruptByte` and after an injected corruption the check is left out for that replica, so that the network can be seen to catch it.)
 * - What was sent is remembered for a while and not sent again meanwhile; what the ledger does not show after that is sent anew.
 */
import { type Hash, hash, type Kernels, sameBytes } from '../../../native/index.ts';
import {
  CorruptReplicaError,
  type DesignatedBlock,
  deriveSampleSeed,
  planReplicas,
  proveKey,
  proveSamples,
  type ReplicaHeader,
  type ReplicaStore,
  type ReplicationSchedule,
  type ReplicatorAction,
  ReplicatorError,
  type ReplicatorErrorCode,
  rotationStartPeriod,
  type SegmentGeometry,
  type StorageProof,
  samplesRoot,
  type VrfKey,
} from '../../../replicator/index.ts';
import { FilesError } from '../../../storage/index.ts';
import type { BlockHeader, Payload } from '../../codec/index.ts';
import { PeerFault, type PeerName, TransportError } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import type { ReplicasAnswer } from '../protocols.ts';
import type { FinalityFollower } from './finality-follower.ts';
import type { SegmentSource } from './segment-source.ts';

/** What the encoder says of bytes that are not the segment asked for. */
const WRONG_SEGMENT: readonly string[] = ['segment-root', 'source-long'] satisfies ReplicatorErrorCode[];

/** How many slots a sent transaction may take to show on the ledger before it is sent again. */
const RESEND_SLOTS = 12;

export interface KeeperDeps {
  readonly kernels: Kernels;
  readonly store: ReplicaStore;
  readonly vrf: VrfKey;
  readonly identity: Uint8Array;
  readonly schedule: ReplicationSchedule;
  readonly chainId: Uint8Array;
  readonly geometry: SegmentGeometry;
  readonly sampleBlockSizeBytes: number;
  readonly follower: FinalityFollower;
  readonly segments: SegmentSource;
  /** Hands a transaction to the network; true when somebody took it. */
  readonly send: (payload: Payload) => Promise<boolean>;
  /** Keeps the newest proof of each segment, for `cairn verify proof`. */
  readonly saveProof: (proof: StorageProof) => Promise<void>;
  readonly log: Logger;
}

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
}

export class ReplicaKeeper {
  readonly #deps: KeeperDeps;
  readonly #held = new Map<string, Held>();
  readonly #corrupted = new Set<number>();
  readonly counts: KeeperCounts = { encodes: 0, rotations: 0, proofsSent: 0 };
  /** The action under way, for status. */
  #current: { readonly action: ReplicatorAction; encodedSizeBytes: number } | null = null;

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

  get current(): { readonly action: ReplicatorAction; readonly progress: number } | null {
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

  /** Plans and does everything due at the head; `peer` serves segments. */
  async work(segments: readonly number[], records: ReplicasAnswer, peer: PeerName): Promise<void> {
    const head = this.#deps.follower.head;
    if (head === undefined) return;
    const actions = planReplicas({
      slot: head.slot,
      schedule: this.#deps.schedule,
      segments,
      replicas: [...this.#held.values()].map((held) => this.#status(held, head.slot, records)),
    });
    for (const action of actions) {
      this.#current = { action, encodedSizeBytes: 0 };
      try {
        await this.#perform(action, head, peer);
      } catch (error) {
        // A disk that fails and a peer that lies are the caller's to deal with; the rest is planned again.
        if (error instanceof FilesError || error instanceof PeerFault || error instanceof TransportError) throw error;
        this.#deps.log.warn({ ...action, error: (error as Error).message }, 'action failed, planned again');
        return;
      } finally {
        this.#current = null;
      }
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
    return { segment, rotation, commit, provenPeriods, proofPending };
  }

  async #perform(action: ReplicatorAction, head: BlockHeader, peer: PeerName): Promise<void> {
    switch (action.kind) {
      case 'encode':
        return this.#encode(action.segment, action.rotation, peer);
      case 'rotate':
        return this.#rotate(action.segment, action.fromRotation, action.rotation);
      case 'commit':
        return this.#commit(action.segment, action.rotation, head);
      case 'prove':
        return this.#prove(action.segment, action.rotation, action.period, head);
      case 'drop':
        this.#held.delete(nameOf(action.segment, action.rotation));
        return this.#deps.store.drop(action);
    }
  }

  async #encode(segment: number, rotation: number, peer: PeerName): Promise<void> {
    const request = this.#encodeRequest(segment, rotation);
    const segmentRoot = this.#deps.segments.roots[segment];
    if (request === undefined || segmentRoot === undefined) return;
    const source = this.#deps.segments.stream(peer, segment);
    try {
      this.#hold(await this.#deps.store.encode({ ...request, source, segmentRoot }));
    } catch (error) {
      if (!(error instanceof ReplicatorError)) throw error;
      if (error.code === 'source-short') throw new TransportError('closed', error.message);
      throw WRONG_SEGMENT.includes(error.code) ? new PeerFault(peer, 'wrong-segment', error.message) : error;
    }
    this.#corrupted.delete(segment);
    this.counts.encodes += 1;
  }

  async #rotate(segment: number, fromRotation: number, rotation: number): Promise<void> {
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
      if (this.#current !== null) this.#current.encodedSizeBytes = encodedSizeBytes;
    };
    return { segment, rotation, rotationHash, keyProof, onProgress };
  }

  async #commit(segment: number, rotation: number, head: BlockHeader): Promise<void> {
    const held = this.#held.get(nameOf(segment, rotation));
    if (held === undefined) return;
    const { keyProof, replicaRoot } = held.header;
    if (await this.#deps.send({ kind: 'commit', segment, rotation, keyProof, replicaRoot: hash(replicaRoot) }))
      held.commitSentSlot = head.slot;
  }

  async #prove(segment: number, rotation: number, period: number, head: BlockHeader): Promise<void> {
    const held = this.#held.get(nameOf(segment, rotation));
    const periodBlock = this.#designated(period);
    const rotationBlock = this.#designated(rotationStartPeriod(this.#deps.schedule, rotation));
    if (held === undefined || periodBlock === undefined || rotationBlock === undefined) return;
    const { identity, schedule, geometry, sampleBlockSizeBytes, chainId } = this.#deps;
    const periodHash = periodBlock.pohHash;
    const sampleProof = proveSamples(this.#deps.vrf, { segment, period, periodHash });
    const seed = deriveSampleSeed({ identity, segment, period, periodHash }, sampleProof);
    if (seed === false) throw new RangeError('own sample proof does not verify');
    const root = await this.#samplesRoot(segment, rotation, periodHash, seed);
    if (!(await this.#deps.send({ kind: 'prove', segment, period, sampleProof, samplesRoot: root }))) return;
    held.proofSentSlot.set(period, head.slot);
    this.counts.proofsSent += 1;
    const context = { chainId, geometry, sampleBlockSizeBytes, schedule, rotationBlock, periodBlock };
    const { keyProof, replicaRoot, segmentRoot } = held.header;
    const made = { segment, rotation, period, identity, keyProof, sampleProof, replicaRoot, samplesRoot: root };
    await this.#deps.saveProof({ ...context, segmentRoot, ...made });
  }

  async #samplesRoot(segment: number, rotation: number, periodHash: Hash, seed: Uint8Array): Promise<Hash> {
    const replica = await this.#deps.store.get({ segment, rotation });
    try {
      const layout = {
        replicaSizeBytes: this.#deps.geometry.segmentSizeBytes,
        sampleBlockSizeBytes: this.#deps.sampleBlockSizeBytes,
      };
      return await samplesRoot(this.#deps.kernels, replica.reader, { layout, periodHash, seed });
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

type PlannedReplica = Parameters<typeof planReplicas>[0]['replicas'][number];
type EncodeRequest = Omit<Parameters<ReplicaStore['encode']>[0], 'source' | 'segmentRoot'>;

function nameOf(segment: number, rotation: number): string {
  return `${segment}/${rotation}`;
}
