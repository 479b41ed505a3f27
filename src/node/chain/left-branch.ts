/** Whether a failure only says that finality has left the branch a block was being built on: its block would be nobody's, and nothing is wrong. */
import { CommitmentError } from '../../../storage/commitment/commitment-error.ts';
import { LedgerInvariantError } from '../../ledger/index.ts';

export function isLeftBranch(error: unknown): boolean {
  const isSuch = error instanceof LedgerInvariantError || error instanceof CommitmentError;
  return isSuch && error.code === 'not-on-final-branch';
}
