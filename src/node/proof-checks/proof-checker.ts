/**
 * A validator's work on storage proofs: for every proof that is pending in the final state and lacks this validator's verdict, encode the segment again in a
 * stream, compare, and send a verdict.
 *
 * Invariants
 * - A verdict says only what was recomputed here, from this node's own copy of the segment; without a copy nothing is said.
 * - Work runs on verify threads, one segment at a time, behind block verification: it never delays a vote.
 * - A verdict is sent once, and again only when it has not reached the ledger after `RESEND_SLOTS`.
 */
import { workerUrl } from '../../../native/worker-url.ts';
import { type Payload, VERDICTS_MAX, type Verdict } from '../../codec/index.ts';
import { type Genesis, type LedgerRules, type PendingProof, pendingProofs } from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { Logger } from '../log.ts';
import type { Verifier } from '../threads/verifier.ts';
import type { StorageProofFinding, StorageProofJob } from './storage-proof-worker.ts';

const RESEND_SLOTS = 12;
/** Most claims checked in one pass over a segment: bounds a job's memory (two cipher blocks and a sample list each). */
const CLAIMS_MAX = 64;

export interface ProofCheckerDeps {
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  readonly verifier: Verifier;
  /** This validator's place in the ranking. */
  readonly index: number;
  /** A completed segment and its root, from this node's history; undefined when it is not kept here. */
  readonly segment: (index: number) => Promise<{ bytes: Uint8Array; root: Uint8Array } | undefined>;
  readonly send: (payload: Payload) => Promise<void>;
  readonly log: Logger;
}

export class ProofChecker {
  readonly #deps: ProofCheckerDeps;
  /** Slot in which the verdict on a proof was sent. */
  readonly #sent = new Map<string, number>();
  #busy = false;
  readonly counts: { verified: number; invalid: number } = { verified: 0, invalid: 0 };

  constructor(deps: ProofCheckerDeps) {
    this.#deps = deps;
  }

  /** Looks for work in a final state; returns at once when the last look is still being worked on. */
  async look(final: ChainBlock): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (const [segment, proofs] of this.#due(final)) await this.#check(segment, proofs, final.header.slot);
    } catch (error) {
      this.#deps.log.error({ error: (error as Error).message }, 'storage proofs could not be checked');
    } finally {
      this.#busy = false;
    }
  }

  /** Proofs to judge, by segment. */
  #due(final: ChainBlock): Map<number, PendingProof[]> {
    const due = new Map<number, PendingProof[]>();
    const { slot } = final.header;
    for (const [name, sentSlot] of this.#sent) if (slot - sentSlot >= RESEND_SLOTS) this.#sent.delete(name);
    for (const proof of pendingProofs(this.#deps.rules, final.state, this.#deps.index, slot)) {
      if (this.#sent.has(nameOf(proof))) continue;
      const proofs = due.get(proof.segment) ?? [];
      if (proofs.length < CLAIMS_MAX) due.set(proof.segment, [...proofs, proof]);
    }
    return due;
  }

  async #check(segment: number, proofs: readonly PendingProof[], slot: number): Promise<void> {
    const copy = await this.#deps.segment(segment);
    if (copy === undefined) return;
    const findings = await this.#run(copy, proofs);
    const verdicts = proofs.map((proof, index) => this.#verdict(proof, findings[index]!));
    for (let first = 0; first < verdicts.length; first += VERDICTS_MAX)
      await this.#deps.send({ kind: 'verdicts', verdicts: verdicts.slice(first, first + VERDICTS_MAX) });
    for (const proof of proofs) this.#sent.set(nameOf(proof), slot);
  }

  async #run(
    copy: { bytes: Uint8Array; root: Uint8Array },
    proofs: readonly PendingProof[],
  ): Promise<StorageProofFinding[]> {
    const { history, replication } = this.#deps.genesis;
    const job: StorageProofJob = {
      segment: copy.bytes,
      segmentRoot: copy.root,
      segmentSizeBytes: history.segmentSizeBytes,
      leafSizeBytes: history.leafSizeBytes,
      sampleBlockSizeBytes: replication.sampleBlockSizeBytes,
      claims: proofs.map(claimOf),
    };
    const result = await this.#deps.verifier.run({
      moduleUrl: workerUrl(import.meta.url, './storage-proof-worker.ts'),
      functionName: 'checkStorageProofs',
      argument: job,
    });
    return result as StorageProofFinding[];
  }

  #verdict(proof: PendingProof, finding: StorageProofFinding): Verdict {
    const { identity, segment, period } = proof;
    this.counts.verified += 1;
    if (!finding.valid) {
      this.counts.invalid += 1;
      this.#deps.log.warn({ segment, period, reason: finding.reason }, 'storage proof is invalid');
    }
    return { identity, segment, period, valid: finding.valid };
  }
}

function claimOf({
  publicKey,
  segment,
  record,
  rotationHash,
  periodHash,
  period,
  proof,
}: PendingProof): StorageProofJob['claims'][number] {
  return {
    identity: plain(publicKey),
    segment,
    rotation: record.rotation,
    rotationHash: plain(rotationHash.pohHash),
    keyProof: plain(record.keyProof),
    replicaRoot: plain(record.replicaRoot),
    proofs: [
      {
        period,
        periodHash: plain(periodHash.pohHash),
        sampleProof: plain(proof.sampleProof),
        samplesRoot: plain(proof.samplesRoot),
      },
    ],
  };
}

/** A copy of its own buffer: views of large state buffers would be cloned whole. */
function plain(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

function nameOf({ identity, segment, period }: PendingProof): string {
  return `${Buffer.from(identity).toString('hex')}/${segment}/${period}`;
}
