/** What a named scenario says: who takes part, who cheats and how, which faults strike, and what is claimed. */
import type { ConsensusFields } from '../../src/ledger/index.ts';
import type { Absence } from './absences.ts';
import type { Claim } from './claims.ts';
import type { FaultMix } from './faults.ts';
import type { WireQuality } from './links.ts';

/** How a Byzantine node cheats (byzantine.ts). */
export type ByzantineKind =
  | 'equivocating-leader'
  | 'invalid-state'
  | 'invalid-poh'
  | 'withheld-entries'
  | 'double-voter'
  | 'silent-leader'
  | 'replayer'
  | 'long-range'
  | 'vote-forger'
  /** Votes for what it has not executed (src/node/faults/blind-vote.ts). */
  | 'lazy'
  /** Leaves transfers out of its blocks. */
  | 'censor';

export interface Scenario {
  readonly name: string;
  /** One sentence for people. */
  readonly about: string;
  /** Bonds by rank, descending; equal ones of the given number unless it says so. */
  readonly bonds?: readonly bigint[];
  readonly validators?: number;
  readonly archives?: number;
  /** Ranks whose nodes cheat, and how. */
  readonly byzantine?: Readonly<Record<number, ByzantineKind>>;
  /** Ranks whose key a second node holds: both run honest code. */
  readonly twins?: readonly number[];
  /** Ranks whose disks may break their promises (`ruin` faults): under 1/3 of the bonds, if progress is claimed. */
  readonly ruins?: readonly number[];
  /** Ranks whose vote file is deleted at every crash. */
  readonly losesVoteFile?: readonly number[];
  readonly faults: FaultMix;
  /** The wire outside of `wire` faults; calm unless given. */
  readonly wire?: WireQuality;
  /** Splits the nodes for the whole of each faulty phase, by name: cut between different groups. */
  readonly groups?: Readonly<Record<string, number>>;
  /** The groups are apart from the very start: twins have not met. */
  readonly splitsAtOnce?: boolean;
  readonly unfinalizedBlocksMax?: number;
  /** Other parameters of genesis than the usual ones of simulations (chain-setup.ts). */
  readonly consensus?: Partial<ConsensusFields>;
  /** Nodes with keys that are no validators at first: ranks after the validators'. */
  readonly candidates?: number;
  /** Validators and candidates bond, unbond and withdraw. */
  readonly staking?: boolean;
  /** Transfers of one sender are timed (probes.ts). */
  readonly probes?: boolean;
  /** Who is away when, in each faulty phase. */
  readonly absences?: readonly Absence[];
  /** Length of the faulty phases, ms with slots of 500 ms; `FAULTY_PHASE_MS` unless given. */
  readonly faultyMs?: number;
  /** The longest that progress may take after them, ms with slots of 500 ms; `LIVENESS_BOUND_MS` unless given. */
  readonly livenessMs?: number;
  /** All honest nodes are there once the faults end, not only a core quorum. */
  readonly everybodyReturns?: boolean;
  /** What must have come of it once the faults are over, besides progress. */
  readonly claims?: readonly Claim[];
  /** Relative error of clocks, at most; 1 % unless given. */
  readonly clockDrift?: number;
  /** No two conflicting blocks become final; true unless given. Where not, the culprits must be named. */
  readonly claimsSafety?: boolean;
  /** Every honest node finalizes new blocks within the bound once the faults end; true unless given. */
  readonly claimsProgress?: boolean;
  /** Too large to be run when none is named. */
  readonly isLarge?: boolean;
  /** Must fail: it shows that the net holds water. */
  readonly isCanary?: boolean;
}
