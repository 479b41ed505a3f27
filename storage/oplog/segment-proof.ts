/**
 * Checks one segment by itself, as another thread does while the log is read: from what its header says to its end.
 *
 * Invariant: it is read by the very code that reads the whole log (log-scan.ts), so it has a proof only if that finds no fault in it either, once the
 * header has been seen to say what the segments before lead to.
 */
import { OpsAppender, type OpsKernels } from '../commitment/ops-append.ts';
import { OpsTree } from '../commitment/ops-tree.ts';
import { NO_TWIGS } from '../commitment/sources.ts';
import { CorruptionError } from '../errors.ts';
import { type Files, FilesError } from '../files/files.ts';
import type { FrameKernels } from './frame.ts';
import { scanSegment } from './log-scan.ts';
import type { ProofOrder, SegmentProof } from './log-visitor.ts';
import { encodeSegmentHeader } from './segment.ts';

export interface ProveInput extends Omit<ProofOrder, 'present'> {
  readonly files: Files;
  readonly kernels: FrameKernels & OpsKernels;
  /** Asked before every batch. */
  readonly isStopped: () => boolean;
}

class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** @returns undefined when something is wrong with the segment, or nobody wants the proof any more */
export async function proveSegment(input: ProveInput, index: number): Promise<SegmentProof | undefined> {
  try {
    return await prove(input, index);
  } catch (error) {
    // Whoever reads the log finds the same, and tells it.
    if (error instanceof CorruptionError || error instanceof FilesError || error instanceof Stopped) return undefined;
    throw error;
  }
}

async function prove({ kernels, isStopped, ...log }: ProveInput, index: number): Promise<SegmentProof | undefined> {
  const appender = new OpsAppender(kernels);
  let tree: OpsTree | undefined;
  let header: Uint8Array | undefined;
  const scanned = await scanSegment(
    {
      ...log,
      kernels,
      visitSegment({ first, frontier }) {
        header = encodeSegmentHeader(kernels, log.identity.chainId, first, frontier);
        tree = new OpsTree(kernels, NO_TWIGS, frontier);
        return undefined;
      },
      visit({ batch, offsets }) {
        if (isStopped()) throw new Stopped();
        const { frontier, nodes } = appender.append(tree!.frontier, batch, offsets);
        tree!.append(nodes, frontier);
      },
    },
    index,
  );
  const segment = scanned?.segments[0];
  if (scanned === undefined || segment === undefined || tree === undefined || header === undefined) return undefined;
  const { positions } = scanned;
  // A view would take all of the memory that it is of along to the other thread.
  const tip = { ...scanned.tip, digest: scanned.tip.digest.slice() };
  const [frontier, nodes] = [tree.frontier.encode(), tree.held()];
  return { index, header, end: segment.end, tip, positions: positions.image(), frontier, nodes };
}
