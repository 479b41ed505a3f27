/** One block of a chain by the plain rules: the epoch it may begin, its transactions, its votes. */
import { beginPlainEpoch, hasLeft, mayReturn, waitingAgain } from './epoch.ts';
import {
  areQuorum,
  epochOfSlot,
  newPlainBond,
  type PlainBlock,
  type PlainBond,
  type PlainCount,
  type PlainOp,
  PlainRuleBroken,
  type PlainRules,
  type PlainState,
} from './model.ts';
import { countPlainVotes } from './votes.ts';

/** The state after a block on another. @throws PlainRuleBroken for an op that the rules forbid */
export function executePlain(rules: PlainRules, parent: PlainState, block: PlainBlock): PlainState {
  const { header } = block;
  const counts = withParent(rules, parent, header.slot);
  const isNewEpoch = epochOfSlot(rules, header.slot) > parent.judge.epoch;
  const begun = isNewEpoch ? beginPlainEpoch(rules, parent, header.slot) : parent;
  const judgedBy = parent.judge;
  let state: PlainState = { ...begun, header, judgedBy, counts, handOver: false, blocks: begun.blocks + 1 };
  for (const op of block.ops) state = apply(rules, state, op);
  return countPlainVotes(rules, state, parent.header.slot, block.votes);
}

/** Votes for a block can be counted from its child on, until it is shown final and too old for votes to show anybody present. */
function withParent(rules: PlainRules, parent: PlainState, slot: number): ReadonlyMap<number, PlainCount> {
  const counts = new Map<number, PlainCount>();
  for (const [of, count] of parent.counts)
    if (of > parent.final.slot || of + rules.voteLateSlotsMax >= slot) counts.set(of, count);
  const { header, judgedBy } = parent;
  const isKept = header.slot > parent.final.slot || header.slot + rules.voteLateSlotsMax >= slot;
  const none = { voters: new Set<string>(), linkers: new Set<string>(), waiting: new Map(), isJustified: false };
  if (header.slot > 0 && isKept) counts.set(header.slot, { ...none, header, judge: judgedBy });
  return counts;
}

function apply(rules: PlainRules, state: PlainState, op: PlainOp): PlainState {
  switch (op.kind) {
    case 'nominate': {
      const { name, deadlineSlot } = op;
      return approved({ ...state, nomination: { name, deadlineSlot, approvals: new Set() } }, op.by);
    }
    case 'approve':
      return approved(state, op.by);
    case 'secondary':
      return { ...state, secondary: op.name };
    case 'handOver':
      return { ...state, handOver: true };
    case 'bond':
      require(!state.bonds.some(({ name }) => name === op.name), 'a key that has a bond bonds again');
      return { ...state, bonds: [...state.bonds, newPlainBond(op.name, op.order, op.weight, state.header.slot)] };
    default:
      return { ...state, bonds: changed(rules, state, op) };
  }
}

function changed(
  rules: PlainRules,
  state: PlainState,
  op: Extract<PlainOp, { kind: 'return' | 'unbond' | 'withdraw' | 'slash' }>,
): PlainBond[] {
  const { slot } = state.header;
  const bond = state.bonds.find(({ name }) => name === op.name);
  require(bond !== undefined, `${op.kind} without a bond`);
  const others = (next: PlainBond): PlainBond[] => state.bonds.map((one) => (one === bond ? next : one));
  const isWaiting = bond.fromEra === null && bond.leftEpoch === null;
  const leftEpoch = isWaiting ? epochOfSlot(rules, slot) : bond.leftEpoch;
  switch (op.kind) {
    case 'return':
      require(mayReturn(bond, state), 'a bond comes back that has not left for absence');
      return others(waitingAgain(bond, slot));
    case 'unbond':
      return others({ ...bond, isLeaving: true, askedSlot: slot, leftEpoch });
    case 'slash':
      return others({ ...bond, isSlashed: true, units: 0n, askedSlot: slot, leftEpoch });
    case 'withdraw': {
      require(bond.isLeaving || bond.isSlashed, 'a withdrawal that was not asked for');
      require(hasLeft(bond, state), 'a withdrawal before the bond had left both sets for good');
      const freeFrom = bond.leftEpoch! + rules.unbondingEpochs;
      require(epochOfSlot(rules, slot) >= freeFrom, `a withdrawal in slot ${slot}, free from epoch ${freeFrom}`);
      return state.bonds.filter((one) => one !== bond);
    }
  }
}

/** With a quorum of approvals in time the nominated stands. */
function approved(state: PlainState, by: string): PlainState {
  const { nomination, judge } = state;
  require(nomination !== null, 'an approval of nobody');
  require(state.header.slot <= nomination.deadlineSlot, 'an approval after the deadline');
  const isMember = judge.members.some(({ name }) => name === by);
  const approvals = isMember ? new Set([...nomination.approvals, by]) : nomination.approvals;
  if (!areQuorum(judge, approvals)) return { ...state, nomination: { ...nomination, approvals } };
  return { ...state, nomination: null, secondary: nomination.name };
}

function require(holds: boolean, message: string): asserts holds {
  if (!holds) throw new PlainRuleBroken(message);
}
