/** The parts of a chain node (validator or archive) that its RPC and its metrics read. Assembled in chain-node.ts. */
import type { Kernels } from '../../native/index.ts';
import type { SigningKey } from '../codec/index.ts';
import type { ConsensusState } from '../consensus/index.ts';
import type { Genesis, LedgerRules } from '../ledger/index.ts';
import type { Transport } from '../net/transport.ts';
import type { BlockIntake } from './chain/block-intake.ts';
import type { BlockTree } from './chain/block-tree.ts';
import type { ChainStore } from './chain/chain-store.ts';
import type { ConsensusEffects } from './chain/consensus-effects.ts';
import type { Clock } from './clock.ts';
import type { FinalityLog } from './finality-log.ts';
import type { HistoryPruner } from './history/history-pruner.ts';
import type { Mempool } from './mempool.ts';
import type { Producer } from './producer.ts';
import type { ProofChecker } from './proof-checks/proof-checker.ts';
import type { BlockSource } from './relay/block-source.ts';
import type { Peers } from './relay/peers.ts';
import type { Submissions } from './relay/submissions.ts';
import type { PohService } from './threads/index.ts';
import type { TransactionIndex } from './transaction-index.ts';

export interface ChainParts {
  readonly role: 'validator' | 'archive';
  readonly version: string;
  readonly clock: Clock;
  /** On that clock. */
  readonly startedMs: number;
  readonly kernels: Kernels;
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  readonly key: SigningKey | null;
  readonly transport: Transport;
  readonly peers: Peers;
  readonly store: ChainStore;
  readonly tree: BlockTree;
  readonly mempool: Mempool;
  readonly transactions: TransactionIndex;
  readonly finality: FinalityLog;
  readonly submissions: Submissions;
  readonly intake: BlockIntake;
  readonly effects: ConsensusEffects;
  readonly blocks: BlockSource;
  /** Only a validator's. */
  readonly poh: PohService | null;
  readonly producer: Producer | null;
  readonly proofs: ProofChecker | null;
  /** Null for a node that keeps everything. */
  readonly pruner: HistoryPruner | null;
  readonly consensus: () => ConsensusState;
  /** Last target slot voted for, by the voter's map key. */
  readonly votesSeen: ReadonlyMap<string, number>;
  readonly rpcUrl: () => string | null;
}
