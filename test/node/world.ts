/**
 * A small chain for the tests of src/node: genesis with real keys, checks on the calling thread, and blocks made step by step, so that
 * a test can make any block it likes, right or wrong. Nothing here goes through the producer.
 */
import { pino } from 'pino';
import { amount, type Hash, height, type Kernels, loadKernels, type PohCount, slot } from '../../native/index.ts';
import {
  addressOf,
  assembleBlock,
  type BlockHeaderDraft,
  blockVotes,
  countTransactions,
  type Entry,
  encodeBase58,
  entriesRoot,
  entryMixins,
  formatAddress,
  itemsRoot,
  type Payload,
  type SigningKey,
  signHeader,
  signingKey,
  signTransaction,
  signVote,
  type Transaction,
  type Vote,
} from '../../src/codec/index.ts';
import {
  DEVNET_PARAMETERS,
  electorateAfter,
  type Genesis,
  genesisBatch,
  genesisFrom,
  genesisHeader,
  genesisOps,
  ledgerRules,
  RecentWindow,
} from '../../src/ledger/index.ts';
import { MemoryState } from '../../src/node/audit/memory-state.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { batchOf, type CheckDeps, completed, startExecution } from '../../src/node/chain/check-block.ts';
import { finalState, genesisRoot } from '../../src/node/chain/open-root.ts';
import type { Logger } from '../../src/node/log.ts';
import { SignatureChecks } from '../../src/node/signature-checks.ts';
import { InlineVerifier } from '../../src/node/threads/index.ts';
import { PohGenerator } from '../../src/poh/index.ts';
import { emptyCommitment, HistoryCursor } from '../../storage/index.ts';

export const kernels: Kernels = loadKernels();
export const SILENT: Logger = pino({ level: 'silent' });

/** Keys without secrets worth keeping: everything follows from the number. */
export const keyOf = (seed: number): SigningKey =>
  signingKey(Uint8Array.from({ length: 32 }, (_, index) => (seed * 37 + index * 11 + 5) & 0xff));

export interface WorldOptions {
  readonly validators?: number;
  readonly recencyWindowSlots?: number;
  readonly segmentSizeBytes?: number;
  readonly leafSizeBytes?: number;
  readonly slotDurationMs?: number;
  readonly hashesPerTick?: number;
  readonly blockTransactionsMax?: number;
  readonly slotsPerPeriod?: number;
  readonly periodsPerRotation?: number;
  readonly name?: string;
  /** In place of what stands below. */
  readonly replication?: Partial<Record<keyof typeof DEVNET_PARAMETERS.replication, number | string>>;
  /** In place of the devnet's. */
  readonly consensus?: Partial<Record<keyof typeof DEVNET_PARAMETERS.consensus, number | string>>;
  /** Millionths of a unit a byte and block. */
  readonly rent?: string;
  /** Opens the balance with which each of the four accounts starts. */
  readonly balance?: bigint;
}

/** One chain's rules, keys and checks. */
export interface World {
  readonly genesis: Genesis;
  readonly check: CheckDeps;
  /** In order of rank. */
  readonly validators: readonly SigningKey[];
  /** Funded senders. */
  readonly people: readonly SigningKey[];
}

