/**
 * Which segments a replicator keeps: those where replicas are needed most, so that capacity goes where it is paid.
 *
 * Pure. The order is: fewest proven replicas of others, then fewest committed ones, then a hash of identity and segment, so that a thousand replicators
 * that see the same ledger spread over what is equally needed. A segment that is short of few replicas does not draw everybody: in each period an
 * identity's turn comes with odds of about twice the shortage over the number of identities. Likewise only some leave a segment that has too many.
 *
 * Invariants: never more than the capacity; what is held is given up only for a segment under its target, and only when others prove enough replicas of it.
 */
import type { Kernels } from '../../../native/index.ts';

export interface SegmentNeed {
  readonly segment: number;
  /** Replicas of other identities: proven now, and committed. */
  readonly proven: number;
  readonly committed: number;
}

export interface ChooseInput {
  readonly kernels: Pick<Kernels, 'sha256'>;
  /** 20 bytes. */
  readonly identity: Uint8Array;
  readonly period: number;
  /** Replicas a segment should have. */
  readonly target: number;
  /** Identities registered, this one included. */
  readonly identities: number;
  /** How many segments fit. */
  readonly capacity: number;
  /** Segments that are kept or committed now. */
  readonly held: ReadonlySet<number>;
  /** Every complete segment. */
  readonly needs: readonly SegmentNeed[];
}

/** The segments to keep, ascending. */
export function chooseSegments(input: ChooseInput): number[] {
  const { capacity, held, target, needs } = input;
  const kept = needs.filter(({ segment }) => held.has(segment)).sort(byNeed(input));
  const wanted = needs
    .filter(({ segment, committed }) => !held.has(segment) && committed < target)
    .filter((need) => isDue(input, need))
    .sort(byNeed(input));
  const chosen = kept.slice(0, capacity);
  const leaving = chosen.filter(({ proven }) => proven >= target).filter((need) => mayLeave(input, need));
  for (const need of wanted) {
    if (chosen.length >= capacity) {
      const given = leaving.pop();
      if (given === undefined) break;
      chosen.splice(chosen.indexOf(given), 1);
    }
    chosen.push(need);
  }
  return chosen.map(({ segment }) => segment).sort((a, b) => a - b);
}

function byNeed(input: ChooseInput): (a: SegmentNeed, b: SegmentNeed) => number {
  const ties = new Map<number, number>();
  const tie = (segment: number): number => {
    const known = ties.get(segment) ?? draw(input, segment, 0);
    ties.set(segment, known);
    return known;
  };
  return (a, b) => a.proven - b.proven || a.committed - b.committed || tie(a.segment) - tie(b.segment);
}

/** Whether this identity's turn for a segment short of replicas has come: soon when many are missing, and at once when there are few identities. */
function isDue(input: ChooseInput, { segment, committed }: SegmentNeed): boolean {
  const odds = (2 * (input.target - committed)) / Math.max(1, input.identities);
  return odds >= 1 || draw(input, segment, input.period + 1) < odds;
}

/** Of those that hold a replica too many, about as many leave in a period as are too many. */
function mayLeave(input: ChooseInput, { segment, proven }: SegmentNeed): boolean {
  const odds = (proven + 1 - input.target) / (proven + 1);
  return draw(input, segment, input.period + 1) < odds;
}

/** A number in 0 .. 1 that follows from identity, segment and turn. */
function draw({ kernels, identity }: ChooseInput, segment: number, turn: number): number {
  const bytes = Buffer.alloc(identity.length + 8);
  bytes.set(identity);
  bytes.writeUInt32LE(segment, identity.length);
  bytes.writeUInt32LE(turn, identity.length + 4);
  return Buffer.from(kernels.sha256(bytes)).readUInt32LE(0) / 2 ** 32;
}
