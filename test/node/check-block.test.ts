import { describe, expect, it } from 'vitest';
import { type Hash, hash, height, pohCount, slot } from '../../native/index.ts';
import { type BlockHeaderDraft, decodeBlock, type Entry, type Transaction } from '../../src/codec/index.ts';
import { blockBodyFault } from '../../src/node/chain/block-body.ts';
import { BlockRefused, type ChainBlock } from '../../src/node/chain/chain-block.ts';
import { checkBlock, executeTrusted } from '../../src/node/chain/check-block.ts';
import { type BlockPlan, kernels, keyOf, makeBlock, newWorld, rootOf, transactionOn, voteFor } from './world.ts';

const world = newWorld({ blockTransactionsMax: 4 });
const root = rootOf(world);
const first = makeBlock(world, root, { batches: [[transactionOn(world, root.header, { counter: 1n })]] });
const other: Hash = hash(new Uint8Array(32).fill(9));
const pay = (counter: bigint, changes = {}): Transaction => transactionOn(world, first.header, { counter, ...changes });

/** The code with which a block on `first` is refused, the message's first words, or null when it passes. */
async function refusal(plan: BlockPlan, parent: ChainBlock = first): Promise<string | null> {
  const { block } = makeBlock(world, parent, plan);
  try {
    await checkBlock(world.check, parent, decodeBlock(kernels, block!.bytes));
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(BlockRefused);
    const { code, message } = error as BlockRefused;
    return `${code}: ${message}`;
  }
}

describe('a good block', () => {
  it('passes, whatever it holds, and its children are checked against what it left', async () => {
    const vote = voteFor(world.validators[1]!, root.header, first.header);
    const made = makeBlock(world, first, { slot: 5, batches: [[pay(1n), pay(2n)], [pay(3n)]], votes: [vote] });
    const checked = await checkBlock(world.check, first, decodeBlock(kernels, made.block!.bytes));
    expect(checked.header.stateRoot).toEqual(made.header.stateRoot);
    expect(checked.commitment.root).toEqual(made.commitment.root);
    expect(checked.cursor.length).toBe(made.cursor.length);
    expect(checked.batch).toEqual(made.batch);
    expect(checked.transactionsTotal).toBe(4);
    expect(checked.state.balance(world.people[1]!.address)).toBe(1_000_000n + 4n * 5n);
    const child = makeBlock(world, checked, { batches: [[pay(4n)]] });
    expect((await checkBlock(world.check, checked, child.block!)).header.height).toBe(3);
    expect(blockBodyFault(kernels, made.block!)).toBeNull();
  });

  it('is not hashed again once its body was found to be what the header names', async () => {
    let hashed = 0;
    const sha256Ragged: typeof kernels.sha256Ragged = (...given) => {
      hashed += 1;
      kernels.sha256Ragged(...given);
    };
    const deps = { ...world.check, kernels: { ...kernels, sha256Ragged } };
    const { bytes } = makeBlock(world, first, { batches: [[pay(1n)], [pay(2n)]] }).block!;
    const fresh = await checkBlock(deps, first, decodeBlock(kernels, bytes));
    const whole = hashed;
    const known = decodeBlock(kernels, bytes);
    expect(blockBodyFault(kernels, known)).toBeNull();
    hashed = 0;
    expect((await checkBlock(deps, first, known)).batch).toEqual(fresh.batch);
    expect(hashed).toBe(whole - 2);
  });

  it('passes across skipped slots', async () => {
    expect(await refusal({ slot: 9 })).toBeNull();
  });
});

describe('a header that says something else', () => {
  const cases: readonly (readonly [keyof BlockHeaderDraft, Partial<BlockHeaderDraft>, string])[] = [
    ['chainId', { chainId: other }, 'wrong-chain'],
    ['height', { height: height(3) }, 'wrong-height'],
    ['slot', { slot: slot(3) }, 'bad-entries: end-wrong'],
    ['slot', { slot: slot(1) }, 'bad-entries: slot-order'],
    ['parentHash', { parentHash: root.header.hash }, 'bad-entries: parent-hash'],
    ['pohCount', { pohCount: pohCount(first.header.pohCount + 1) }, 'bad-entries: poh-end'],
    ['pohHash', { pohHash: other }, 'bad-entries: poh-end'],
    ['entriesRoot', { entriesRoot: other }, 'bad-entries: entries-root'],
    ['stateRoot', { stateRoot: other }, 'wrong-state-root'],
    ['historyLength', { historyLength: first.cursor.length + 1 }, 'wrong-history-length'],
    ['segmentCount', { segmentCount: 1 }, 'wrong-segments'],
    ['segmentsRoot', { segmentsRoot: other }, 'wrong-segments'],
  ];
  it.each(cases)('%s (case %#) is refused with its own code', async (_, header, code) => {
    const refused = await refusal({ batches: [[pay(1n)]], header: () => header });
    expect(refused).toContain(code);
    expect(refused?.startsWith(code.split(':')[0]!)).toBe(true);
  });

  it('no field is left out', () => {
    const named = new Set(cases.map(([field]) => field));
    // The transaction count is the decoder's to compare: such a block does not come this far.
    const fields = Object.keys(draftOf(first)).filter((field) => field !== 'transactionCount');
    expect([...named].sort()).toEqual(fields.sort());
    expect(() => makeBlock(world, first, { header: () => ({ transactionCount: 7 }) })).toThrow();
  });
});