export function newWorld(options: WorldOptions = {}): World {
  const keys = Array.from({ length: options.validators ?? 4 }, (_, index) => keyOf(index + 1));
  const people = [101, 102, 103, 104].map(keyOf);
  const genesis = genesisFrom({
    ...DEVNET_PARAMETERS,
    name: options.name ?? 'test',
    poh: {
      hashesPerTick: options.hashesPerTick ?? 64,
      ticksPerSlot: 4,
      slotDurationMs: options.slotDurationMs ?? 500,
    },
    transactions: {
      recencyWindowSlots: options.recencyWindowSlots ?? 20,
      minimumFee: '1',
      blockTransactionsMax: options.blockTransactionsMax ?? 1000,
    },
    consensus: { ...DEVNET_PARAMETERS.consensus, ...options.consensus },
    history: { segmentSizeBytes: options.segmentSizeBytes ?? 4096, leafSizeBytes: options.leafSizeBytes ?? 1024 },
    rent: { microunitsPerByteBlock: options.rent ?? '1' },
    replication: {
      sampleBlockSizeBytes: 1024,
      slotsPerPeriod: options.slotsPerPeriod ?? 4,
      periodsPerRotation: options.periodsPerRotation ?? 2,
      minimumDeposit: '1000',
      rewardPerProof: '10',
      mode: 'stream',
      layers: 1,
      samplesPerProof: 100,
      checksPerProof: 16,
      replicasPerSegment: 4,
      depositPerReplica: '100',
      rewardLockoutPeriods: 0,
      proofDeadlineSlots: (options.slotsPerPeriod ?? 4) - 3,
      sealSlots: 1,
      missesMax: 3,
      slashPerMissPermille: 250,
      slashPerFakePermille: 100,
      fakeSharePermille: 100,
      ...options.replication,
    },
    validators: keys.map(({ publicKey }) => ({ publicKey: encodeBase58(publicKey), bond: '10' })),
    accounts: [...people, ...keys].map(({ address }) => ({
      address: formatAddress(address),
      balance: String(options.balance ?? 1_000_000n),
    })),
  });
  const verifier = new InlineVerifier(kernels);
  const { hashesPerTick, ticksPerSlot } = genesis.poh;
  const rules = ledgerRules(kernels, genesis);
  const check: CheckDeps = {
    kernels,
    verifier,
    signatures: new SignatureChecks(kernels, rules.chainId, verifier, 1000),
    rules,
    poh: { hashesPerTick, ticksPerSlot },
    idSecret: Uint32Array.of(1, 2, 3, 4),
  };
  const ranked = genesis.validators.map(
    ({ publicKey }) => keys.find((key) => Buffer.compare(key.publicKey, publicKey) === 0)!,
  );
  return { genesis, check, validators: ranked, people };
}

/** Genesis as a block, its state in memory. */
export function rootOf({ genesis, check }: World): ChainBlock {
  const state = finalState(new MemoryState().apply(genesisOps(kernels, genesis)));
  return {
    header: genesisHeader(kernels, genesis, genesisRoot(genesis, kernels)),
    block: null,
    state,
    electorate: electorateAfter(check.rules, state),
    reveals: [],
    overlay: null,
    recent: RecentWindow.genesis(check.rules, check.rules.chainId, check.idSecret),
    cursor: HistoryCursor.start(kernels, genesis.history),
    commitment: emptyCommitment(kernels, check.rules.chainId).next(genesisBatch(kernels, genesis)),
    batch: null,
    evictions: null,
    transactionsTotal: 0,
  };
}

export interface TransferPlan {
  readonly from?: number;
  readonly to?: number;
  readonly amount?: bigint;
  readonly counter: bigint;
  /** 1 unless given. */
  readonly fee?: bigint;
  readonly payload?: Payload;
  readonly key?: SigningKey;
}

/** A transaction over the end of `on`. */
export function transactionOn(world: World, on: ChainBlock['header'], plan: TransferPlan): Transaction {
  const key = plan.key ?? world.people[plan.from ?? 0]!;
  const to = world.people[plan.to ?? 1]!.address;
  return signTransaction(
    kernels,
    {
      lastValidHash: on.pohHash.slice(0, 20),
      lastValidCount: on.pohCount,
      payload: plan.payload ?? { kind: 'transfer', to, amount: amount(plan.amount ?? 5n) },
      counter: plan.counter,
      fee: amount(plan.fee ?? 1n),
    },
    key,
  );
}

export interface BlockPlan {
  /** The next slot unless given. */
  readonly slot?: number;
  readonly batches?: readonly (readonly Transaction[])[];
  readonly votes?: readonly Vote[];
  readonly key?: SigningKey;
  /** Changes the header before it is signed. */
  readonly header?: (draft: BlockHeaderDraft) => Partial<BlockHeaderDraft>;
  /** Changes the entries after they were made; the entries root follows them. */
  readonly entries?: (entries: Entry[]) => Entry[];
}

