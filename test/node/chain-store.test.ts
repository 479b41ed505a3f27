import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { slot } from '../../native/index.ts';
import { addressOf, decodeCertificate, decodeVote } from '../../src/codec/index.ts';
import { checkTransaction, LedgerInvariantError } from '../../src/ledger/index.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import { startExecution } from '../../src/node/chain/check-block.ts';
import { CorruptionError, HistoryStore, PendingBlocks, StateStore } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { kernels, makeBlock, makeChain, newWorld, SILENT, transactionOn, voteFor, type World } from './world.ts';

const world = newWorld({ recencyWindowSlots: 6 });
const open = (directory: string, of: World = world): Promise<OpenedChain> =>
  ChainStore.open({ directory, genesis: of.genesis, check: of.check, log: SILENT });

/** What a node does with final blocks. */
async function finalize(store: ChainStore, blocks: readonly ChainBlock[]): Promise<void> {
  for (const block of blocks) {
    await store.finalize(block);
    settleBlock(block);
  }
}

/** Everything about a block that must be the same after a restart, read while its state can still be read. */
function factsOf({ header, commitment, cursor, transactionsTotal, state }: ChainBlock): Record<string, unknown> {
  return {
    hash: header.hash,
    stateRoot: commitment.root,
    length: cursor.length,
    segmentCount: cursor.segmentCount,
    segmentsRoot: cursor.segmentsRoot,
    transactionsTotal,
    balances: world.people.map(({ address }) => state.balance(address)),
  };
}

/** Appends to the history alone, as a crash between the two writes leaves it. */
async function historyOnly(directory: string, blocks: readonly ChainBlock[]): Promise<void> {
  const history = await HistoryStore.open({ directory: join(directory, 'history'), kernels, ...world.genesis.history });
  for (const { header, block } of blocks) await history.append({ ...header, bytes: block!.bytes, transactions: [] });
  await history.close();
}

