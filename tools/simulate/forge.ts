/** Blocks as a cheating leader makes them: another valid one for the same slot, one with a wrong state, one whose PoH does not follow, one with entries held back. */
import { type Hash, height, type Kernels, slot as toSlot } from '../../native/index.ts';
import {
  assembleBlock,
  type Block,
  type BlockHeader,
  type Entry,
  entriesRoot,
  entryMixins,
  type SigningKey,
  signHeader,
} from '../../src/codec/index.ts';
import type { IdSecret, LedgerRules } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { batchOf, completed, startExecution } from '../../src/node/chain/check-block.ts';
import { PohGenerator } from '../../src/poh/index.ts';

export interface ForgeTools {
  readonly kernels: Kernels;
  readonly rules: LedgerRules;
  readonly poh: { readonly hashesPerTick: number; readonly ticksPerSlot: number };
  readonly idSecret: IdSecret;
  readonly key: SigningKey;
}

/** A valid block for a slot with nothing in it. */
export function emptyBlock(tools: ForgeTools, parent: ChainBlock, slotNumber: number): ChainBlock {
  const { kernels, poh, rules, key } = tools;
  const slot = toSlot(slotNumber);
  const execution = startExecution(tools, parent, { slot, leader: key.publicKey });
  const batch = batchOf(parent, execution, []);
  const { pohCount, pohHash, hash } = parent.header;
  const generator = new PohGenerator(kernels, poh, { count: pohCount, hash: pohHash });
  const entries: Entry[] = [{ kind: 'parent', ...generator.mixin(hash) }];
  while (generator.count < slot * rules.hashesPerSlot)
    entries.push({ kind: 'tick', ...generator.advance(generator.stepsBeforeTick + 1)! });
  const last = entries.at(-1)!;
  const draft = {
    chainId: parent.header.chainId,
    height: height(parent.header.height + 1),
    slot,
    parentHash: hash,
    pohCount: last.count,
    pohHash: last.hash,
    entriesRoot: rootOf(kernels, entries, hash),
    transactionCount: 0,
    stateRoot: parent.commitment.next(batch).root,
    historyLength: parent.cursor.length,
    segmentCount: parent.cursor.segmentCount,
    segmentsRoot: parent.cursor.segmentsRoot,
    leader: key.publicKey,
  };
  return completed(kernels, parent, assembleBlock(signHeader(kernels, draft, key), entries), execution, batch);
}

/** The same block with another state root. */
export function wrongState({ kernels, key }: ForgeTools, { header, entries }: Block): Block {
  return assembleBlock(signHeader(kernels, { ...header, stateRoot: flipped(header.stateRoot) }, key), entries);
}

/** The same block with one hash in the middle of its PoH replaced; everything else fits. */
export function wrongPoh({ kernels, key }: ForgeTools, { header, entries }: Block): Block {
  const at = Math.floor((entries.length - 1) / 2);
  const changed = entries.map((entry, index) => (index === at ? { ...entry, hash: flipped(entry.hash) } : entry));
  const root = rootOf(kernels, changed, header.parentHash);
  return assembleBlock(signHeader(kernels, { ...header, entriesRoot: root }, key), changed);
}

/** The header with entries left out of the body: what it names is not there. */
export function withheld({ header, entries }: Block): Block {
  const at = entries.findLastIndex(({ kind }) => kind !== 'transactions');
  return assembleBlock(
    header,
    entries.filter((_, index) => index !== at),
  );
}

function rootOf(kernels: Kernels, entries: readonly Entry[], parentHash: BlockHeader['parentHash']): Hash {
  return entriesRoot(kernels, entries, entryMixins(kernels, entries, parentHash));
}

function flipped(hash: Hash): Hash {
  const other = Uint8Array.from(hash);
  other[7]! ^= 0x10;
  return other as Hash;
}
