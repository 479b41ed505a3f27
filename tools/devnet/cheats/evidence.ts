/** What a run with cheats found out, and its judgement: plain figures and pure checks. */
import type { Behaviour } from './parameters.ts';
import { EXPECTED_REASONS } from './parameters.ts';

/** One replicator, as the ledger records it in the end. */
export interface Party {
  readonly name: string;
  readonly what: Behaviour;
  /** Bech32m. */
  readonly identity: string;
  readonly replicas: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Own fakes revealed: the validators had to reject each of them. */
  readonly fakes: number;
  /** Rewards since it registered, units. */
  readonly paidUnits: string;
  /** Why its replicas' last rejected proofs were. */
  readonly reasons: readonly string[];
}

/** The history restored after the last archive was killed. */
export interface Restored {
  readonly segments: number;
  readonly bytes: number;
  readonly ms: number;
  readonly height: number;
  /** Whole segment files that were compared with the dead archive's, and those that differ. */
  readonly compared: number;
  readonly different: number;
  /** Replicators found lying or damaged on the way. */
  readonly verdicts: readonly string[];
  /** A node over it executed everything to the validators' state. */
  readonly stateRootEqual: boolean;
}

export interface CheatsEvidence {
  readonly parties: readonly Party[];
  readonly restored: Restored | null;
  readonly unexpectedExits: readonly string[];
  readonly stepFailures: readonly string[];
}

type Check = (evidence: CheatsEvidence) => string | null;

/** Every check, by name. */
export const CHEAT_CHECKS: Readonly<Record<string, Check>> = {
  onlyHonestPaid,
  reasons,
  restoredFromReplicas,
  processes: ({ unexpectedExits }) => (unexpectedExits.length === 0 ? null : unexpectedExits.join('; ')),
  steps: ({ stepFailures }) => (stepFailures.length === 0 ? null : stepFailures.join('; ')),
};

/** The failures of a run; empty when every check held. */
export function judgeCheats(evidence: CheatsEvidence): string[] {
  return Object.entries(CHEAT_CHECKS).flatMap(([name, check]) => {
    const failure = check(evidence);
    return failure === null ? [] : [`${name}: ${failure}`];
  });
}

/** So often each must be judged before the run is over: once could be chance. */
export const ACCEPTED_MIN = 4;
export const REJECTED_MIN = 2;

/** Exactly the honest one is paid, and nothing of it was refused but its own fakes. */
export function onlyHonestPaid({ parties }: Pick<CheatsEvidence, 'parties'>): string | null {
  const honest = parties.filter(({ what }) => what === 'honest');
  if (honest.length === 0) return 'no honest replicator ran';
  for (const { name, what, paidUnits, accepted, rejected, fakes } of parties) {
    const isPaid = BigInt(paidUnits) > 0n;
    if (what === 'honest' && !isPaid) return `${name} is honest and was not paid`;
    if (what === 'honest' && accepted < ACCEPTED_MIN)
      return `${accepted} proofs of ${name} were accepted, expected ${ACCEPTED_MIN}`;
    if (what === 'honest' && rejected > fakes) return `${name} is honest, yet ${rejected - fakes} proofs were rejected`;
    if (what !== 'honest' && (isPaid || accepted > 0))
      return `${name} (${what}) had ${accepted} proofs accepted and was paid ${paidUnits} units`;
  }
  return null;
}

/** Each cheat's proofs were refused, for its own reason, on the ledger. */
export function reasons({ parties }: Pick<CheatsEvidence, 'parties'>): string | null {
  for (const { name, what, rejected, reasons: found } of parties) {
    if (what === 'honest') continue;
    if (rejected < REJECTED_MIN)
      return `${rejected} proofs of ${name} (${what}) were rejected, expected ${REJECTED_MIN}`;
    const expected = EXPECTED_REASONS[what];
    const other = found.find((reason) => !expected.includes(reason));
    if (other !== undefined || found.length === 0)
      return `proofs of ${name} (${what}) were rejected as ${found.join(', ') || 'nothing'}, expected ${expected.join(' or ')}`;
  }
  return null;
}

function restoredFromReplicas({ restored }: CheatsEvidence): string | null {
  if (restored === null) return 'no history was restored';
  const { compared, different, segments, stateRootEqual } = restored;
  if (different > 0) return `${different} of ${compared} segments differ from the archive's`;
  if (compared === 0 || compared < segments) return `${compared} of ${segments} segments were compared`;
  return stateRootEqual ? null : 'the restored history was not executed to the state of the network';
}