/** Makes a block on `parent`. Refused transactions stay in it: that is how wrong blocks are made. */
export function makeBlock(world: World, parent: ChainBlock, plan: BlockPlan = {}): ChainBlock {
  const { check } = world;
  const atSlot = slot(plan.slot ?? parent.header.slot + 1);
  const key = plan.key ?? world.validators[0]!;
  const execution = startExecution(check, parent, { slot: atSlot, leader: key.publicKey });
  for (const transaction of (plan.batches ?? []).flat())
    execution.apply(transaction, { signatureValid: true, sender: addressOf(transaction.from) });
  const made = makeEntries(world, parent, atSlot, plan);
  const entries = plan.entries?.(made) ?? made;
  const batch = batchOf(parent, execution, blockVotes(entries));
  const last = entries.at(-1)!;
  const draft: BlockHeaderDraft = {
    chainId: parent.header.chainId,
    height: height(parent.header.height + 1),
    slot: atSlot,
    parentHash: parent.header.hash,
    pohCount: last.count,
    pohHash: last.hash,
    entriesRoot: entriesRoot(kernels, entries, entryMixins(kernels, entries, parent.header.hash)),
    transactionCount: countTransactions(entries),
    stateRoot: parent.commitment.next(batch).root,
    historyLength: parent.cursor.length,
    segmentCount: parent.cursor.segmentCount,
    segmentsRoot: parent.cursor.segmentsRoot,
  };
  const header = signHeader(kernels, { ...draft, ...plan.header?.(draft) }, key);
  return completed(kernels, parent, assembleBlock(header, entries), execution, batch);
}

function makeEntries(world: World, parent: ChainBlock, atSlot: number, plan: BlockPlan): Entry[] {
  const { poh, rules } = world.check;
  const { pohCount, pohHash, hash } = parent.header;
  const generator = new PohGenerator(kernels, poh, { count: pohCount, hash: pohHash });
  const entries: Entry[] = [{ kind: 'parent', ...generator.mixin(hash) }];
  const tick = (): void => {
    entries.push({ kind: 'tick', ...generator.advance(generator.stepsBeforeTick + 1)! });
  };
  // Mixins stand in the block's own slot, after the ticks of skipped ones.
  while (generator.count < (atSlot - 1) * rules.hashesPerSlot) tick();
  for (const transactions of plan.batches ?? []) {
    if (generator.stepsBeforeTick === 0) tick();
    entries.push({ kind: 'transactions', ...generator.mixin(itemsRoot(kernels, transactions)), transactions });
  }
  if (plan.votes !== undefined) {
    if (generator.stepsBeforeTick === 0) tick();
    entries.push({ kind: 'votes', ...generator.mixin(itemsRoot(kernels, plan.votes)), votes: plan.votes });
  }
  while (generator.count < atSlot * rules.hashesPerSlot) tick();
  return entries;
}

/** A vote from `source` to `target`. */
export function voteFor(
  key: SigningKey,
  source: ChainBlock['header'],
  target: ChainBlock['header'],
  changes: Partial<{ sourceSlot: number; targetSlot: number; pohCount: PohCount; stateRoot: Hash }> = {},
): Vote {
  const draft = {
    sourceSlot: source.slot,
    sourceHash: source.hash,
    targetSlot: target.slot,
    targetHash: target.hash,
    pohCount: target.pohCount,
    stateRoot: target.stateRoot,
    leavesSlot: slot(0),
    leavesHash: new Uint8Array(32) as Hash,
  };
  return signVote(target.chainId, { ...draft, ...(changes as object) }, key);
}

/** A chain of blocks on `parent`, each with `perBlock` transfers, unless told otherwise. */
export function makeChain(world: World, parent: ChainBlock, count: number, perBlock = 1): ChainBlock[] {
  const blocks: ChainBlock[] = [];
  let at = parent;
  for (let made = 0; made < count; made += 1) {
    const transactions = Array.from({ length: perBlock }, (_, index) =>
      transactionOn(world, at.header, {
        from: index % 4,
        to: (index + 1) % 4,
        counter: BigInt(at.header.height * 1000 + index),
      }),
    );
    at = makeBlock(world, at, { batches: perBlock === 0 ? [] : [transactions] });
    blocks.push(at);
  }
  return blocks;
}
