/** What the plain model of the market is made of: rules, proofs, replicas and identities, all numbers plain ones. */
export interface ModelRules {
  readonly slotsPerPeriod: number;
  readonly periodsPerRotation: number;
  readonly proofDeadlineSlots: number;
  readonly sealSlots: number;
  readonly replicasPerSegment: number;
  readonly rewardLockoutPeriods: number;
  readonly missesMax: number;
  readonly slashPerMissPermille: number;
  readonly slashPerFakePermille: number;
  readonly fakeSharePermille: number;
  /** Units that each validator has bonded. */
  readonly bond: number;
  readonly reward: number;
  readonly minimumDeposit: number;
  readonly replicaDeposit: number;
  readonly validators: number;
  /** Replicators in order of address: ties of age. */
  readonly addressRank: readonly number[];
}

export interface ModelProof {
  readonly period: number;
  readonly slot: number;
  readonly fake: boolean;
  state: 'pending' | 'accepted' | 'rejected' | 'revealed';
  /** What each validator has sealed on it. */
  readonly words: Map<number, boolean>;
}
export interface ModelReplica {
  rotation: number;
  readonly since: number;
  readonly firstDue: number;
  readonly proven: Set<number>;
  lowest: number;
  proof: ModelProof | null;
  accepted: number;
  rejected: number;
  expired: number;
  paid: number;
}
export interface ModelIdentity {
  deposit: number;
  readonly replicas: Map<number, ModelReplica>;
  /** Rewards with the window they are of. */
  locked: { readonly window: number; readonly units: number }[];
  accepted: number;
  fakes: number;
  paid: number;
  left: number | null;
  lowest: number;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
