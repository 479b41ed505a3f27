/**
 * Misses, and what ends a replica: `retire` by its identity, `reportLapsed` by anybody once it has missed too many periods in a row.
 *
 * Misses are not counted as they happen: they follow from the period proven last and the slot, so a period costs nothing for whoever proves nothing. Each
 * miss in a row costs `slashPerMissPermille` thousandths of `depositPerReplica`, at most all of it, when the replica ends. A replica that lapsed, by more than
 * `missesMax`, also forfeits what is still locked for its identity (what was due has been released). Both go to the reward pool.
 */
import { type Address, amount } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { ReportLapsedPayload, RetirePayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import { collectFee } from '../fees.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { type IdentityRecord, lockedUnits, putIdentity, readIdentity } from './identity.ts';
import { releaseDue } from './lockout.ts';
import { type MarketRules, PERMILLE } from './market-rules.ts';
import { replicaKey } from './record-key.ts';
import { type ReplicaRecord, readReplica } from './replica.ts';
import { firstUndecidedPeriod, periodOfSlot, periodsDue } from './schedule.ts';
import { leavePlace } from './segment-places.ts';

const NONE = amount(0n);

/** Periods in a row that are decided, were due, and not proven. */
export function missesOf(rules: MarketRules, record: Pick<ReplicaRecord, 'provenNext'>, slot: number): number {
  return periodsDue(rules, record.provenNext, firstUndecidedPeriod(rules, slot));
}

/** Whether a replica has missed more periods in a row than it survives. */
export function isLapsed(rules: MarketRules, record: Pick<ReplicaRecord, 'provenNext'>, slot: number): boolean {
  return missesOf(rules, record, slot) > rules.missesMax;
}

/** Units of the deposit that ending a replica with so many misses costs. */
export function slashOf(rules: MarketRules, misses: number): bigint {
  const permille = Math.min(PERMILLE, rules.slashPerMissPermille * misses);
  return (rules.depositPerReplica * BigInt(permille)) / BigInt(PERMILLE);
}

/** Checks of `retire`: replica-unknown. */
export function checkRetire(state: StateReader, { segment }: RetirePayload, sender: Address): Refusal | null {
  if (readReplica(state, segment, sender) !== undefined) return null;
  return refuse('replica-unknown', `the sender has not committed to segment ${segment}`);
}

/** Applies a checked `retire`. */
export function applyRetire(
  context: BlockContext,
  overlay: Overlay,
  { segment }: RetirePayload,
  sender: Address,
): void {
  endReplica(context, overlay, segment, sender);
}

/** Checks of `reportLapsed`: nothing-lapsed. */
export function checkReport(context: BlockContext, state: StateReader, payload: ReportLapsedPayload): Refusal | null {
  const lapsed = payload.entries.some(({ segment, identity }) => {
    const record = readReplica(state, segment, identity);
    return record !== undefined && isLapsed(context.rules.replication, record, context.slot);
  });
  return lapsed ? null : refuse('nothing-lapsed', 'none of these replicas has missed too many periods');
}

/** Applies a checked `reportLapsed`: replicas that have not lapsed are passed over. */
export function applyReport(context: BlockContext, overlay: Overlay, payload: ReportLapsedPayload): void {
  for (const { segment, identity } of payload.entries) {
    const record = readReplica(overlay, segment, identity);
    if (record === undefined || !isLapsed(context.rules.replication, record, context.slot)) continue;
    endReplica(context, overlay, segment, identity);
  }
}

/** Ends a replica that is there: releases what is due to its identity, takes slash and place. */
export function endReplica(context: BlockContext, overlay: Overlay, segment: number, identity: Address): void {
  const record = readReplica(overlay, segment, identity)!;
  const before = releaseDue(context, overlay, identity, readIdentity(overlay, identity)!);
  const { after, forfeited } = ended(context, before, record);
  overlay.deleteRecord(replicaKey(segment, identity));
  putIdentity(overlay, identity, after);
  collectFee(overlay, context.rules.rewardPool, forfeited);
  leavePlace(overlay, segment, identity);
}

/** An identity's record after one of its replicas ended, and the units taken. */
function ended(
  { rules, slot }: BlockContext,
  before: IdentityRecord,
  record: ReplicaRecord,
): { readonly after: IdentityRecord; readonly forfeited: bigint } {
  const market = rules.replication;
  const misses = missesOf(market, record, slot);
  // Every replica's part of the deposit was there when it was committed, and is taken at most once.
  const slash = slashOf(market, misses);
  const hasLapsed = misses > market.missesMax;
  const after = {
    ...before,
    deposit: amount(before.deposit - slash),
    replicas: before.replicas - 1,
    provableFrom: periodOfSlot(market, slot) + 1,
    ...(hasLapsed ? { lockedOld: NONE, lockedNew: NONE } : {}),
  };
  return { after, forfeited: slash + (hasLapsed ? lockedUnits(before) : 0n) };
}

/** The identity's deposit after a replica of it ended now: what a new commit to the segment is checked against. */
export function depositAfterEnd(context: BlockContext, identity: IdentityRecord, record: ReplicaRecord): bigint {
  return ended(context, identity, record).after.deposit;
}