describe('chain store', () => {
  it('goes on after a restart where it was: root, pending blocks, votes, slot', async () => {
    const directory = await freshDirectory();
    const one = await open(directory);
    expect(one.root.header.height).toBe(0);
    expect([one.pending, one.ownVotes, one.keptVotes, one.highestProducedSlot]).toEqual([[], [], [], null]);
    const chain = makeChain(world, one.root, 8, 3);
    const side = makeBlock(world, chain[5]!, { slot: 9 });
    const facts = factsOf(chain[5]!);
    for (const { block } of [...chain, side]) await one.store.persistBlock(block!);
    await one.store.persistProduced(chain[7]!.block!);
    const votes = chain.map(({ header }, at) =>
      voteFor(world.validators[0]!, one.root.header, header, { sourceSlot: at }),
    );
    for (const vote of votes) await one.store.persistVote(vote);
    await one.store.persistCertificate(chain[6]!.header.hash, votes.slice(6, 7));
    await finalize(one.store, chain.slice(0, 6));
    await one.store.persistFinality(chain[5]!, { header: chain[6]!.header, votes: [votes[6]!] });
    await one.store.close();

    const two = await open(directory);
    expect(factsOf(two.root)).toEqual(facts);
    expect(two.root.cursor.segmentCount).toBeGreaterThan(0);
    expect(two.pending.map(({ bytes }) => bytes)).toEqual(
      [chain[6]!, chain[7]!, side].map(({ block }) => block!.bytes),
    );
    // Votes above the root, and the newest in any case.
    expect(two.ownVotes.map(({ targetSlot }) => targetSlot)).toEqual(expect.arrayContaining([7, 8]));
    expect(two.keptVotes.map(({ bytes }) => bytes)).toEqual([votes[6]!.bytes]);
    expect(two.highestProducedSlot).toBe(8);
    expect(decodeCertificate(kernels, two.store.finality()!.certificate).header.hash).toEqual(chain[6]!.header.hash);
    expect(two.store.heightOfSlot(4)).toBe(4);
    expect(two.store.heightOfSlot(7)).toBeUndefined();
    const { id } = transactionOn(world, chain[1]!.header, { from: 1, to: 2, counter: 2001n });
    expect(two.store.transaction(id)).toMatchObject({ height: 3, slot: 3, index: 1 });
    // And on it goes, on the block that was pending.
    const next = makeBlock(world, two.root, { batches: [[transactionOn(world, two.root.header, { counter: 77n })]] });
    const nextFacts = factsOf(next);
    await finalize(two.store, [next]);
    await two.store.close();
    const three = await open(directory);
    expect(factsOf(three.root)).toEqual(nextFacts);
    expect(three.pending).toEqual([expect.objectContaining({ bytes: chain[7]!.block!.bytes })]);
    await three.store.close();
  });

  it('lets nobody read the state through a branch that finality has left, not even one that left at the root', async () => {
    const { store, root } = await open(await freshDirectory());
    const [mine, theirs] = [makeBlock(world, root, { slot: 2 }), ...makeChain(world, root, 1)] as [
      ChainBlock,
      ChainBlock,
    ];
    await finalize(store, [theirs]);
    expect(() => mine.state.balance(world.people[0]!.address)).toThrow(LedgerInvariantError);
    expect(() => root.state.balance(world.people[0]!.address)).toThrow(LedgerInvariantError);
    expect(theirs.state.balance(world.people[0]!.address)).toBe(1_000_000n - 6n);
    await store.close();
  });

  it('keeps only the votes that still bind, and never loses the last', async () => {
    const directory = await freshDirectory();
    const { store, root } = await open(directory);
    const chain = makeChain(world, root, 3);
    const vote = voteFor(world.validators[0]!, root.header, chain[0]!.header);
    await store.persistVote(vote);
    await finalize(store, chain);
    await store.close();
    const again = await open(directory);
    expect(again.ownVotes.map(({ bytes }) => bytes)).toEqual([vote.bytes]);
    expect(decodeVote(again.ownVotes[0]!.bytes).targetSlot).toBe(1);
    await again.store.close();
  });

  it.each([1, 3])('executes again what the history has and the op log has not: %i blocks', async (ahead) => {
    const directory = await freshDirectory();
    const { store, root } = await open(directory);
    const chain = makeChain(world, root, 4 + ahead, 2);
    const facts = factsOf(chain.at(-1)!);
    await finalize(store, chain.slice(0, 4));
    await store.persistBlock(chain[4]!.block!);
    await store.close();
    await historyOnly(directory, chain.slice(4));
    const again = await open(directory);
    expect(factsOf(again.root)).toEqual(facts);
    expect(again.pending).toEqual([]);
    const next = makeBlock(world, again.root, {
      batches: [[transactionOn(world, again.root.header, { counter: 5n })]],
    });
    const nextFacts = factsOf(next);
    await finalize(again.store, [next]);
    await again.store.close();
    const last = await open(directory);
    expect(factsOf(last.root)).toEqual(nextFacts);
    await last.store.close();
  });

  it('keeps the count of transactions when a crash cut off its writing', async () => {
    const directory = await freshDirectory();
    const { store, root } = await open(directory);
    const chain = makeChain(world, root, 3, 4);
    await finalize(store, chain.slice(0, 2));
    await store.close();
    await historyOnly(directory, chain.slice(2));
    const state = await StateStore.open({
      directory: join(directory, 'state'),
      kernels,
      chainId: world.check.rules.chainId,
    });
    await state.append(chain[2]!.batch!);
    await state.close();
    const again = await open(directory);
    expect(again.root.transactionsTotal).toBe(12);
    await again.store.close();
  });

  it('refuses an op log that is ahead of the history, and a history that another chain made', async () => {
    const directory = await freshDirectory();
    const { store, root } = await open(directory);
    const chain = makeChain(world, root, 1);
    await store.close();
    const state = await StateStore.open({
      directory: join(directory, 'state'),
      kernels,
      chainId: world.check.rules.chainId,
    });
    await state.append(chain[0]!.batch!);
    await state.close();
    await expect(open(directory)).rejects.toThrow(CorruptionError);
    await expect(open(directory)).rejects.toThrow(CorruptionError);
    await expect(open(await directoryOf('other'))).rejects.toMatchObject({ code: 'wrong-chain' });
  });

  it.each([
    ['bytes that are no block', (bytes: Uint8Array) => bytes.slice(1)],
    ['another header', (bytes: Uint8Array) => bytes.with(40, bytes[40]! ^ 1)],
    ['another signature', (bytes: Uint8Array) => bytes.with(335, bytes[335]! ^ 1)],
    ['another body', (bytes: Uint8Array) => bytes.with(bytes.length - 3, bytes.at(-3)! ^ 1)],
  ])('refuses a damaged pending block: %s', async (_, damage) => {
    const directory = await freshDirectory();
    const { store, root } = await open(directory);
    const [block] = makeChain(world, root, 1) as [ChainBlock];
    await store.close();
    const pending = await PendingBlocks.open({ directory: join(directory, 'pending') });
    await pending.put({ ...block.header, bytes: damage(block.block!.bytes) });
    await pending.close();
    await expect(open(directory)).rejects.toThrow(CorruptionError);
    // Nothing was left open or locked by the refusal.
    await expect(open(directory)).rejects.toThrow(CorruptionError);
  });

  it('remembers what was applied: a replay is refused after a restart, as long as it could be valid', async () => {
    const directory = await freshDirectory();
    const { store, root } = await open(directory);
    const chain = makeChain(world, root, 9);
    await finalize(store, chain);
    await store.close();
    const again = await open(directory);
    const place = { slot: slot(10), leader: world.validators[0]!.publicKey };
    const { context } = startExecution(world.check, again.root, place);
    const verdict = (at: number): string | undefined => {
      const on = at === 0 ? root.header : chain[at - 1]!.header;
      const transaction = transactionOn(world, on, { counter: BigInt(at * 1000) });
      const facts = { signatureValid: true, sender: addressOf(transaction.from) };
      return checkTransaction(context, again.root.state, transaction, facts)?.code;
    };
    expect([1, 2, 3].map(verdict)).toEqual(Array(3).fill('stale-last-valid-hash'));
    expect([4, 5, 6, 7, 8].map(verdict)).toEqual(Array(5).fill('replayed'));
    expect(verdict(9)).toBeUndefined();
    await again.store.close();
  });
});

async function directoryOf(name: string): Promise<string> {
  const directory = await freshDirectory();
  const other = newWorld({ name });
  await (await open(directory, other)).store.close();
  return directory;
}
