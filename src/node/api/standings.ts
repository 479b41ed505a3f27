/** How the segments stand against the replication target, from the last final state. Reads only. */
import { amount, slot } from '../../../native/index.ts';
import {
  type IdentityOverview,
  lockedUnits,
  periodOfSlot,
  type SegmentStanding,
  segmentStandings,
} from '../../ledger/index.ts';
import type { IdentityRow, StandingsView, StandingView } from '../../rpc/views/replication.ts';
import type { ChainParts } from '../chain-parts.ts';

/** The standings read last, and the state they were read from: status, metrics and replicators ask for them again and again. */
const READ = new WeakMap<object, readonly SegmentStanding[]>();

/** All complete segments, in order; computed once a final block. */
export function standingsOf({ tree, rules }: Pick<ChainParts, 'tree' | 'rules'>): readonly SegmentStanding[] {
  const { root } = tree;
  let standings = READ.get(root);
  if (standings === undefined) {
    standings = segmentStandings(rules, root.state, root.header.slot, root.header.segmentCount);
    READ.set(root, standings);
  }
  return standings;
}

/** How many segments are below the target, and how many have no proven replica. */
export function breaches(standings: readonly SegmentStanding[]): {
  readonly belowTarget: number;
  readonly unproven: number;
} {
  return {
    belowTarget: standings.filter(({ isBelowTarget }) => isBelowTarget).length,
    unproven: standings.filter(({ proven }) => proven === 0).length,
  };
}

export function standingsView(parts: Pick<ChainParts, 'tree' | 'rules'>, from: number, count: number): StandingsView {
  const { header } = parts.tree.root;
  const { replication } = parts.rules;
  const period = periodOfSlot(replication, header.slot);
  const all = standingsOf(parts);
  const { belowTarget, unproven } = breaches(all);
  return {
    slot: slot(header.slot),
    period,
    target: replication.replicasPerSegment,
    segments: all.length,
    belowTarget,
    atRisk: unproven,
    standings: all.slice(from, from + count).map((standing) => viewOf(standing, period)),
  };
}

function viewOf({ missesMost, provenPeriod, ...standing }: SegmentStanding, period: number): StandingView {
  return {
    ...standing,
    misses: missesMost,
    proofAgePeriods: provenPeriod === null ? null : period - provenPeriod,
    isAtRisk: standing.proven === 0,
  };
}

/** One identity as RPC shows it. */
export function identityRow(record: IdentityOverview): IdentityRow {
  const { address, publicKey, deposit, slot: since, replicas, accepted, fakes, paidUnits, freePeriod } = record;
  const sums = { locked: amount(lockedUnits(record)), paid: amount(paidUnits) };
  return { address, publicKey, deposit, slot: since, replicas, ...sums, accepted, fakes, freePeriod };
}
