/**
 * Eras: the one way into and out of the sets that judge. An era ends at the first block of an epoch once a block of the era is shown final: then set(era + 1), fixed
 * in or before that block's past, is final too, and all forks that go on agree on it.
 *
 * Bounds: at most 1/8 of the current set's weight enters the next and at most 1/8 leaves, always at least one each; at least one stays.
 * Slashed ones leave first, then who asked, then who is absent; in order of asking (of absence), then of addresses. Strictly in that order: who does not fit keeps those behind
 * it waiting, so nobody waits for ever.
 *
 * An era with nothing to change goes on: its number says how often the validators have changed, and a chain whose validators never do stays in era 0.
 */
import { byteOrder } from '../state-key.ts';
import { type Bond, isExcluded, isInSet, isWaiting } from './bond.ts';
import { type EpochChange, missedEpochs, type OpenBond } from './epoch-opening.ts';

/** 1/8 of the weight may enter, and 1/8 leave, in an era. */
const CHURN_DIVISOR = 8n;

/** Ends the era if it can end and there is reason to. */
export function changeEra(change: EpochChange): void {
  const { progress, bonds, era } = change;
  if (progress.final.slot < change.eraFirstSlot) return;
  const next = era + 1;
  const base = bonds.filter((bond) => isInSet(bond, next));
  const bound = base.reduce((sum, { weight }) => sum + weight, 0n) / CHURN_DIVISOR;
  const entering = takeBounded(bonds.filter(isCandidate).sort(byAsking), bound, bonds.length);
  const leaving = takeBounded(leaversOf(change, base), bound, base.length + entering.length - 1);
  if (entering.length + leaving.length === 0 && bonds.every((bond) => isSettled(bond, era))) return;
  for (const bond of entering) bond.fromEra = next + 1;
  for (const bond of leaving) bond.untilEra = next + 1;
  change.era = next;
  change.eraFirstSlot = change.slot;
  for (const bond of bonds) if (bond.untilEra !== null && bond.untilEra < next) bond.leftEpoch ??= change.epoch;
  change.majorityFloor &&= bonds.some((bond) => isExcluded(bond) && isJudging(bond, next));
}

/** Whether a bond is in one of the sets that judge in an era. */
export function isJudging(bond: Bond, era: number): boolean {
  return isInSet(bond, era) || isInSet(bond, Math.max(0, era - 1));
}

function isCandidate(bond: Bond): boolean {
  return isWaiting(bond) && !bond.slashed && !bond.leaving;
}

/** Whether a bond is in all of set(era - 1), set(era) and set(era + 1), or in none: era + 1 would change nothing about it. */
function isSettled(bond: Bond, era: number): boolean {
  const inNext = isInSet(bond, era + 1);
  return isInSet(bond, era) === inNext && isInSet(bond, Math.max(0, era - 1)) === inNext;
}

/** Members of a set that are to leave it, in the order in which they do. */
function leaversOf(change: EpochChange, base: readonly OpenBond[]): OpenBond[] {
  return base
    .filter((bond) => bond.untilEra === null && classOf(change, bond) < STAYS)
    .sort((a, b) => {
      const [first, second] = [classOf(change, a), classOf(change, b)];
      if (first !== second) return first - second;
      const [since, sinceB] = [a, b].map(({ absentFrom }) => absentFrom ?? change.fullEpochs);
      if (first === ABSENT && since !== sinceB) return since! - sinceB!;
      return byAsking(a, b);
    });
}

const SLASHED = 0;
const ASKED = 1;
const ABSENT = 2;
const STAYS = 3;

/** Absence makes a member leave only while finality is alive: in a partition each side would throw out the other. */
function classOf({ rules, fullEpochs, stalledEpochs }: EpochChange, bond: Bond): number {
  if (bond.slashed) return SLASHED;
  if (bond.leaving) return ASKED;
  if (isExcluded(bond)) return ABSENT;
  return stalledEpochs === 0 && missedEpochs(fullEpochs, bond) >= rules.staleEpochsFast ? ABSENT : STAYS;
}

function byAsking(a: Bond, b: Bond): number {
  return a.askedSlot === b.askedSlot ? byteOrder(a.address, b.address) : a.askedSlot - b.askedSlot;
}

/** The first of them, in order, until the next would pass the bound: one in any case, unless `countMax` is 0. */
function takeBounded(ordered: readonly OpenBond[], bound: bigint, countMax: number): OpenBond[] {
  const taken: OpenBond[] = [];
  let weight = 0n;
  for (const bond of ordered) {
    if (taken.length >= countMax || (taken.length > 0 && weight + bond.weight > bound)) break;
    taken.push(bond);
    weight += bond.weight;
  }
  return taken;
}
