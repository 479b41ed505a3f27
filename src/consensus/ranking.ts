/**
 * The leader rule: who may produce the block for a slot on a given parent. Objective: it needs the parent's header and the
 * genesis validators only.
 *
 * Let the parent stand at slot p and be led by L (of the genesis block: the highest-ranked validator), and g = slot - p.
 *
 *   g <= timeoutSlots             L itself
 *   k * timeoutSlots < g <= (k + 1) * timeoutSlots     the k-th validator after L in the ranking, cyclic
 *
 * The ranking is by bond, descending, ties to the higher key. Source: docs/protocol.md, "Leaders".
 */
import { byteKey } from '../../native/index.ts';
import type { ConsensusConfig } from './model.ts';
import { ConsensusError } from './model.ts';
import type { RankedValidator, TreeNode } from './state.ts';

/** The validators by rank: bond descending, then key bytes descending. Refuses an empty set, doubles and zero bonds. */
export function rankValidators(validators: ConsensusConfig['validators']): RankedValidator[] {
  if (validators.length === 0)
    throw new ConsensusError('noValidators', 'validators must hold at least one, found none');
  const keyed = validators.map((v) => ({ key: byteKey(v.publicKey), publicKey: v.publicKey, bond: v.bond as bigint }));
  keyed.sort((a, b) => (a.bond !== b.bond ? (a.bond > b.bond ? -1 : 1) : a.key > b.key ? -1 : 1));
  for (const [i, { key, bond }] of keyed.entries()) {
    if (bond <= 0n) throw new ConsensusError('zeroBond', `bond of validator ${nameOf(key)} must be > 0, found ${bond}`);
    if (keyed.findIndex((v) => v.key === key) !== i)
      throw new ConsensusError('duplicateValidator', `validator ${nameOf(key)} stands twice in the list; keep one`);
  }
  return keyed.map(({ publicKey, bond }) => ({ publicKey, bond }));
}

/** Hex of a key, for messages. */
function nameOf(key: string): string {
  return Buffer.from(key, 'latin1').toString('hex');
}

/** Which turn a gap of `gapSlots` >= 1 falls into: 0 is the parent's leader. */
export function turnOfGap(gapSlots: number, timeoutSlots: number): number {
  return Math.floor((gapSlots - 1) / timeoutSlots);
}

/** Rank of the one validator that may lead `slot` on `parent`. `slot` must be above the parent's. */
export function leaderRank(parent: TreeNode, slot: number, timeoutSlots: number, validatorCount: number): number {
  const turn = turnOfGap(slot - parent.header.slot, timeoutSlots);
  return (parent.leader + turn) % validatorCount;
}

/**
 * The first slot on `parent` that validator `rank` may lead, above `usedSlot`, or null when that lies beyond `gapSlotsMax`.
 */
export function firstOwnSlot(
  parent: TreeNode,
  rank: number,
  usedSlot: number,
  { timeoutSlots, validatorCount, gapSlotsMax }: { timeoutSlots: number; validatorCount: number; gapSlotsMax: number },
): number | null {
  const parentSlot = parent.header.slot;
  const distance = (rank - parent.leader + validatorCount) % validatorCount;
  for (let turn = distance; turn * timeoutSlots < gapSlotsMax; turn += validatorCount) {
    const first = parentSlot + turn * timeoutSlots + 1;
    const slot = Math.max(first, usedSlot + 1);
    if (slot < first + timeoutSlots) return slot - parentSlot <= gapSlotsMax ? slot : null;
  }
  return null;
}