function draftOf({ header }: ChainBlock): BlockHeaderDraft {
  const { leader: _, signature: __, bytes: ___, hash: ____, ...draft } = header;
  return draft;
}

describe('a body that says something else', () => {
  const at = (index: number, change: (entry: Entry) => Entry) => (entries: Entry[]) =>
    entries.map((entry, place) => (place === index ? change(entry) : entry));
  const bump = (entry: Entry): Entry => ({ ...entry, count: pohCount(entry.count + 1) });
  const cases: readonly (readonly [string, BlockPlan, string])[] = [
    [
      'a PoH hash in the middle',
      { batches: [[pay(1n)]], entries: at(1, (entry) => ({ ...entry, hash: other })) },
      'bad-poh',
    ],
    ['the last PoH hash', { entries: at(4, (entry) => ({ ...entry, hash: other })) }, 'bad-poh'],
    ['a mixin later than it was', { batches: [[pay(1n)]], entries: at(1, bump) }, 'bad-poh'],
    ['a tick beside its place', { entries: at(1, bump) }, 'bad-entries: tick-missing'],
    ['no parent entry', { entries: (entries) => entries.slice(1) }, 'bad-entries: parent-missing'],
    ['a tick too few', { entries: (entries) => entries.slice(0, -1) }, 'bad-entries: end-wrong'],
    [
      'two batches changed places',
      {
        batches: [[pay(1n)], [pay(2n)]],
        entries: (entries) => [
          entries[0]!,
          { ...entries[2]!, count: entries[1]!.count, hash: entries[1]!.hash } as Entry,
          { ...entries[1]!, count: entries[2]!.count, hash: entries[2]!.hash } as Entry,
          ...entries.slice(3),
        ],
      },
      'bad-poh',
    ],
  ];
  it.each(cases)('%s', async (_, plan, code) => {
    expect(await refusal(plan)).toContain(code);
  });

  it.each([
    ['a signature of nobody', () => resigned(pay(1n)), 'bad-transaction: transaction 0: bad-signature'],
    ['the same transaction twice', () => pay(1n), 'bad-transaction: transaction 1: replayed'],
    [
      'one of an earlier block',
      () => transactionOn(world, root.header, { counter: 1n }),
      'bad-transaction: transaction 0: replayed',
    ],
    ['more than the sender has', () => pay(1n, { amount: 2_000_000n }), 'bad-transaction: transaction 0: insufficient'],
    [
      'a reference to another chain',
      () => transactionOn(world, { ...first.header, pohHash: other }, { counter: 1n }),
      'bad-transaction: transaction 0: unknown-last-valid-hash',
    ],
  ])('a transaction: %s', async (_, make, code) => {
    const one = make();
    const refused = await refusal({ batches: [code.includes('transaction 1') ? [one, one] : [one, pay(9n)]] });
    expect(refused).toContain(code);
  });

  it('more transactions than a block may hold', async () => {
    expect(await refusal({ batches: [[1n, 2n, 3n, 4n, 5n].map((counter) => pay(counter))] })).toContain(
      'too-many-transactions',
    );
  });

  it.each([
    ['of a stranger', voteFor(keyOf(77), root.header, first.header), 'foreign-vote'],
    ['for its own slot', voteFor(world.validators[0]!, root.header, first.header, { targetSlot: 2 }), 'future-vote'],
    ['with a bad signature', forgedVote(), 'bad-vote-signature'],
  ])('a vote %s', async (_, vote, code) => {
    expect(await refusal({ votes: [voteFor(world.validators[2]!, root.header, first.header), vote] })).toContain(code);
  });

  it("a body under another block's header is not what the leader signed", () => {
    const one = makeBlock(world, first, { batches: [[pay(1n)]] }).block!;
    const two = makeBlock(world, first, { batches: [[pay(2n)]] }).block!;
    expect(blockBodyFault(kernels, { ...one, entries: two.entries })).toBe('wrong-body');
    const header = { ...one.header, signature: two.header.signature };
    expect(blockBodyFault(kernels, { ...one, header })).toBe('bad-signature');
    const [batch] = [one.entries[1]!];
    const changed =
      batch.kind === 'transactions' ? { ...batch, transactions: [resigned(batch.transactions[0]!)] } : batch;
    expect(blockBodyFault(kernels, { ...one, entries: one.entries.with(1, changed) })).toBe('wrong-body');
  });
});

describe('a block of the own disk', () => {
  it('is executed without signatures, but its roots are compared all the same', () => {
    const good = makeBlock(world, first, { batches: [[pay(1n)]] });
    expect(executeTrusted(world.check, first, good.block!).commitment.root).toEqual(good.commitment.root);
    const wrong = makeBlock(world, first, { batches: [[pay(1n)]], header: () => ({ stateRoot: other }) });
    expect(() => executeTrusted(world.check, first, wrong.block!)).toThrow(BlockRefused);
  });
});

/** A transaction with another one's signature, in its bytes too. */
function resigned(transaction: Transaction): Transaction {
  const { signature } = pay(4711n);
  return { ...transaction, signature, bytes: Uint8Array.from([...transaction.bytes.slice(0, -64), ...signature]) };
}

function forgedVote() {
  const vote = voteFor(world.validators[0]!, root.header, first.header);
  const { signature } = voteFor(world.validators[1]!, root.header, first.header);
  return { ...vote, signature, bytes: Uint8Array.from([...vote.bytes.slice(0, -64), ...signature]) };
}
