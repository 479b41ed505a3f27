/**
 * A validator's work on storage proofs: for every proof that is pending in the final state and lacks this validator's finding, fetch what it takes, check it,
 * and say what was found: sealed to whoever gathers a validation packet, and by itself where no packet will carry it (own-findings.ts).
 *
 * Invariants
 * - A finding says only what was checked here: openings with the digest on the ledger, or this node's own copy of the segment. Without either nothing is
 *   said, until the openings have been asked for long enough: then that they are not available.
 * - Work runs on verify threads behind block verification, in bounded jobs, and never on the last free thread: it does not delay a vote.
 * - The secret that opens them is given to nobody before the final chain is past the last slot for sealed findings.
 */
import type { PublicKey } from '../../../native/index.ts';
import { workerUrl } from '../../../native/worker-url.ts';
import type { Hasher, ReplicaName, SealedFindings, SeatSecret } from '../../codec/index.ts';
import {
  firstUndecidedPeriod,
  type Genesis,
  type LedgerRules,
  type PendingProof,
  sealLastSlot,
  seatOf,
} from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { Logger } from '../log.ts';
import type { Verifier } from '../threads/verifier.ts';
import { copierSpeaks } from './copying-verifier.ts';
import type { FindingsBook } from './findings-book.ts';
import { OwnFindings, type OwnFindingsDeps } from './own-findings.ts';
import { dueProofs, jobsOf } from './proof-queue.ts';
import { storageJob } from './storage-job.ts';
import type { StorageClaim, StorageProofFinding } from './storage-proof-worker.ts';

/** Commits remembered as recomputed; beyond it they are recomputed once more. */
const ROOTS_CHECKED_MAX = 65_536;

/** A completed segment and its root. */
export interface SegmentCopy {
  readonly bytes: Uint8Array;
  readonly root: Uint8Array;
}

export interface ProofCheckerDeps {
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  readonly verifier: Verifier;
  /** Jobs that may run at once. */
  readonly lanes: number;
  /** This validator's. */
  readonly publicKey: PublicKey;
  readonly book: FindingsBook;
  /** A completed segment, from this node's history or, when it was pruned and `mayFetch`, from a peer; undefined when there is none. */
  readonly segment: (index: number, mayFetch: boolean) => Promise<SegmentCopy | undefined>;
  /** The root of a completed segment. */
  readonly segmentRoot: (index: number) => Uint8Array;
  /** The openings behind proofs, in order; undefined where nobody gave them. @param slot of the final head */
  readonly openings: (proofs: readonly PendingProof[], slot: number) => Promise<(Uint8Array | undefined)[]>;
  readonly send: OwnFindingsDeps['send'];
  /** A lazy validator's way, for demonstrations and tests: every proof is found valid, none is looked at. False when absent. */
  readonly approvesUnseen?: boolean;
  /** A copier's way: as the lazy one's, but it shows its secrets only where the others approved everything. Null when absent. */
  readonly copies?: Hasher | null;
  readonly log: Logger;
}

export class ProofChecker {
  readonly #deps: ProofCheckerDeps;
  readonly #own: OwnFindings;
  /** Replicas whose committed root was once recomputed here: their later proofs need only the samples. */
  readonly #rootsChecked = new Set<string>();
  /** This validator's seat after the newest final block looked at; -1 while it has none. */
  #seat = -1;
  /** The newest final block looked at, whether or not it was worked on. */
  #final: Pick<ChainBlock, 'state' | 'header'> | undefined;
  #busy = false;
  readonly counts: { verified: number; invalid: number } = { verified: 0, invalid: 0 };

