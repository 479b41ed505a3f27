/**
 * What the ledger executes on: balances and records, and bonds.
 */
import type { Kernels } from '../../native/index.ts';
import type { MerkleKernels } from '../../storage/commitment/merkle.ts';
import type { BondReader, StateReader } from '../../storage/state-reader.ts';

/** The state after a block. */
export interface LedgerState extends StateReader, BondReader {}

/** What the ledger hashes and checks signatures with: any kernels will do. */
export type LedgerKernels = MerkleKernels & Pick<Kernels, 'ed25519Verify'>;
