/**
 * What the plain model of stake is made of: rules, stakes, electorates, blocks and votes, and the three rules that need nothing else: an empty block, an eighth
 * at a time, and what a quorum is.
 */
export interface ModelRules {
  readonly slotsPerEpoch: number;
  readonly staleEpochsFast: number;
  readonly staleEpochsSlow: number;
  readonly staleEpochsVerySlow: number;
  readonly voteLateSlotsMax: number;
  readonly unbondingEpochs: number;
  readonly minimumBond: bigint;
}
export interface ModelMember {
  readonly name: string;
  readonly weight: bigint;
  readonly inCurrent: boolean;
  readonly inPrevious: boolean;
  readonly excluded: boolean;
}
export interface ModelElectorate {
  readonly epoch: number;
  readonly era: number;
  readonly majorityFloor: boolean;
  readonly members: readonly ModelMember[];
}
export interface ModelStake {
  readonly name: string;
  /** Order of addresses. */
  readonly order: number;
  units: bigint;
  readonly weight: bigint;
  readonly bondedSlot: number;
  askedSlot: number;
  waiting: boolean;
  leaving: boolean;
  slashed: boolean;
  excluded: boolean;
  leftEpoch: number | null;
  /** Slot of the first block without it; 0 when it has never judged. */
  leftSlot: number;
  /** Full epochs missed in a row. */
  missed: number;
}
export interface ModelBlock {
  readonly slot: number;
  readonly hash: string;
  readonly judge: ModelElectorate;
  justified: boolean;
  readonly counted: Set<string>;
  readonly linked: Set<string>;
  /** Voters by the slot of a source that is not justified yet. */
  readonly waiting: Map<number, Set<string>>;
}
export interface ModelVote {
  readonly voter: string;
  readonly target: { readonly slot: number; readonly hash: string };
  readonly source: { readonly slot: number; readonly hash: string };
  /** State root and PoH count are the target's. */
  readonly isTrue: boolean;
}

/** Nothing is counted on it yet. */
export function newBlock(slot: number, hash: string, judge: ModelElectorate): ModelBlock {
  const sets = { counted: new Set<string>(), linked: new Set<string>(), waiting: new Map<number, Set<string>>() };
  return { slot, hash, judge, justified: false, ...sets };
}

/** The first of them up to an eighth of the total, one in any case. */
export function bounded(ordered: readonly ModelStake[], total: bigint): ModelStake[] {
  const taken: ModelStake[] = [];
  let weight = 0n;
  for (const stake of ordered) {
    weight += stake.weight;
    if (taken.length > 0 && weight > total / 8n) break;
    taken.push(stake);
  }
  return taken;
}

/** More than 2/3 of the weight that is not excluded, in both sets; with the floor, more than half of all. */
export function isQuorum({ members, majorityFloor }: ModelElectorate, voters: ReadonlySet<string>): boolean {
  return (['inCurrent', 'inPrevious'] as const).every((set) => {
    const sum = (pass: (member: ModelMember) => boolean): bigint =>
      members.filter((member) => member[set] && pass(member)).reduce((total, { weight }) => total + weight, 0n);
    const [full, active] = [sum(() => true), sum(({ excluded }) => !excluded)];
    const yes = sum(({ name, excluded }) => !excluded && voters.has(name));
    return yes * 3n > active * 2n && (!majorityFloor || yes * 2n > full);
  });
}