  constructor(deps: ProofCheckerDeps) {
    this.#deps = deps;
    this.#own = new OwnFindings({
      ...{ rules: deps.rules, book: deps.book, send: deps.send },
      maySpeak: (final, period, seat) => this.#maySpeak(final, period, seat),
    });
  }

  /** Looks for work in a final state; returns at once when the last look is still being worked on. */
  async look(final: ChainBlock): Promise<void> {
    this.#final = final;
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.#lookAt(final);
    } catch (error) {
      this.#deps.log.error({ error: (error as Error).message }, 'storage proofs could not be checked');
    } finally {
      this.#busy = false;
    }
  }

  /** This validator's sealed findings on a list of proofs; null when it has none yet. @throws CodecError for a list that does not ascend */
  seal(period: number, entries: readonly ReplicaName[]): SealedFindings | null {
    return this.#seat < 0 ? null : this.#deps.book.seal(period, entries, this.#seat);
  }

  /** What opens its findings of a period; null while anybody may still seal some. */
  secret(period: number): SeatSecret | null {
    const [seat, final] = [this.#seat, this.#final];
    if (seat < 0 || final === undefined || !this.#own.isPastSealing(final.header.slot, period)) return null;
    return this.#maySpeak(final, period, seat) ? { seat, secret: this.#deps.book.secret(period, seat) } : null;
  }

  #maySpeak(final: Pick<ChainBlock, 'state' | 'header'>, period: number, seat: number): boolean {
    const { copies = null, rules } = this.#deps;
    return copies === null || copierSpeaks(copies, rules, final, period, seat);
  }

  async #lookAt(final: ChainBlock): Promise<void> {
    const { rules, publicKey, book } = this.#deps;
    const seat = seatOf(final.electorate, publicKey);
    this.#seat = seat;
    if (seat < 0) return;
    const { slot } = final.header;
    book.forgetBelow(firstUndecidedPeriod(rules.replication, slot));
    const isNew = (proof: PendingProof): boolean => book.get(proof) === undefined;
    for (const { segment, proofs } of dueProofs(rules, final.state, seat, slot, isNew)) {
      try {
        await this.#check(segment, proofs, slot);
      } catch (error) {
        this.#deps.log.warn({ segment, error: (error as Error).message }, 'proofs of a segment could not be checked');
      }
      await this.#own.send(final, seat);
    }
    await this.#own.send(final, seat);
  }

  /** Checks proofs of one segment and enters what was found. */
  async #check(segment: number, proofs: readonly PendingProof[], slot: number): Promise<void> {
    if (this.#deps.approvesUnseen === true || this.#deps.copies != null) return this.#approve(proofs, slot);
    const { mode, layers } = this.#deps.genesis.replication;
    const bodies = mode === 'stream' ? [] : await this.#deps.openings(proofs, slot);
    const checkable = proofs
      .map((proof, index) => ({ proof, opening: bodies[index] }))
      .filter(({ proof, opening }) => mode === 'stream' || opening !== undefined || this.#isTooLate(proof, slot));
    if (checkable.length === 0) return;
    const copy = mode === 'open' ? undefined : await this.#deps.segment(segment, mode === 'stream');
    if (mode === 'stream' && copy === undefined) return;
    const claims = checkable.map(({ proof, opening }) => ({ proof, claim: this.#claim(proof, opening) }));
    const claimSizeBytes = copy === undefined ? 0 : copy.bytes.length * layers;
    const shared = copy === undefined ? undefined : sharedCopy(copy);
    await Promise.all(
      jobsOf(claims, this.#deps.lanes, claimSizeBytes).map(async (part, job) => {
        const findings = await this.#run(
          segment,
          shared,
          part.map(({ claim }) => claim),
          job === 0,
        );
        part.forEach(({ proof, claim }, index) => {
          this.#enter(proof, claim, findings[index]!, slot);
        });
      }),
    );
  }

  #approve(proofs: readonly PendingProof[], slot: number): void {
    for (const { identity, segment, period } of proofs)
      this.#deps.book.enter({ identity, segment, period, valid: true, reason: 'unstated', foundSlot: slot });
  }

  /** Openings that nobody gave until half of the time after the deadline is gone are not available: what is found must be sealed yet. */
  #isTooLate({ period }: PendingProof, slot: number): boolean {
    const { replication } = this.#deps.rules;
    return slot >= sealLastSlot(replication, period) - Math.ceil(replication.sealSlots / 2);
  }

  #claim(proof: PendingProof, opening: Uint8Array | undefined): StorageClaim {
    return storageJob.claim(proof, opening, !this.#rootsChecked.has(replicaName(proof)));
  }

  async #run(
    segment: number,
    copy: SegmentCopy | undefined,
    claims: readonly StorageClaim[],
    checksCopy: boolean,
  ): Promise<StorageProofFinding[]> {
    const root = copy?.root ?? Uint8Array.from(this.#deps.segmentRoot(segment));
    const result = await this.#deps.verifier.run({
      moduleUrl: workerUrl(import.meta.url, './storage-proof-worker.ts'),
      functionName: 'verifyMany',
      argument: storageJob.of(this.#deps.genesis, root, copy?.bytes, checksCopy, claims),
    });
    return result as StorageProofFinding[];
  }

  #enter(proof: PendingProof, { replica }: StorageClaim, finding: StorageProofFinding, slot: number): void {
    const { identity, segment, period } = proof;
    this.counts.verified += 1;
    this.#deps.book.enter({ identity, segment, period, ...finding, foundSlot: slot });
    if (this.#rootsChecked.size >= ROOTS_CHECKED_MAX) this.#rootsChecked.clear();
    if (finding.valid && replica.replicaRoot !== undefined) this.#rootsChecked.add(replicaName(proof));
    if (finding.valid) return;
    this.counts.invalid += 1;
    this.#deps.log.warn({ segment, period, reason: finding.reason }, 'storage proof is invalid');
  }
}

/** The copy in memory that all threads read. */
function sharedCopy({ bytes, root }: SegmentCopy): SegmentCopy {
  if (bytes.buffer instanceof SharedArrayBuffer) return { bytes, root: Uint8Array.from(root) };
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return { bytes: shared, root: Uint8Array.from(root) };
}

/** One commit of one replica. */
function replicaName({ identity, segment, record }: PendingProof): string {
  return `${Buffer.from(identity).toString('hex')}/${segment}/${record.rotation}/${record.commitSlot}`;
}
