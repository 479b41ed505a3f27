/**
 * Verifies a stretch of consecutive blocks' PoH, the work behind `cairn verify poh`: structure, links, roots and every hash.
 *
 * Invariant: nothing is trusted but the starting point. Signatures, votes and execution are not judged here: this shows order and a
 * minimum amount of sequential work, not who led or whether a block is final.
 */
import { type Hash, type Height, type Kernels, type Slot, sameBytes } from '../../native/index.ts';

import { type Block, countTransactions, entriesRoot, entryMixins, type RootKernels } from '../codec/index.ts';
import { hashesPerSlot, type PohParameters } from './parameters.ts';
import { checkStructure, type StructureFault } from './structure.ts';
import { batchSteps, type PohBatch, packPoh, verifyPohBatch } from './verify.ts';

/** What is trusted: the block before the stretch (or genesis: slot 0, count 0, chain id as both hashes). */
export interface StretchStart {
  readonly slot: Slot;
  readonly blockHash: Hash;
  readonly pohHash: Hash;
}

/** Why a stretch is wrong. */
export type StretchFault =
  | StructureFault
  | 'slot-order'
  | 'parent-hash'
  | 'poh-end'
  | 'transaction-count'
  | 'entries-root'
  | 'hash';

/** What was checked. */
export interface StretchFigures {
  readonly blocks: number;
  readonly entries: number;
  readonly ticks: number;
  readonly mixins: number;
  /** Sequential SHA-256 steps covered. */
  readonly hashes: number;
}

export type StretchResult =
  | { readonly ok: true; readonly figures: StretchFigures }
  | {
      readonly ok: false;
      /** Figures of the blocks before the wrong one. */
      readonly figures: StretchFigures;
      readonly blockIndex: number;
      readonly height: Height;
      /** First wrong entry of that block; undefined when the header is at fault. */
      readonly entryIndex: number | undefined;
      readonly fault: StretchFault;
    };

/** One block's fault. */
export interface BlockPohFault {
  readonly entryIndex: number | undefined;
  readonly fault: StretchFault;
}

/** What is left of a block's PoH check once the cheap part has passed: hashing, for this thread or for others. */
export interface PreparedPoh {
  readonly batch: PohBatch;
  /** The entries' mixins, packed. */
  readonly mixins: Uint8Array;
}

/**
 * The cheap part of checking one block's PoH: place in the chain, structure, header's end and roots.
 * @param checkedMixins the entries' mixins, packed, when they and the entries root were checked before; made and checked here unless given
 * @returns a fault, or what to give to `pohVerify`
 */
export function prepareBlockPoh(
  kernels: RootKernels,
  parameters: PohParameters,
  parent: StretchStart,
  block: Block,
  checkedMixins?: Uint8Array,
): BlockPohFault | PreparedPoh {
  const headerFault = (fault: StretchFault): BlockPohFault => ({ entryIndex: undefined, fault });
  const { header, entries } = block;
  if (header.slot <= parent.slot) return headerFault('slot-order');
  if (!sameBytes(header.parentHash, parent.blockHash)) return headerFault('parent-hash');
  const perSlot = hashesPerSlot(parameters);
  const startCount = parent.slot * perSlot;
  const fault = checkStructure(parameters, startCount, header.slot * perSlot, entries);
  if (fault !== undefined) return fault;
  const last = entries[entries.length - 1]!;
  if (header.pohCount !== last.count || !sameBytes(header.pohHash, last.hash)) return headerFault('poh-end');
  if (header.transactionCount !== countTransactions(entries)) return headerFault('transaction-count');
  const mixins = checkedMixins ?? entryMixins(kernels, entries, header.parentHash);
  if (checkedMixins === undefined && !sameBytes(header.entriesRoot, entriesRoot(kernels, entries, mixins)))
    return headerFault('entries-root');
  return { batch: packPoh({ count: startCount, hash: parent.pohHash }, entries, mixins), mixins };
}

/** Checks one block's PoH wholly on this thread. @returns a fault, or the number of steps checked */
export function verifyBlockPoh(
  kernels: RootKernels & Pick<Kernels, 'pohVerify'>,
  parameters: PohParameters,
  parent: StretchStart,
  block: Block,
): BlockPohFault | { readonly hashes: number } {
  const prepared = prepareBlockPoh(kernels, parameters, parent, block);
  if ('fault' in prepared) return prepared;
  const wrong = verifyPohBatch(kernels, prepared.batch);
  return wrong < 0 ? { hashes: batchSteps(prepared.batch) } : { entryIndex: wrong, fault: 'hash' };
}

/** Checks consecutive blocks from a trusted start; stops at the first fault. */
export function verifyStretch(
  kernels: RootKernels & Pick<Kernels, 'pohVerify'>,
  parameters: PohParameters,
  start: StretchStart,
  blocks: Iterable<Block>,
): StretchResult {
  let figures: StretchFigures = { blocks: 0, entries: 0, ticks: 0, mixins: 0, hashes: 0 };
  let parent = start;
  for (const block of blocks) {
    const result = verifyBlockPoh(kernels, parameters, parent, block);
    if ('fault' in result)
      return { ok: false, figures, blockIndex: figures.blocks, height: block.header.height, ...result };
    figures = addBlock(figures, block, result.hashes);
    parent = { slot: block.header.slot, blockHash: block.header.hash, pohHash: block.header.pohHash };
  }
  return { ok: true, figures };
}

function addBlock(figures: StretchFigures, block: Block, hashes: number): StretchFigures {
  const ticks = block.entries.filter((entry) => entry.kind === 'tick').length;
  return {
    blocks: figures.blocks + 1,
    entries: figures.entries + block.entries.length,
    ticks: figures.ticks + ticks,
    mixins: figures.mixins + block.entries.length - ticks,
    hashes: figures.hashes + hashes,
  };
}
