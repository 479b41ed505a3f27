/** The vote of a validator that does not execute what it votes for: for demonstrations and tests of decoys. */
import { type Slot, slot } from '../../../native/index.ts';
import { type BlockHeader, type SigningKey, signVote, type Vote } from '../../codec/index.ts';
import { type ConsensusState, justifiedHeader } from '../../consensus/index.ts';

const NO_HASH = new Uint8Array(32) as BlockHeader['hash'];
const NO_SLOT: Slot = slot(0);

/** Votes for a block by its header alone. */
export function blindVote(state: ConsensusState, header: BlockHeader, key: SigningKey): Vote {
  const source = justifiedHeader(state);
  const draft = {
    sourceSlot: source.slot,
    sourceHash: source.hash,
    targetSlot: header.slot,
    targetHash: header.hash,
    pohCount: header.pohCount,
    stateRoot: header.stateRoot,
    leavesSlot: NO_SLOT,
    leavesHash: NO_HASH,
  };
  return signVote(header.chainId, draft, key);
}
