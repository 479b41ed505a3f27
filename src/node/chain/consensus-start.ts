/** Makes the consensus machine from genesis and from what the disk held. */
import type { SigningKey } from '../../codec/index.ts';
import { type ConsensusState, createConsensus } from '../../consensus/index.ts';
import type { Genesis, LedgerRules } from '../../ledger/index.ts';
import type { OpenedChain } from './chain-store.ts';

export interface ConsensusBasis {
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  /** null: an observer. */
  readonly key: SigningKey | null;
  readonly opened: Pick<OpenedChain, 'root' | 'ownVotes' | 'highestProducedSlot' | 'votesLost'>;
}

/** @param nowMs the node's clock */
export function startConsensus({ genesis, rules, key, opened }: ConsensusBasis, nowMs: number): ConsensusState {
  const { poh, consensus } = genesis;
  const parameters = {
    chainId: rules.chainId,
    slotDurationMs: poh.slotDurationMs,
    timeoutSlots: consensus.timeoutSlots,
    hashesPerSlot: rules.hashesPerSlot,
    unfinalizedBlocksMax: consensus.unfinalizedBlocksMax,
    slotsPerEpoch: consensus.slotsPerEpoch,
    termSlots: consensus.termSlots,
  };
  const { root, ownVotes, highestProducedSlot } = opened;
  const { header, electorate } = root;
  // Who signs nothing has no votes to lose.
  const votesLost = key !== null && opened.votesLost;
  const start = { root: header, electorate, ownVotes, highestProducedSlot, votesLost };
  return createConsensus({ parameters, own: key?.publicKey ?? null }, start, nowMs);
}
