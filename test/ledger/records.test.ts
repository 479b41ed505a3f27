/** The bytes of the state's records: exact layouts, round trips, and no other error than `RecordError` on any bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amount, hash, slot } from '../../native/index.ts';
import {
  decodeEvictions,
  EVICTIONS_KEY,
  encodeEvictions,
  isRevived,
  RecordError,
  revivedKey,
} from '../../src/ledger/index.ts';
import { decodeDesignated, encodeDesignated } from '../../src/ledger/replication/designated.ts';
import { decodeIdentity, encodeIdentity } from '../../src/ledger/replication/identity.ts';
import {
  designatedKey,
  identityKey,
  numberOfKey,
  replicaKey,
  replicaOfKey,
} from '../../src/ledger/replication/record-key.ts';
import {
  decodeReplica,
  encodeReplica,
  type ReplicaRecord,
  replicaRecordSizeBytes,
} from '../../src/ledger/replication/replica.ts';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { kernels, MapState, named, person } from './fixture.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u53 = fc.maxSafeNat().map(slot);
const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const digest = bytes(32).map(hash);

const proof = (validatorCount: number) =>
  fc
    .record({
      state: fc.constantFrom('pending', 'accepted', 'rejected' as const),
      slot: u53,
      sampleProof: bytes(80),
      samplesRoot: digest,
      says: fc.array(fc.nat(2), { minLength: validatorCount, maxLength: validatorCount }),
    })
    .map(({ says, ...rest }) => {
      const bits = (wanted: number): Uint8Array => {
        const set = new Uint8Array(Math.ceil(validatorCount / 8));
        says.forEach((said, index) => {
          if (said === wanted) set[index >> 3]! |= 1 << (index & 7);
        });
        return set;
      };
      return { ...rest, valid: bits(1), invalid: bits(2) };
    });
const replica: fc.Arbitrary<ReplicaRecord> = fc.integer({ min: 1, max: 1024 }).chain((validatorCount) =>
  fc.record({
    validatorCount: fc.constant(validatorCount),
    rotation: u32,
    commitSlot: u53,
    keyProof: bytes(80),
    replicaRoot: digest,
    commits: u32,
    accepted: u32,
    rejected: u32,
    expired: u32,
    nextPeriod: u32,
    proof: fc.option(proof(validatorCount)),
  }),
);

const small: ReplicaRecord = {
  validatorCount: 4,
  rotation: 0x01020304,
  commitSlot: slot(5),
  keyProof: new Uint8Array(80).fill(0xaa),
  replicaRoot: named('root'),
  commits: 1,
  accepted: 2,
  rejected: 3,
  expired: 4,
  nextPeriod: 9,
  proof: {
    state: 'pending',
    slot: slot(6),
    sampleProof: new Uint8Array(80).fill(0xbb),
    samplesRoot: named('samples'),
    valid: Uint8Array.of(0b0101),
    invalid: Uint8Array.of(0b0010),
  },
};

function expectCorrupt(decode: (value: Uint8Array) => unknown, value: Uint8Array, message: RegExp): void {
  expect(() => decode(value)).toThrowError(RecordError);
  expect(() => decode(value)).toThrowError(message);
}
const changed = (value: Uint8Array, at: number, byte: number): Uint8Array => {
  const copy = value.slice();
  copy[at] = byte;
  return copy;
};

describe('replica record', () => {
  it('stands at the offsets of docs/format/records.md', () => {
    const value = encodeReplica(small);
    const view = new DataView(value.buffer);
    expect(value).toHaveLength(274);
    expect([...value.subarray(0, 4)]).toEqual([1, 1, 4, 0]);
    expect(view.getUint32(4, true)).toBe(0x01020304);
    expect(view.getBigUint64(8, true)).toBe(5n);
    expect(value.subarray(16, 96)).toEqual(small.keyProof);
    expect(value.subarray(96, 128)).toEqual(new Uint8Array(small.replicaRoot));
    expect([128, 132, 136, 140, 144, 148].map((at) => view.getUint32(at, true))).toEqual([1, 2, 3, 4, 9, 0]);
    expect(view.getBigUint64(152, true)).toBe(6n);
    expect(value.subarray(160, 240)).toEqual(small.proof!.sampleProof);
    expect(value.subarray(240, 272)).toEqual(new Uint8Array(small.proof!.samplesRoot));
    expect([...value.subarray(272)]).toEqual([0b0101, 0b0010]);
    expect(replicaRecordSizeBytes(1024)).toBe(528);
  });

  it('reads back what was written', () => {
    fc.assert(
      fc.property(replica, (record) => {
        expect(decodeReplica(encodeReplica(record))).toEqual(record);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('refuses each broken field by its name', () => {
    const value = encodeReplica(small);
    expectCorrupt(decodeReplica, changed(value, 0, 2), /version/);
    expectCorrupt(decodeReplica, changed(value, 1, 4), /proofState/);
    expectCorrupt(decodeReplica, changed(value, 1, 0), /proof/);
    expectCorrupt(decodeReplica, changed(value, 2, 0), /validatorCount/);
    expectCorrupt(decodeReplica, changed(value, 3, 5), /validatorCount/);
    expectCorrupt(decodeReplica, changed(value, 15, 1), /commitSlot/);
    expectCorrupt(decodeReplica, changed(value, 149, 1), /reserved/);
    expectCorrupt(decodeReplica, changed(value, 272, 0b1_0000), /past validator 3/);
    expectCorrupt(decodeReplica, changed(value, 273, 0b0100), /byte 0 names a validator/);
    expectCorrupt(decodeReplica, value.subarray(0, 273), /invalid.*needs 1/);
    expectCorrupt(decodeReplica, new Uint8Array([...value, 0]), /after the end/);
    expectCorrupt(decodeReplica, new Uint8Array(0), /version/);
  });
});

describe('identity and designated hash records', () => {
  it('read back what was written, at their sizes', () => {
    fc.assert(
      fc.property(bytes(32), fc.bigInt(0n, 2n ** 64n - 1n), u53, (key, deposit, at) => {
        const identity = { publicKey: key as never, deposit: amount(deposit), slot: at };
        const value = encodeIdentity(identity);
        expect(value).toHaveLength(56);
        expect(decodeIdentity(value)).toEqual(identity);
        const designated = { slot: at, pohHash: hash(key) };
        expect(encodeDesignated(designated)).toHaveLength(48);
        expect(decodeDesignated(encodeDesignated(designated))).toEqual(designated);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('refuse each broken field by its name', () => {
    const identity = encodeIdentity({ publicKey: person('a').key, deposit: amount(5n), slot: slot(6) });
    const designated = encodeDesignated({ slot: slot(6), pohHash: named('h') });
    expectCorrupt(decodeIdentity, changed(identity, 0, 0), /version/);
    expectCorrupt(decodeIdentity, changed(identity, 7, 1), /reserved/);
    expectCorrupt(decodeIdentity, changed(identity, 55, 0xff), /slot/);
    expectCorrupt(decodeIdentity, identity.subarray(1), /version|slot/);
    expectCorrupt(decodeDesignated, changed(designated, 0, 9), /version/);
    expectCorrupt(decodeDesignated, changed(designated, 1, 1), /reserved/);
    expectCorrupt(decodeDesignated, new Uint8Array([...designated, 1]), /after the end/);
  });
});

const evictions = (count: number, units: bigint): Uint8Array => {
  let range = Frontier.empty;
  for (let leaf = 0; leaf < count; leaf++) range = range.append(kernels, named(`leaf ${leaf}`));
  return encodeEvictions({ units, range });
};

describe('records of evictions', () => {
  it('stand at the offsets of docs/format/records.md', () => {
    const value = evictions(3, 0x0102n);
    const view = new DataView(value.buffer);
    expect([...EVICTIONS_KEY]).toEqual([4]);
    expect(value).toHaveLength(24 + 2 * 32);
    expect([...value.subarray(0, 8)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
    expect([view.getBigUint64(8, true), view.getBigUint64(16, true)]).toEqual([3n, 0x0102n]);
    expect(value.subarray(56)).toEqual(new Uint8Array(named('leaf 2')));
    expect(decodeEvictions(value).units).toBe(0x0102n);
    expect(decodeEvictions(value).range.size).toBe(3);
  });

  it('refuse each broken field by its name', () => {
    const value = evictions(3, 9n);
    expectCorrupt(decodeEvictions, changed(value, 0, 2), /version/);
    expectCorrupt(decodeEvictions, changed(value, 5, 1), /reserved/);
    expectCorrupt(decodeEvictions, changed(value, 8, 0), /count: must be 1/);
    expectCorrupt(decodeEvictions, changed(value, 14, 1), /count: must be 1/);
    expectCorrupt(decodeEvictions, changed(value, 8, 7), /peaks: needs 96/);
    expectCorrupt(decodeEvictions, changed(value, 8, 4), /after the end/);
    expectCorrupt(decodeEvictions, value.subarray(0, 87), /peaks/);
  });

  it('number their bitmaps by 2048 evictions, lowest bit first', () => {
    expect([...revivedKey(0)]).toEqual([5, 0, 0, 0, 0]);
    expect([...revivedKey(2047)]).toEqual([5, 0, 0, 0, 0]);
    expect([...revivedKey(2048 * 0x0102)]).toEqual([5, 0, 0, 1, 2]);
    expect([...revivedKey(2 ** 43 - 1)]).toEqual([5, 255, 255, 255, 255]);
    const state = new MapState();
    const bits = new Uint8Array(256);
    bits[1] = 0b100;
    state.apply([{ kind: 'putRecord', key: revivedKey(2048), value: bits }]);
    const revived = [9, 10, 11].map((bit) => isRevived(state, 2048 + bit));
    expect([...revived, isRevived(state, 10)]).toEqual([false, true, false, false]);
    for (const size of [255, 257]) {
      state.apply([{ kind: 'putRecord', key: revivedKey(0), value: new Uint8Array(size) }]);
      expectCorrupt(() => isRevived(state, 0), new Uint8Array(0), /bits: needs 256|after the end/);
    }
  });
});

describe('hostile records', () => {
  it('decode to a value that encodes to the same bytes, or throw RecordError', () => {
    const codecs: [(value: Uint8Array) => Uint8Array, Uint8Array][] = [
      [(value) => encodeReplica(decodeReplica(value)), encodeReplica(small)],
      [(value) => encodeReplica(decodeReplica(value)), encodeReplica({ ...small, proof: null })],
      [
        (value) => encodeIdentity(decodeIdentity(value)),
        encodeIdentity({ publicKey: person('a').key, deposit: amount(5n), slot: slot(6) }),
      ],
      [(value) => encodeDesignated(decodeDesignated(value)), encodeDesignated({ slot: slot(6), pohHash: named('h') })],
      [(value) => encodeEvictions(decodeEvictions(value)), evictions(5, 77n)],
    ];
    const tried = (again: (value: Uint8Array) => Uint8Array, value: Uint8Array): void => {
      try {
        expect(again(value)).toEqual(value);
      } catch (error) {
        expect(error).toBeInstanceOf(RecordError);
      }
    };
    fc.assert(
      fc.property(
        fc.nat(4),
        fc.array(fc.tuple(fc.nat(599), fc.nat(255)), { maxLength: 4 }),
        fc.nat(40),
        fc.uint8Array({ maxLength: 300 }),
        (which, edits, cut, rubbish) => {
          const [again, valid] = codecs[which]!;
          const value = valid.slice(0, valid.length - (cut > 20 ? cut - 20 : 0));
          for (const [at, byte] of edits) value[at % valid.length] = byte;
          tried(again, value);
          tried(again, rubbish);
        },
      ),
      { numRuns: 3000, seed: 6 },
    );
  });
});

describe('record keys', () => {
  it('sort as segments and periods do, and read back', () => {
    const who = person('a').address;
    const order = [0, 1, 255, 256, 65_536, 0xffff_ffff];
    const keys = order.map((segment) => replicaKey(segment, who));
    expect([...keys].sort(Buffer.compare)).toEqual(keys);
    expect(keys.map((key) => replicaOfKey(key))).toEqual(order.map((segment) => ({ segment, identity: who })));
    expect(order.map((period) => numberOfKey(designatedKey(period)))).toEqual(order);
    expect([...identityKey(who)]).toEqual([1, ...who]);
    expect(() => designatedKey(2 ** 32)).toThrowError(/u32/);
    expect(() => replicaKey(-1, who)).toThrowError(/u32/);
  });
});
