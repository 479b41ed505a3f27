import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AMOUNT_MAX } from '../../native/index.ts';
import { decodeHeader, encodeBase58, formatAddress } from '../../src/codec/index.ts';
import {
  canonicalGenesis,
  chainIdOf,
  GenesisError,
  genesisDocument,
  genesisFrom,
  genesisHeader,
  genesisOps,
  genesisSupply,
  parseGenesis,
  rewardPoolAddress,
} from '../../src/ledger/index.ts';
import { document, hasher, named, person } from './fixture.ts';

const [ann, bob, cat] = [person('ann'), person('bob'), person('cat')];
const sample = (): Record<string, unknown> =>
  document(
    {},
    [
      [ann, 500n],
      [bob, 300n],
    ],
    [
      [ann, 5n],
      [bob, 9n],
      [cat, 9n],
    ],
  );

/** Changes one value deep in a fresh document; undefined removes the field. */
function changed(path: string, value: unknown): Record<string, unknown> {
  const root = JSON.parse(JSON.stringify(sample())) as Record<string, unknown>;
  const parts = path.split('.');
  let at = root;
  for (const part of parts.slice(0, -1)) at = at[part] as Record<string, unknown>;
  if (value === undefined) delete at[parts.at(-1)!];
  else at[parts.at(-1)!] = value;
  return root;
}

