/**
 * A small chain with real PoH for tests, and the naive twin of PoH: one SHA-256 at a time through node:crypto, written from the design's
 * two sentences and nothing else.
 */
import { createHash } from 'node:crypto';
import { height, pohCount, slot } from '../../native/index.ts';
import {
  assembleBlock,
  type Block,
  countTransactions,
  type Entry,
  entriesRoot,
  entryMixins,
  itemsRoot,
  type Payload,
  signHeader,
  type Vote,
} from '../../src/codec/index.ts';
import { hashesPerSlot, PohGenerator, type PohParameters, type StretchStart } from '../../src/poh/index.ts';
import { hashOf, headerDraft, kernels, keyOf, transactionOf, voteOf } from '../codec/fixtures.ts';

export const parameters: PohParameters = { hashesPerTick: 16, ticksPerSlot: 4 };

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

/** `steps` steps, the last of which mixes `mixin` in when there is one. */
export function naiveSteps(start: Uint8Array, steps: number, mixin?: Uint8Array): Uint8Array {
  let state = start;
  for (let step = 1; step <= steps; step++)
    state = sha256(step === steps && mixin !== undefined ? Buffer.concat([state, mixin]) : state);
  return state;
}

export const genesis: StretchStart = { slot: slot(0), blockHash: hashOf(77), pohHash: hashOf(77) };

/** What goes into a test block, at which step of the block (first step is 1, taken by the parent entry). */
export interface Batch {
  readonly atStep: number;
  readonly payloads?: readonly Payload[];
  readonly votes?: readonly Vote[];
}

/** Makes a block of `slotNumber` on `parent`, with batches mixed in at the given steps. */
export function makeBlock(parent: StretchStart, slotNumber: number, batches: readonly Batch[] = []): Block {
  const startCount = parent.slot * hashesPerSlot(parameters);
  const endCount = slotNumber * hashesPerSlot(parameters);
  const generator = new PohGenerator(kernels, parameters, { count: pohCount(startCount), hash: parent.pohHash });
  const entries: Entry[] = [{ kind: 'parent', ...generator.mixin(parent.blockHash) }];
  const advanceTo = (count: number) => {
    while (generator.count < count) {
      const tick = generator.advance(count - generator.count);
      if (tick !== undefined) entries.push({ kind: 'tick', ...tick });
    }
  };
  for (const batch of batches) {
    advanceTo(startCount + batch.atStep - 1);
    entries.push(batchEntry(generator, batch));
  }
  advanceTo(endCount);
  return sealBlock(parent, slotNumber, entries);
}

function batchEntry(generator: PohGenerator, batch: Batch): Entry {
  if (batch.votes !== undefined) {
    const point = generator.mixin(itemsRoot(kernels, batch.votes));
    return { kind: 'votes', ...point, votes: batch.votes };
  }
  const transactions = (batch.payloads ?? []).map((payload, index) => transactionOf(payload, BigInt(index)));
  return { kind: 'transactions', ...generator.mixin(itemsRoot(kernels, transactions)), transactions };
}

/** Signs a header over the entries as they are, right or wrong. */
export function sealBlock(parent: StretchStart, slotNumber: number, entries: readonly Entry[]): Block {
  const last = entries[entries.length - 1]!;
  const mixins = entryMixins(kernels, entries, parent.blockHash);
  const header = signHeader(
    kernels,
    {
      ...headerDraft,
      height: height(parent.slot + 1),
      slot: slot(slotNumber),
      parentHash: parent.blockHash,
      pohCount: last.count,
      pohHash: last.hash,
      entriesRoot: entriesRoot(kernels, entries, mixins),
      transactionCount: countTransactions(entries),
    },
    keyOf(1),
  );
  return assembleBlock(header, entries);
}

/** The stretch's point after a block. */
export const endOf = (block: Block): StretchStart => ({
  slot: block.header.slot,
  blockHash: block.header.hash,
  pohHash: block.header.pohHash,
});

/** Five blocks: empty, transactions, votes, a skipped slot, several batches (some back to back, one just before a tick). */
export function sampleChain(payloads: readonly Payload[]): Block[] {
  const first = makeBlock(genesis, 1);
  const second = makeBlock(endOf(first), 2, [{ atStep: 20, payloads }]);
  const third = makeBlock(endOf(second), 3, [{ atStep: 2, votes: [voteOf(1), voteOf(2)] }]);
  const fourth = makeBlock(endOf(third), 6, [{ atStep: 100, payloads: payloads.slice(0, 1) }]);
  const fifth = makeBlock(endOf(fourth), 7, [
    { atStep: 5, payloads: payloads.slice(0, 3) },
    { atStep: 6, payloads: payloads.slice(3) },
    { atStep: 31, votes: [voteOf(3)] },
    { atStep: 63, payloads: payloads.slice(1, 2) },
  ]);
  return [first, second, third, fourth, fifth];
}
