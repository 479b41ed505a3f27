import { beforeEach, describe, expect, it } from 'vitest';
import { hash } from '../../native/index.ts';
import { type Block, encodeBlock, signVote } from '../../src/codec/index.ts';
import type { ConsensusEvent } from '../../src/consensus/index.ts';
import { PeerFault } from '../../src/net/transport.ts';
import { BlockIntake } from '../../src/node/chain/block-intake.ts';
import { BlockTree } from '../../src/node/chain/block-tree.ts';
import type { ChainStore } from '../../src/node/chain/chain-store.ts';
import { ConsensusEffects } from '../../src/node/chain/consensus-effects.ts';
import { systemClock } from '../../src/node/clock.ts';
import { FinalityLog } from '../../src/node/finality-log.ts';
import { Mempool } from '../../src/node/mempool.ts';
import { SignatureChecks } from '../../src/node/signature-checks.ts';
import { InlineVerifier } from '../../src/node/threads/index.ts';
import { TransactionIndex } from '../../src/node/transaction-index.ts';
import { kernels, keyOf, makeBlock, newWorld, rootOf, SILENT, transactionOn, voteFor } from './world.ts';

const world = newWorld();
const root = rootOf(world);
const first = makeBlock(world, root);
const votes = world.validators.slice(0, 3).map((key) => voteFor(key, root.header, first.header));
const transaction = transactionOn(world, first.header, { counter: 1n });
const good = makeBlock(world, first, { batches: [[transaction]], votes });
const twin = makeBlock(world, first, { batches: [[transactionOn(world, first.header, { counter: 2n })]], votes });

let tree: BlockTree;
let fed: ConsensusEvent[];
let errors: Error[];
let intake: BlockIntake;
let verifier: InlineVerifier;

beforeEach(() => {
  tree = new BlockTree(root);
  fed = [];
  errors = [];
  verifier = new InlineVerifier(kernels);
  intake = new BlockIntake({
    kernels,
    chainId: world.check.rules.chainId,
    signatures: new SignatureChecks(kernels, world.check.rules.chainId, verifier, 10),
    tree,
    feed: (event) => fed.push(event),
    onSeen: () => {},
    onError: (error) => errors.push(error),
  });
});

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const kinds = (): string[] => fed.map(({ kind }) => kind);
function faultOf(block: Block): string | null {
  try {
    intake.block(block, 'peer');
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(PeerFault);
    return (error as PeerFault).code;
  }
}

describe('block intake', () => {
  it('feeds a good block once, then its votes', async () => {
    expect(faultOf(good.block!)).toBeNull();
    await settled();
    expect(kinds()).toEqual(['block', 'vote', 'vote', 'vote']);
    expect(tree.body(good.header.hash)).toBe(good.block);
    expect(faultOf(good.block!)).toBeNull();
    await settled();
    expect(fed).toHaveLength(4);
  });

  const resign = (block: Block): Block => ({ ...block, header: { ...block.header, signature: twin.header.signature } });
  it.each([
    [
      'of another chain',
      makeBlock(newWorld({ name: 'other' }), rootOf(newWorld({ name: 'other' }))).block!,
      'wrong-chain',
    ],
    ['with a foreign signature', resign(good.block!), 'bad-signature'],
    ['with another body under its header', { ...good.block!, entries: twin.block!.entries }, 'wrong-body'],
    ['with a transaction less', { ...good.block!, entries: good.block!.entries.toSpliced(1, 1) }, 'wrong-body'],
    [
      'with other votes',
      {
        ...good.block!,
        entries: makeBlock(world, first, { batches: [[transaction]], votes: votes.slice(1) }).block!.entries,
      },
      'wrong-body',
    ],
  ])('refuses a block %s, and the honest one still passes', async (_, block, code) => {
    expect(faultOf(block)).toBe(code);
    await settled();
    expect(fed).toEqual([]);
    expect(tree.body(good.header.hash)).toBeUndefined();
    expect(intake.counts).toEqual({ received: 0, refused: 1 });
    expect(faultOf(good.block!)).toBeNull();
    expect(tree.body(good.header.hash)?.bytes).toEqual(encodeBlock(good.header, good.block!.entries));
  });

  it('keeps nothing of a block by somebody without a bond, and blames nobody', () => {
    const strange = makeBlock(world, first, { key: keyOf(88) }).block!;
    expect(faultOf(strange)).toBeNull();
    expect([fed, tree.body(strange.header.hash), intake.counts.received]).toEqual([[], undefined, 0]);
  });

  it('passes over what is not above the root', () => {
    const late = new BlockTree(good);
    const deaf = new BlockIntake({
      kernels,
      chainId: world.check.rules.chainId,
      signatures: world.check.signatures,
      tree: late,
      feed: (event) => fed.push(event),
      onSeen: () => {},
      onError: () => {},
    });
    deaf.block(first.block!, 'peer');
    expect(fed).toEqual([]);
  });

  it('judges gossiped votes', () => {
    const [vote] = votes;
    expect(intake.gossipedVote(vote!.bytes, 'peer')).toBe('accept');
    expect(intake.gossipedVote(voteFor(keyOf(66), root.header, first.header).bytes, 'peer')).toBe('ignore');
    expect(intake.gossipedVote(vote!.bytes.with(-1, vote!.bytes.at(-1)! ^ 1), 'peer')).toBe('reject');
    expect(intake.gossipedVote(vote!.bytes.slice(1), 'peer')).toBe('reject');
    const elsewhere = signVote(hash(new Uint8Array(32)), vote!, world.validators[0]!);
    expect(intake.gossipedVote(elsewhere.bytes, 'peer')).toBe('reject');
    expect(fed).toEqual([{ kind: 'vote', vote: expect.objectContaining({ bytes: vote!.bytes }), from: 'peer' }]);
  });

  it('leaves out votes of strangers and with bad signatures', async () => {
    const forged = { ...votes[0]!, signature: votes[1]!.signature };
    const bytes = Uint8Array.from([...forged.bytes.slice(0, -64), ...forged.signature]);
    await intake.votes([{ ...forged, bytes }, voteFor(keyOf(66), root.header, first.header), votes[2]!], 'peer');
    expect(fed).toEqual([{ kind: 'vote', vote: votes[2], from: 'peer' }]);
  });

  it('says when its threads are gone, instead of failing unheard', async () => {
    await verifier.stop();
    intake.block(good.block!, 'peer');
    await settled();
    expect(kinds()).toEqual(['block']);
    expect(errors).toHaveLength(1);
  });
});

