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
  readonly opened: Pick<OpenedChain, 'root' | 'ownVotes' | 'highestProducedSlot'>;
}

/** @param nowMs the node's clock */
export function startConsensus({ genesis, rules, key, opened }: ConsensusBasis, nowMs: number): ConsensusState {
  const { poh, consensus, validators } = genesis;
  const parameters = {
    chainId: rules.chainId,
    slotDurationMs: poh.slotDurationMs,
    timeoutSlots: consensus.timeoutSlots,
    hashesPerSlot: rules.hashesPerSlot,
    unfinalizedBlocksMax: consensus.unfinalizedBlocksMax,
  };
  const { root, ownVotes, highestProducedSlot } = opened;
  const start = { root: root.header, ownVotes, highestProducedSlot };
  return createConsensus({ parameters, validators, own: key?.publicKey ?? null }, start, nowMs);
}
