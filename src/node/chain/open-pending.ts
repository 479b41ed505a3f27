/**
 * Blocks above the root that were verified before the node stopped, read back from disk.
 *
 * Invariant: a damaged body is never taken for a bad block of its leader's. It was whole when it was written, so the disk is what failed.
 */
import { type Hash, type Kernels, sameBytes } from '../../../native/index.ts';
import { CorruptionError, type PendingBlocks } from '../../../storage/index.ts';
import { type Block, decodeBlock } from '../../codec/index.ts';
import { blockBodyFault } from './block-body.ts';

/** Blocks above `rootHeight`, parents first; those at or below it are of no use any more, and go. Throws `CorruptionError`. */
export async function openPending(kernels: Kernels, pending: PendingBlocks, rootHeight: number): Promise<Block[]> {
  const rows = pending.all();
  const old = rows.filter(({ height }) => height <= rootHeight);
  if (old.length > 0) await pending.delete(...old.map(({ hash }) => hash));
  return rows.filter(({ height }) => height > rootHeight).map(({ hash, bytes }) => decodePending(kernels, hash, bytes));
}

function decodePending(kernels: Kernels, hash: Hash, bytes: Uint8Array): Block {
  const damaged = (found: string): CorruptionError =>
    new CorruptionError('pending block', 0, Buffer.from(hash).toString('hex'), found);
  let block: Block;
  try {
    block = decodeBlock(kernels, bytes);
  } catch (error) {
    throw damaged((error as Error).message);
  }
  if (!sameBytes(block.header.hash, hash)) throw damaged('a block of another hash');
  const fault = blockBodyFault(kernels, block);
  if (fault !== null) throw damaged(fault);
  return block;
}