describe('consensus effects', () => {
  function rig(store: Partial<ChainStore> = {}) {
    const mempool = new Mempool(10);
    const transactions = new TransactionIndex();
    const forgotten: number[] = [];
    const forget = async (hashes: readonly unknown[]): Promise<void> => void forgotten.push(hashes.length);
    const effects = new ConsensusEffects({
      check: world.check,
      store: { forget, ...store } as ChainStore,
      tree,
      mempool,
      transactions,
      finality: new FinalityLog(),
      clock: systemClock,
      log: SILENT,
      producer: () => null,
      blocks: () => {
        throw new RangeError('not asked for here');
      },
      feed: (event) => fed.push(event),
      isKept: () => true,
      gossipVote: () => {},
      takeVotes: () => {},
      ban: () => {},
      suspect: () => {},
      onEvidence: () => {},
      onExecuted: () => {},
      onFatal: (error) => errors.push(error),
    });
    return { mempool, transactions, effects, forgotten };
  }

  it('make the transactions of a lost block wait again, but not those that another block still holds', async () => {
    const { mempool, transactions, effects, forgotten } = rig();
    const both = transaction;
    const only = transactionOn(world, first.header, { counter: 3n });
    const lost = makeBlock(world, first, { slot: 3, batches: [[both, only]] });
    for (const one of [both, only]) mempool.add(one);
    for (const block of [first, good, lost]) {
      tree.addVerified(block);
      transactions.add(block.block!);
    }
    effects.bestChanged(lost.header.hash);
    effects.bestChanged(good.header.hash);
    expect(mempool.pendingCount).toBe(0);
    await effects.prune([lost.header.hash]);
    expect(mempool.take(10)).toEqual([only]);
    expect(mempool.has(both.id)).toBe(true);
    expect(tree.verified(lost.header.hash)).toBeUndefined();
    await effects.prune([good.header.hash]);
    expect(mempool.take(10)).toEqual([both]);
    expect(forgotten).toEqual([1, 1]);
  });

  it('say which blocks are right and which are wrong, and stop for anything else', async () => {
    const checked = rig({ persistBlock: async () => {} }).effects;
    const bad = makeBlock(world, first, { slot: 4, header: () => ({ stateRoot: root.header.hash }) });
    tree.addVerified(first);
    for (const { block } of [good, bad]) tree.addBody(block!);
    checked.verifyBlock(good.header.hash);
    checked.verifyBlock(bad.header.hash);
    await checked.idle();
    // Beside each other: which is done first is nobody's business.
    expect([...fed].sort((a, b) => ('valid' in a && a.valid ? -1 : 'valid' in b && b.valid ? 1 : 0))).toEqual([
      { kind: 'verified', hash: good.header.hash, valid: true, electorate: good.electorate, reveals: [] },
      {
        kind: 'verified',
        hash: bad.header.hash,
        valid: false,
        reason: expect.stringContaining('wrong-state-root'),
        decoyLike: true,
      },
    ]);
    expect(errors).toEqual([]);
    tree.forget(good.header.hash);
    tree.addBody(good.block!);
    const broken = rig({ persistBlock: () => Promise.reject(new TypeError('no disk')) }).effects;
    broken.verifyBlock(good.header.hash);
    await broken.idle();
    expect(errors.map(({ message }) => message)).toEqual(['no disk']);
    expect(fed).toHaveLength(2);
  });
});
