/**
 * What this validator has found out about proofs, by their names: said once, sealed as often as asked.
 *
 * Invariants
 * - A finding is entered only after the proof was checked here; it never changes, so this validator never says two things of one proof (while the
 *   process lives; after a restart it checks again, and what was sealed first counts).
 * - Nothing of it need be durable: what is sealed stands on the ledger, and the secret that opens it follows from the key (codec/seal.ts).
 */
import type { Hash } from '../../../native/index.ts';
import {
  findingsSecret,
  type Hasher,
  type ReplicaName,
  type SealedFindings,
  type SettledName,
  type SigningKey,
  sealFindings,
} from '../../codec/index.ts';
import type { StorageProofFinding } from './storage-proof-worker.ts';

/** Findings kept: thousands of proofs a period, for the few periods that verdicts stay open. */
const FINDINGS_MAX = 65_536;

/** A checked proof. */
export interface BookedFinding extends StorageProofFinding, ReplicaName {
  readonly period: number;
  /** Slot of the final block at which it was found. */
  readonly foundSlot: number;
}

export class FindingsBook {
  readonly #hasher: Hasher;
  readonly #chainId: Hash;
  readonly #key: SigningKey;
  readonly #findings = new Map<string, BookedFinding>();

  constructor(hasher: Hasher, chainId: Hash, key: SigningKey) {
    this.#hasher = hasher;
    this.#chainId = chainId;
    this.#key = key;
  }

  get size(): number {
    return this.#findings.size;
  }

  enter(finding: BookedFinding): void {
    const name = proofName(finding);
    if (this.#findings.has(name)) return;
    if (this.#findings.size >= FINDINGS_MAX) this.#findings.delete(this.#findings.keys().next().value!);
    this.#findings.set(name, finding);
  }

  get(proof: ReplicaName & { readonly period: number }): BookedFinding | undefined {
    return this.#findings.get(proofName(proof));
  }

  /** Forgets proofs of periods below `period`: no verdict on them counts any more. */
  forgetBelow(period: number): void {
    for (const [name, finding] of this.#findings) if (finding.period < period) this.#findings.delete(name);
  }

  /**
   * Seals what is known of a list of proofs; null when nothing is.
   * @param entries ascending by segment, then identity, each once, 1 .. 64
   * @param seat this validator's
   * @throws CodecError when they are not
   */
  seal(period: number, entries: readonly ReplicaName[], seat: number): SealedFindings | null {
    const words = entries.map((entry) => this.get({ ...entry, period })?.valid);
    if (words.every((word) => word === undefined)) return null;
    return sealFindings(this.#hasher, this.#chainId, { period, entries }, words, seat, this.#key);
  }

  /** What opens everything this validator seals in a period: for nobody's eyes while others may still seal. */
  secret(period: number, seat: number): Hash {
    return findingsSecret(this.#hasher, { chainId: this.#chainId, seat, period }, this.#key);
  }
}

/** A finding as an entry of an `unseal`. */
export function settledName({ identity, segment, reason }: BookedFinding): SettledName {
  return { identity, segment, reason };
}

/** A proof's name: there is one proof of a replica in a period on one final chain. */
export function proofName({ identity, segment, period }: ReplicaName & { readonly period: number }): string {
  return `${Buffer.from(identity).toString('hex')}/${segment}/${period}`;
}
