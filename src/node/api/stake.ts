/** Validators and their votes, as a chain node answers them. */
import { amount, byteKey, type PublicKey, type Slot, slot } from '../../../native/index.ts';
import { readValidators } from '../../ledger/index.ts';
import type { ValidatorsView, VoteAccount } from '../../rpc/views/stake.ts';
import type { ChainParts } from '../chain-parts.ts';
import { nextLeader } from './status.ts';

/** Members of the electorate after the best block, and how recently they were heard. */
export function voteAccounts(parts: ChainParts): VoteAccount[] {
  const { tree, genesis } = parts;
  return tree.best.electorate.members.map(({ publicKey, weight }) => {
    const lastVoteSlot = lastVoteSlotOf(parts, publicKey);
    const isRecent = tree.best.header.slot - (lastVoteSlot ?? 0) <= 4 * genesis.consensus.timeoutSlots;
    return { publicKey, bond: amount(weight), lastVoteSlot, current: lastVoteSlot !== null && isRecent };
  });
}

/** Every bond after the final block. */
export function validatorsView(parts: ChainParts): ValidatorsView {
  const { rules, tree } = parts;
  const { header, state, electorate } = tree.root;
  const { epoch, era, majorityFloor, secondary } = electorate;
  const validators = readValidators(rules, state).map((row) => ({
    ...row,
    lastVoteSlot: lastVoteSlotOf(parts, row.publicKey),
  }));
  const leader = nextLeader(parts, tree.best.header);
  return { slot: header.slot, epoch, era, majorityFloor, secondary, leader, validators };
}

function lastVoteSlotOf({ votesSeen }: ChainParts, voter: PublicKey): Slot | null {
  const last = votesSeen.get(byteKey(voter));
  return last === undefined ? null : slot(last);
}
