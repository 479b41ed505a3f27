/** Genesis documents: one chain id for one content, canonical bytes, and the state they begin with. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeHeader, formatAddress } from '../../src/codec/index.ts';
import {
  canonicalGenesis,
  chainIdOf,
  genesisDocument,
  genesisFrom,
  genesisHeader,
  genesisOps,
  genesisSupply,
  parseGenesis,
  rewardPoolAddress,
} from '../../src/ledger/index.ts';
import { document, hasher, named, person } from './fixture.ts';
import { ann, bob, cat, changed, sample } from './genesis-samples.ts';

describe('genesis', () => {
  it('has one chain id for every layout of the same content', () => {
    const genesis = genesisFrom(sample());
    const shuffled = sample();
    (shuffled.accounts as unknown[]).reverse();
    (shuffled.validators as unknown[]).reverse();
    const reordered = Object.fromEntries(Object.entries(shuffled).reverse());
    const again = parseGenesis(JSON.stringify(reordered, null, 2));
    expect(chainIdOf(hasher, again)).toEqual(chainIdOf(hasher, genesis));
    expect(again).toEqual(genesis);
  });

  it('ranks validators by bond, then key, both descending, and sorts accounts', () => {
    const genesis = genesisFrom(sample());
    const equalBonds = [bob, cat].sort((a, b) => Buffer.compare(b.key, a.key));
    expect(genesis.validators.map((one) => one.publicKey)).toEqual([...equalBonds, ann].map((one) => one.key));
    const sorted = [ann, bob].sort((a, b) => Buffer.compare(a.address, b.address));
    expect(genesis.accounts.map((one) => one.address)).toEqual(sorted.map((one) => one.address));
  });

  it('writes canonical bytes that read back to themselves', () => {
    const genesis = genesisFrom(sample());
    const bytes = canonicalGenesis(genesis);
    expect(parseGenesis(bytes)).toEqual(genesis);
    expect(genesisFrom(genesisDocument(genesis))).toEqual(genesis);
    const text = new TextDecoder().decode(bytes);
    expect(text.startsWith('{"accounts":[{"address":"cairn1')).toBe(true);
    expect(text).not.toMatch(/\s/);
  });

  it('pins the canonical form and the chain id', () => {
    const canonical =
      '{"accounts":[{"address":"ADDRESS","balance":"500"}],' +
      '"consensus":{"decoyIntervalSlots":0,"minimumBond":"1","slotsPerEpoch":32,"staleEpochsFast":2,"staleEpochsSlow":4,' +
      '"staleEpochsVerySlow":0,"termSlots":0,"timeoutSlots":4,"unbondingEpochs":4,"unfinalizedBlocksMax":256,' +
      '"voteLateSlotsMax":8},"format":1,' +
      '"history":{"leafSizeBytes":1024,"segmentSizeBytes":1048576},"name":"pinned",' +
      '"poh":{"hashesPerTick":5000,"slotDurationMs":500,"ticksPerSlot":10},' +
      '"rent":{"microunitsPerByteBlock":"1"},' +
      '"replication":{"checksPerProof":64,"depositPerReplica":"100","fakeSharePermille":50,"layers":1,"minimumDeposit":"1000","missesMax":3,"mode":"stream",' +
      '"periodsPerRotation":3,"proofDeadlineSlots":9,"replicasPerSegment":4,"rewardLockoutPeriods":2,"rewardPerProof":"10",' +
      '"sampleBlockSizeBytes":65536,"samplesPerProof":2759,"sealSlots":5,"slashPerFakePermille":100,"slashPerMissPermille":250,"slotsPerPeriod":20},' +
      '"transactions":{"blockTransactionsMax":50000,"minimumFee":"1","recencyWindowSlots":300},' +
      '"validators":[{"bond":"10","publicKey":"8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR"}]}';
    const text = canonical.replace('ADDRESS', formatAddress(ann.address));
    const genesis = parseGenesis(text);
    expect(new TextDecoder().decode(canonicalGenesis(genesis))).toBe(text);
    const digest = createHash('sha256').update(`cairn/genesis/1${text}`).digest('hex');
    expect(Buffer.from(chainIdOf(hasher, genesis)).toString('hex')).toBe(digest);
    expect(digest).toBe('f86fe443a38d78e9ee4230c6f37f40e620076ca3350c301b129357b471e4bcd4');
  });

  it('every parameter changes the chain id', () => {
    const ids = new Set<string>();
    const changes: [string, unknown][] = [
      ['name', 'other'],
      ['poh.hashesPerTick', 5001],
      ['poh.ticksPerSlot', 11],
      ['poh.slotDurationMs', 501],
      ['transactions.recencyWindowSlots', 301],
      ['transactions.minimumFee', '2'],
      ['transactions.blockTransactionsMax', 50_001],
      ['consensus.timeoutSlots', 5],
      ['consensus.unfinalizedBlocksMax', 257],
      ['consensus.slotsPerEpoch', 33],
      ['consensus.staleEpochsFast', 3],
      ['consensus.staleEpochsSlow', 5],
      ['consensus.staleEpochsVerySlow', 5],
      ['consensus.voteLateSlotsMax', 9],
      ['consensus.unbondingEpochs', 5],
      ['consensus.minimumBond', '2'],
      ['consensus.termSlots', 8],
      ['consensus.decoyIntervalSlots', 1],
      ['history.segmentSizeBytes', 2_097_152],
      ['history.leafSizeBytes', 2048],
      ['replication.sampleBlockSizeBytes', 32_768],
      ['replication.slotsPerPeriod', 21],
      ['replication.periodsPerRotation', 4],
      ['replication.minimumDeposit', '1001'],
      ['replication.rewardPerProof', '11'],
      ['replication.mode', 'open'],
      ['replication.layers', 2],
      ['replication.samplesPerProof', 2760],
      ['replication.checksPerProof', 65],
      ['replication.replicasPerSegment', 5],
      ['replication.depositPerReplica', '101'],
      ['replication.rewardLockoutPeriods', 3],
      ['replication.proofDeadlineSlots', 8],
      ['replication.sealSlots', 4],
      ['replication.missesMax', 4],
      ['replication.slashPerMissPermille', 251],
      ['replication.slashPerFakePermille', 101],
      ['replication.fakeSharePermille', 51],
      ['rent.microunitsPerByteBlock', '0'],
      ['validators.0.bond', '6'],
      ['accounts.0.balance', '501'],
      ['accounts.0.address', formatAddress(cat.address)],
    ];
    for (const [path, value] of [['name', 'cairn-devnet'] as [string, unknown], ...changes])
      ids.add(Buffer.from(chainIdOf(hasher, genesisFrom(changed(path, value)))).toString('hex'));
    expect(ids.size).toBe(changes.length + 1);
  });

  it('funds accounts and the pool in ascending order, to the unit', () => {
    const genesis = genesisFrom(sample());
    const ops = genesisOps(hasher, genesis);
    const pool = rewardPoolAddress(hasher);
    const listed = ops.flatMap((op) => (op.kind === 'putAccount' ? [Buffer.from(op.address).toString('hex')] : []));
    expect(listed).toEqual([ann.address, bob.address, pool].map((one) => Buffer.from(one).toString('hex')).sort());
    const sum = ops.reduce((total, op) => total + (op.kind === 'putAccount' ? op.balance : 0n), 0n);
    const bonded = ops.reduce((total, op) => total + (op.kind === 'putBond' ? op.bond : 0n), 0n);
    expect([sum, bonded, genesisSupply(genesis)]).toEqual([800n, 23n, 823n]);
    const funded = changed('accounts.0.address', formatAddress(pool));
    expect(genesisOps(hasher, genesisFrom(funded)).filter(({ kind }) => kind === 'putAccount')).toHaveLength(2);
  });

  it('has a header that decodes, at height, slot and count 0', () => {
    const genesis = genesisFrom(sample());
    const header = genesisHeader(hasher, genesis, named('state'));
    const { height, slot, pohCount, segmentCount, transactionCount, historyLength } = decodeHeader(
      hasher,
      header.bytes,
    );
    expect([height, slot, pohCount, segmentCount, transactionCount, historyLength]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(header.pohHash).toEqual(chainIdOf(hasher, genesis));
    expect(header.leader).toEqual(genesis.validators[0]!.publicKey);
    expect(Buffer.from(header.entriesRoot).toString('hex')).toMatch(/^e3b0c44298fc1c14/);
  });

  it('handles 20,000 accounts', () => {
    const funded = Array.from({ length: 20_000 }, (_, n) => [person(`account ${n}`), BigInt(n)] as const);
    const genesis = parseGenesis(JSON.stringify(document({}, funded)));
    expect(genesisOps(hasher, genesis).filter(({ kind }) => kind === 'putAccount')).toHaveLength(20_001);
    expect(genesisSupply(genesis)).toBe((19_999n * 20_000n) / 2n + 10n);
  });
});
