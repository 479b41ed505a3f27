/**
 * `nominate`, `approve`, `handOver`: who follows the leader, settled on the chain before it is needed.
 *
 * A leader nominates; members approve until the deadline; with a quorum of approvals the nominated is the secondary, until another is approved. The nomination is the leader's own
 * approval. One nomination at a time: a later one replaces it, and leaves a standing secondary standing.
 */
import { type PublicKey, sameBytes } from '../../../native/index.ts';
import type { ApprovePayload, NominatePayload } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { electorateOfJudge, isCounted, isQuorumOfSeats, memberOf } from './electorate-after.ts';
import { judgeNow, readEpoch } from './epoch-record.ts';
import { type Nomination, putNomination, readNomination } from './nomination-record.ts';
import { putProgress, readProgress } from './progress-record.ts';
import { hasSeat, NO_SEATS, withSeat } from './seat-set.ts';

/** Checks of `nominate`, in order: not-the-leader, not-a-member, nomination-deadline. */
export function checkNominate(
  context: BlockContext,
  state: LedgerState,
  { secondary, deadlineSlot }: NominatePayload,
  from: PublicKey,
): Refusal | null {
  if (!sameBytes(from, context.leader)) return refuse('not-the-leader', "only a block's leader nominates in it");
  if (sameBytes(secondary, from) || !isCounted(electorateNow(context, state), secondary))
    return refuse('not-a-member', 'the nominated must be another validator, and not excluded');
  // An epoch at most: a seat in the approvals must not pass to another bond meanwhile.
  const latest = context.slot + context.rules.consensus.slotsPerEpoch;
  if (deadlineSlot <= context.slot || deadlineSlot > latest)
    return refuse(
      'nomination-deadline',
      `the deadline must be within ${context.slot + 1} .. ${latest}, found ${deadlineSlot}`,
    );
  return null;
}

/** Applies a checked `nominate`. */
export function applyNominate(
  context: BlockContext,
  overlay: Overlay,
  payload: NominatePayload,
  from: PublicKey,
): void {
  const { secondary: nominated, deadlineSlot } = payload;
  approveBy(context, overlay, { nominated, deadlineSlot, approvals: NO_SEATS }, from);
}

/** Checks of `approve`, in order: not-a-member, no-nomination, already-approved. */
export function checkApprove(
  context: BlockContext,
  state: LedgerState,
  { secondary }: ApprovePayload,
  from: PublicKey,
): Refusal | null {
  const electorate = electorateNow(context, state);
  if (!isCounted(electorate, from)) return refuse('not-a-member', 'only validators that are not excluded approve');
  const { pending } = readNomination(state);
  if (pending === null || !sameBytes(pending.nominated, secondary) || context.slot > pending.deadlineSlot)
    return refuse('no-nomination', 'this validator is not nominated, or the deadline has passed');
  if (hasSeat(pending.approvals, memberOf(electorate, from)!.seat))
    return refuse('already-approved', 'the sender has approved this nomination');
  return null;
}

/** Applies a checked `approve`. */
export function applyApprove(context: BlockContext, overlay: Overlay, from: PublicKey): void {
  approveBy(context, overlay, readNomination(overlay).pending!, from);
}

/** Checks of `handOver`, in order: not-the-leader, already-handed-over. */
export function checkHandOver(context: BlockContext, state: LedgerState, from: PublicKey): Refusal | null {
  if (!sameBytes(from, context.leader)) return refuse('not-the-leader', 'only the leader hands its lead over');
  return readProgress(state).handOver ? refuse('already-handed-over', 'this block hands the lead over already') : null;
}

/** Applies a checked `handOver`: what it says holds for the children of this block only. */
export function applyHandOver(overlay: Overlay): void {
  putProgress(overlay, { ...readProgress(overlay), handOver: true });
}

/** Who judges and leads the children of the block under way. */
export function electorateNow({ rules }: Pick<BlockContext, 'rules'>, state: LedgerState): Electorate {
  return electorateOfJudge(rules, state, judgeNow(readEpoch(state)));
}

function approveBy(context: BlockContext, overlay: Overlay, nomination: Nomination, by: PublicKey): void {
  const electorate = electorateNow(context, overlay);
  const member = memberOf(electorate, by);
  const approvals = member === undefined ? nomination.approvals : withSeat(nomination.approvals, member.seat);
  const { secondary } = readNomination(overlay);
  putNomination(
    overlay,
    isQuorumOfSeats(electorate, approvals)
      ? { secondary: nomination.nominated, pending: null }
      : { secondary, pending: { ...nomination, approvals } },
  );
}