function refusalOf(source: unknown): GenesisError {
  try {
    genesisFrom(source);
  } catch (error) {
    expect(error).toBeInstanceOf(GenesisError);
    return error as GenesisError;
  }
  throw new Error(`accepted ${JSON.stringify(source).slice(0, 200)}`);
}

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

  it('refuses each wrong field by its name', () => {
    const address = formatAddress(ann.address);
    const mistyped = `${address.slice(0, -1)}${address.endsWith('q') ? 'p' : 'q'}`;
    const cases: [string, unknown, RegExp][] = [
      ['format', 2, /^genesis: format must be 1/],
      ['name', 'Has Spaces', /^genesis: name must be 1 to 64/],
      ['poh.hashesPerTick', 0, /^genesis: poh.hashesPerTick must be an integer from 1/],
      ['poh.hashesPerTick', 1.5, /^genesis: poh.hashesPerTick must be an integer/],
      ['poh.hashesPerTick', '5000', /^genesis: poh.hashesPerTick must be an integer .* found "5000"/],
      ['poh.hashesPerTick', undefined, /^genesis: poh.hashesPerTick must be an integer .* found nothing/],
      ['poh.slotDurationMs', 1e300, /^genesis: poh.slotDurationMs must be an integer/],
      ['poh.extra', 1, /^genesis: poh .*extra/],
      ['extra', 1, /^genesis: .*extra/],
      ['poh', [], /^genesis: poh /],
      [
        'transactions.minimumFee',
        1,
        /^genesis: transactions.minimumFee must be an amount as a decimal string, found 1/,
      ],
      ['transactions.minimumFee', '01', /^genesis: transactions.minimumFee must be an amount/],
      ['transactions.minimumFee', '-1', /^genesis: transactions.minimumFee must be an amount/],
      ['transactions.minimumFee', String(AMOUNT_MAX + 1n), /^genesis: transactions.minimumFee must be an amount/],
      [
        'transactions.recencyWindowSlots',
        4,
        /^genesis: transactions.recencyWindowSlots must be more than consensus.timeoutSlots/,
      ],
      ['consensus.slotsPerEpoch', 7, /^genesis: consensus.slotsPerEpoch must be an integer from 8/],
      ['consensus.slotsPerEpoch', 43, /^genesis: consensus.staleEpochsSlow plus 2, times slotsPerEpoch \(43\)/],
      ['consensus.staleEpochsFast', undefined, /^genesis: consensus.staleEpochsFast must be an integer/],
      ['consensus.staleEpochsSlow', 2, /^genesis: consensus.staleEpochsSlow must be more than staleEpochsFast \(2\)/],
      [
        'consensus.staleEpochsSlow',
        7,
        /^genesis: consensus.staleEpochsSlow plus 2, .* before absence is known, found 7/,
      ],
      ['consensus.staleEpochsVerySlow', 4, /^genesis: consensus.staleEpochsVerySlow must be 0 \(never\), or more than/],
      ['consensus.staleEpochsVerySlow', 257, /at most unfinalizedBlocksMax \(256\), found 257/],
      ['consensus.voteLateSlotsMax', 32, /^genesis: consensus.voteLateSlotsMax must be less than slotsPerEpoch \(32\)/],
      ['consensus.unbondingEpochs', 1, /^genesis: consensus.unbondingEpochs must be an integer from 2/],
      ['consensus.minimumBond', '0', /^genesis: consensus.minimumBond must be more than 0/],
      ['consensus.minimumBond', 1, /^genesis: consensus.minimumBond must be an amount as a decimal string/],
      [
        'consensus.minimumBond',
        '6',
        /^genesis: validators\[0\].bond must be at least consensus.minimumBond \(6\), found 5/,
      ],
      ['consensus.termSlots', 7, /^genesis: consensus.termSlots must be 0 \(no term\) or at least twice timeoutSlots/],
      ['accounts.0.balance', String(AMOUNT_MAX - 301n), /^genesis: accounts the supply \(balances and bonds\) must be/],
      ['poh.ticksPerSlot', 1e9, /^genesis: poh.ticksPerSlot/],
      ['history.segmentSizeBytes', 1_048_577, /segmentSizeBytes must be a multiple of history.leafSizeBytes/],
      [
        'history.leafSizeBytes',
        1000,
        /^genesis: history.segmentSizeBytes must be a multiple of history.leafSizeBytes \(1000\)/,
      ],
      ['replication.sampleBlockSizeBytes', 96, /multiple of replication.sampleBlockSizeBytes \(96\)/],
      ['replication.mode', 'closed', /^genesis: replication.mode must be stream, open or both, found "closed"/],
      ['replication.layers', 3, /^genesis: replication.layers must be 1, 2 or 4/],
      ['replication.samplesPerProof', 0, /^genesis: replication.samplesPerProof must be an integer from 1/],
      ['replication.checksPerProof', 65_537, /^genesis: replication.checksPerProof must be an integer from 0 to 65536/],
      [
        'replication.replicasPerSegment',
        65,
        /^genesis: replication.replicasPerSegment must be an integer from 1 to 64/,
      ],
      ['replication.depositPerReplica', 100, /^genesis: replication.depositPerReplica must be an amount/],
      ['replication.proofDeadlineSlots', 0, /^genesis: replication.proofDeadlineSlots must be an integer from 1/],
      [
        'replication.proofDeadlineSlots',
        18,
        /^genesis: replication.sealSlots proofDeadlineSlots \+ 2 \* sealSlots must be below slotsPerPeriod \(20\).* found 20/,
      ],
      ['replication.slashPerMissPermille', 1001, /^genesis: replication.slashPerMissPermille must be .* to 1000/],
      ['replication.slashPerFakePermille', -1, /^genesis: replication.slashPerFakePermille must be/],
      ['replication.fakeSharePermille', 501, /^genesis: replication.fakeSharePermille must be .* to 500/],
      ['replication.missesMax', 1.5, /^genesis: replication.missesMax must be an integer/],
      ['replication.rewardLockoutPeriods', -1, /^genesis: replication.rewardLockoutPeriods must be/],
      ['rent', undefined, /^genesis: rent /],
      ['rent.extra', '1', /^genesis: rent .*extra/],
      [
        'rent.microunitsPerByteBlock',
        1,
        /^genesis: rent.microunitsPerByteBlock must be millionths of a unit as a deci/,
      ],
      ['rent.microunitsPerByteBlock', '1.5', /^genesis: rent.microunitsPerByteBlock must be millionths/],
      ['rent.microunitsPerByteBlock', '-1', /^genesis: rent.microunitsPerByteBlock must be millionths/],
      [
        'rent.microunitsPerByteBlock',
        '1000000000001',
        /^genesis: rent.microunitsPerByteBlock .* at most 1000000000000/,
      ],
      ['validators', [], /^genesis: validators must name at least one/],
      ['validators', 'none', /^genesis: validators must be a list/],
      ['validators.1.bond', '0', /^genesis: validators\[1\].bond must be more than 0/],
      ['validators.2.publicKey', 'abc', /^genesis: validators\[2\].publicKey must be a public key/],
      [
        'validators.1.publicKey',
        encodeBase58(ann.key),
        /^genesis: validators\[1\].publicKey is the same as validators\[0\]/,
      ],
      ['validators.0.bond', String(AMOUNT_MAX), /^genesis: validators the sum of bonds/],
      ['accounts.0.address', mistyped, /^genesis: accounts\[0\].address must be an address/],
      ['accounts.1.address', address, /^genesis: accounts\[1\].address is the same as accounts\[0\].address/],
      ['accounts.0.balance', String(AMOUNT_MAX), /^genesis: accounts the sum of balances must be at most/],
      ['accounts.0.balance', null, /^genesis: accounts\[0\].balance must be an amount/],
    ];
    for (const [path, value, message] of cases) expect(refusalOf(changed(path, value)).message).toMatch(message);
  });

  it('bounds the number of steps a slot', () => {
    const source = changed('poh.hashesPerTick', 2 ** 31 - 1);
    expect(refusalOf(source).issues).toEqual([
      { field: 'poh.hashesPerTick', message: expect.stringContaining('times ticksPerSlot') },
    ]);
  });

  it('refuses what mode open cannot do', () => {
    const open = (replication: object, history: object = {}): (() => unknown) => {
      const source = changed('replication.mode', 'open') as Record<string, object>;
      return () =>
        genesisFrom({
          ...source,
          replication: { ...source.replication, ...replication },
          history: { ...source.history, ...history },
        });
    };
    expect(open({})).not.toThrow();
    expect(open({ periodsPerRotation: 1 })).toThrowError(/periodsPerRotation must be at least 2 in mode open/);
    expect(open({}, { leafSizeBytes: 131_072 })).toThrowError(/mode open needs history.leafSizeBytes/);
    // 65,536 leaves of 64 KiB are 4 GiB; a segment has only 16 of them here, which all of them together cannot pass.
    expect(open({ samplesPerProof: 65_536 }, { leafSizeBytes: 65_536 })).not.toThrow();
    expect(open({ samplesPerProof: 65_536 }, { leafSizeBytes: 65_536, segmentSizeBytes: 2 ** 28 })).toThrowError(
      /samplesPerProof openings may take \d+ bytes, at most 67108864/,
    );
  });

  it('refuses what is no document', () => {
    expect(() => parseGenesis(new Uint8Array([0xff, 0x7b]))).toThrowError(/UTF-8/);
    expect(() => parseGenesis('{"format":')).toThrowError(/must be JSON/);
    for (const source of [null, 7, 'text', [], true]) expect(refusalOf(source).code).toBe('invalid-field');
    expect(() => parseGenesis('['.repeat(200_000))).toThrowError(GenesisError);
  });

  it('answers any JSON with a genesis or a GenesisError, never anything else', () => {
    const paths = [
      'format',
      'poh',
      'poh.hashesPerTick',
      'replication.minimumDeposit',
      'validators',
      'validators.0',
      'accounts.1',
      'accounts.0.address',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
        expect(refusalOrNull(changed(path, value))).toBe(true);
        expect(refusalOrNull(value)).toBe(true);
      }),
      { numRuns: 500, seed: 2 },
    );
    const valid = JSON.stringify(sample());
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(valid.length), fc.string({ maxLength: 4 }), (from, drop, insert) => {
        const text = valid.slice(0, from) + insert + valid.slice(from + (drop % 12));
        try {
          parseGenesis(text);
        } catch (error) {
          expect(error).toBeInstanceOf(GenesisError);
        }
      }),
      { numRuns: 1000, seed: 4 },
    );
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

function refusalOrNull(source: unknown): boolean {
  try {
    genesisFrom(source);
    return true;
  } catch (error) {
    return error instanceof GenesisError;
  }
}
