/**
 * What a scenario claims besides safety and progress: looked at once its faults are over, again and again until it holds or the bound is past. Each says in plain
 * words what it means; docs/testing.md has them all.
 */
import type { LeadReason } from './plain-rules/line.ts';
import type { Simulation } from './simulation.ts';

export interface Claim {
  readonly says: string;
  /** What is still missing, or wrong; null when the claim holds. */
  readonly lacks: (simulation: Simulation) => string | null;
}

/** The longest it may take after progress was seen, ms with slots of 500 ms: several eras, an absence of `staleEpochsFast`, an unbonding delay. */
export const CLAIM_BOUND_MS = 120_000;

/** Provable lies after which nobody honest can have missed them all: single ones may be lost on the wire. */
const LIES_SEEN = 3;

/** A cheat loses its bond on the ledger, once it has cheated where that can be shown. */
export function slashed(...ranks: readonly number[]): Claim {
  return {
    says: `validators ${ranks.join(', ')} are slashed`,
    lacks: ({ oracles: { watch }, byzantium }) => {
      const cheats = ranks.filter((rank) => byzantium.provableLies(rank) >= LIES_SEEN);
      const missing = cheats.filter((rank) => !watch.slashes.some((slash) => slash.rank === rank));
      return missing.length === 0 ? null : `validators ${missing.join(', ')} keep their bonds`;
    },
  };
}

/** Who votes without looking is slashed by the first decoy that the chain owns up to. */
export function slashedByDecoy(rank: number, blocksMax: number): Claim {
  return {
    says: `validator ${rank} is slashed for a decoy within ${blocksMax} blocks of the first that is owned up to`,
    lacks: ({ oracles: { watch } }) => {
      const slash = watch.slashes.find((one) => one.rank === rank);
      const [revealed] = watch.reveals;
      if (slash === undefined || revealed === undefined) return `${watch.reveals.length} decoys, and its bond stands`;
      if (slash.offence !== 'decoyVote') return `it was slashed for ${slash.offence}`;
      const blocks = slash.height - revealed;
      return blocks <= blocksMax ? null : `it took ${blocks} blocks`;
    },
  };
}

/** Nobody can be kept out of the chain for longer. */
export function finalWithin(slotsMax: number): Claim {
  return {
    says: `every transaction of one sender is in a final block within ${slotsMax} slots`,
    lacks: ({ oracles, clients: { probes } }) => {
      if (probes.finalCount < 10) return `only ${probes.finalCount} are final`;
      const slowest = Math.max(probes.slowestSlots, probes.waitingSlots(oracles.watch.state.header.slot));
      return slowest <= slotsMax ? null : `one took ${slowest} slots`;
    },
  };
}

/** However leads end, the next block comes soon in PoH time. */
export function gapsAtMost(slotsMax: number): Claim {
  return {
    says: `no two final blocks are more than ${slotsMax} slots apart`,
    lacks: ({ oracles: { watch } }) => {
      const late = watch.leads.find(({ gap }) => gap > slotsMax);
      return late === undefined ? null : `slot ${late.slot} came ${late.gap} slots after its parent`;
    },
  };
}

/** Leads have changed for these reasons, at gaps within bounds. */
export function leadsChanged(reason: LeadReason, gapMax: number, countMin = 1): Claim {
  return {
    says: `leads change by ${reason}, within ${gapMax} slots`,
    lacks: ({ oracles: { watch } }) => {
      const count = watch.leads.filter((lead) => lead.reason === reason && lead.gap <= gapMax).length;
      return count >= countMin ? null : `${count} did`;
    },
  };
}

/** The secondary leads when the leader is gone. */
export function secondaryFollows(): Claim {
  return {
    says: 'the approved secondary follows a leader that is gone',
    lacks: ({ oracles: { watch } }) =>
      watch.leads.some(({ isSecondary, reason }) => isSecondary && reason !== 'term') ? null : 'none did',
  };
}

/** These stopped counting, and the others made blocks final without them. */
export function wentOnWithout(ranks: readonly number[], blocksMin: number): Claim {
  return {
    says: `at least ${blocksMin} blocks are final in which validators ${ranks.join(', ')} do not count`,
    lacks: ({ oracles: { watch } }) => {
      const few = ranks.filter((rank) => (watch.blocksWithout.get(rank) ?? 0) < blocksMin);
      return few.length === 0 ? null : few.map((rank) => `${rank}: ${watch.blocksWithout.get(rank) ?? 0}`).join(', ');
    },
  };
}

/** Somebody excluded in a stall counts again in it. Says nothing where the branch that won excludes nobody: those who were away may have led it themselves. */
export function readmitted(...ranks: readonly number[]): Claim {
  return {
    says: `of validators ${ranks.join(', ')} one counts again in the stall that excluded it`,
    lacks: ({ oracles: { watch } }) =>
      ranks.some((rank) => watch.readmitted.has(rank)) || ranks.every((rank) => !watch.blocksWithout.has(rank))
        ? null
        : 'none does',
  };
}

/** Everybody counts at the end, and the floor is gone. */
export function allMembers(): Claim {
  return {
    says: 'everybody is a member that counts again',
    lacks: ({ oracles: { watch }, chain }) => {
      const out = chain.genesis.validators.flatMap((_, rank) => (watch.isMember(rank) ? [] : [rank]));
      if (out.length > 0) return `validators ${out.join(', ')} are out`;
      return watch.state.judge.majorityFloor ? 'the majority floor still holds' : null;
    },
  };
}

/** Bonds have come and gone. */
export function bondsMoved(erasMin: number): Claim {
  return {
    says: `at least ${erasMin} eras, a bond made, one left and withdrawn`,
    lacks: ({ oracles: { watch } }) => {
      const { bonded, unbonded, withdrawn } = watch.bonding;
      const { era } = watch.state.judge;
      if (era >= erasMin && bonded > 0 && unbonded > 0 && withdrawn > 0) return null;
      return `era ${era}, ${bonded} bonded, ${unbonded} unbonded, ${withdrawn} withdrawn`;
    },
  };
}

/** In every scenario: what an honest member has found out, and still knows, is acted on. */
export const EVIDENCE_CLAIM: Claim = {
  says: 'whoever is shown to have cheated to an honest member is slashed',
  lacks: ({ oracles: { watch }, evidence, nodes }) => {
    const open = evidence.find(({ by, life, against }) => {
      const finder = nodes.find(({ name }) => name === by);
      const isKnown = finder?.node !== undefined && finder.lives === life && watch.isMember(finder.rank ?? -1);
      return isKnown && watch.bondOf(against)?.isSlashed === false;
    });
    return open === undefined ? null : `${open.by} holds evidence (${open.kind}) against validator ${open.against}`;
  },
};
