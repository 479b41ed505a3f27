/** What no genesis document may say: each refused by the name of its field, and any JSON answered with nothing but a `GenesisError`. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AMOUNT_MAX } from '../../native/index.ts';
import { encodeBase58, formatAddress } from '../../src/codec/index.ts';
import { GenesisError, genesisFrom, parseGenesis } from '../../src/ledger/index.ts';
import { ann, changed, refusalOf, sample } from './genesis-samples.ts';

describe('genesis', () => {
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
});

function refusalOrNull(source: unknown): boolean {
  try {
    genesisFrom(source);
    return true;
  } catch (error) {
    return error instanceof GenesisError;
  }
}
