/**
 * What this validator has found out about proofs, by their names: said once, signed as often as asked.
 *
 * Invariant: a finding is entered only after the proof was checked here; it never changes, so this validator never says two things of one proof (while the
 * process lives; after a restart it checks again and finds the same).
 */
import type { Hash } from '../../../native/index.ts';
import {
  findingBitsSizeBytes,
  type ReplicaName,
  type SignedFindings,
  type SigningKey,
  setFinding,
  signFindings,
  type Verdict,
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
  readonly #chainId: Hash;
  readonly #key: SigningKey;
  readonly #findings = new Map<string, BookedFinding>();

  constructor(chainId: Hash, key: SigningKey) {
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
   * Signs what is known of a list of proofs; null when nothing is.
   * @param entries ascending by segment, then identity, each once, 1 .. 64
   * @param seat this validator's
   * @throws CodecError when they are not
   */
  sign(period: number, entries: readonly ReplicaName[], seat: number): SignedFindings | null {
    const [valid, invalid] = [0, 1].map(() => new Uint8Array(findingBitsSizeBytes(entries.length)));
    let known = 0;
    for (const [index, entry] of entries.entries()) {
      const finding = this.get({ ...entry, period });
      if (finding === undefined) continue;
      known++;
      setFinding(finding.valid ? valid! : invalid!, index);
    }
    if (known === 0) return null;
    const findings = { valid: valid!, invalid: invalid! };
    return signFindings(this.#chainId, { period, entries }, findings, seat, this.#key);
  }
}

/** A finding as a verdict of a `verdicts` transaction. */
export function verdictOf({ identity, segment, period, valid, reason }: BookedFinding): Verdict {
  const verdict = { identity, segment, period, valid };
  return valid || reason === 'unstated' ? verdict : { ...verdict, reason };
}

/** A proof's name: there is one proof of a replica in a period on one final chain. */
export function proofName({ identity, segment, period }: ReplicaName & { readonly period: number }): string {
  return `${Buffer.from(identity).toString('hex')}/${segment}/${period}`;
}
