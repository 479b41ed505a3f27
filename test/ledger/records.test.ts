/** The bytes of the state's records: exact layouts, round trips, and no other error than `RecordError` on any bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amount, hash, publicKey, slot } from '../../native/index.ts';
import { VERDICT_REASONS } from '../../src/codec/index.ts';
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
  faultsKey,
  identityKey,
  numberOfKey,
  placesKey,
  replicaKey,
  replicaOfKey,
  sealKey,
} from '../../src/ledger/replication/record-key.ts';
import { decodeReplica, encodeReplica, replicaRecordSizeBytes } from '../../src/ledger/replication/replica.ts';
import { decodeSeal, encodeSeal } from '../../src/ledger/replication/seals.ts';
import { decodePlaces, encodePlaces } from '../../src/ledger/replication/segment-places.ts';
import { decodeFaults, encodeFaults } from '../../src/ledger/replication/validator-faults.ts';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { kernels, MapState, named, person } from './fixture.ts';
import { bytes, faults, newcomer, places, replica, seal, small, u53 } from './record-samples.ts';

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
    expect(value).toHaveLength(322);
    expect([...value.subarray(0, 4)]).toEqual([3, 1, 4, 0]);
    expect(view.getUint32(4, true)).toBe(0x01020304);
    expect(view.getBigUint64(8, true)).toBe(5n);
    expect(value.subarray(16, 96)).toEqual(small.keyProof);
    expect(value.subarray(96, 128)).toEqual(new Uint8Array(small.replicaRoot));
    expect([128, 132, 136, 140, 144, 148].map((at) => view.getUint32(at, true))).toEqual([1, 2, 3, 4, 9, 8]);
    expect(view.getBigUint64(152, true)).toBe(3n);
    expect(view.getUint32(160, true)).toBe(2);
    expect([...value.subarray(164, 168)]).toEqual([VERDICT_REASONS.indexOf('encoding'), 0, 0, 0]);
    expect(view.getBigUint64(168, true)).toBe(6n);
    expect(value.subarray(176, 256)).toEqual(small.proof!.sampleProof);
    expect(value.subarray(256, 288)).toEqual(new Uint8Array(small.proof!.samplesRoot));
    expect(value.subarray(288, 320)).toEqual(new Uint8Array(small.proof!.openingDigest));
    expect([...value.subarray(320)]).toEqual([0b0111, 0b0010]);
    expect(replicaRecordSizeBytes(1024)).toBe(576);
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
    expectCorrupt(decodeReplica, changed(value, 0, 1), /version/);
    expectCorrupt(decodeReplica, changed(value, 1, 5), /proofState/);
    expectCorrupt(decodeReplica, changed(value, 1, 0), /proof/);
    expectCorrupt(decodeReplica, changed(value, 2, 0), /validatorCount/);
    expectCorrupt(decodeReplica, changed(value, 3, 5), /validatorCount/);
    expectCorrupt(decodeReplica, changed(value, 15, 1), /commitSlot/);
    expectCorrupt(decodeReplica, changed(value, 165, 1), /reserved/);
    expectCorrupt(decodeReplica, changed(value, 164, 11), /reason/);
    expectCorrupt(decodeReplica, changed(value, 320, 0b1_0000), /past validator 3/);
    expectCorrupt(decodeReplica, changed(value, 321, 0b1000), /has not spoken/);
    expectCorrupt(decodeReplica, value.subarray(0, 321), /sealed.*needs 1/);
    expectCorrupt(decodeReplica, new Uint8Array([...value, 0]), /after the end/);
    expectCorrupt(decodeReplica, new Uint8Array(0), /version/);
  });
});

describe('seal record', () => {
  it('stands at the offsets of docs/format/records.md, and refuses each broken field by its name', () => {
    const value = encodeSeal(seal);
    expect(value).toHaveLength(40);
    expect([...value.subarray(0, 8)]).toEqual([1, 1, 0, 0, 0, 0, 0, 0]);
    expect(value.subarray(8)).toEqual(new Uint8Array(seal.value));
    expect(decodeSeal(value)).toEqual(seal);
    expect(decodeSeal(changed(value, 1, 0))).toEqual({ ...seal, isOpen: false });
    expectCorrupt(decodeSeal, changed(value, 0, 2), /version/);
    expectCorrupt(decodeSeal, changed(value, 1, 2), /isOpen/);
    expectCorrupt(decodeSeal, changed(value, 7, 1), /reserved/);
    expectCorrupt(decodeSeal, value.subarray(0, 39), /value/);
  });
});

describe('identity and designated hash records', () => {
  it('read back what was written, at their sizes', () => {
    fc.assert(
      fc.property(bytes(32), fc.bigInt(0n, 2n ** 64n - 1n), u53, (key, deposit, at) => {
        const identity = { ...newcomer, publicKey: publicKey(key), deposit: amount(deposit), slot: at };
        const value = encodeIdentity(identity);
        expect(value).toHaveLength(104);
        expect(decodeIdentity(value)).toEqual(identity);
        const designated = { slot: at, pohHash: hash(key) };
        expect(encodeDesignated(designated)).toHaveLength(48);
        expect(decodeDesignated(encodeDesignated(designated))).toEqual(designated);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('refuse each broken field by its name', () => {
    const identity = encodeIdentity(newcomer);
    const designated = encodeDesignated({ slot: slot(6), pohHash: named('h') });
    expectCorrupt(decodeIdentity, changed(identity, 0, 0), /version/);
    expectCorrupt(decodeIdentity, changed(identity, 1, 2), /isLeaving/);
    expectCorrupt(decodeIdentity, changed(identity, 3, 1), /reserved/);
    expectCorrupt(decodeIdentity, changed(identity, 103, 1), /reserved/);
    expectCorrupt(decodeIdentity, changed(identity, 55, 0xff), /slot/);
    expectCorrupt(decodeIdentity, identity.subarray(1), /version|slot/);
    expectCorrupt(decodeDesignated, changed(designated, 0, 9), /version/);
    expectCorrupt(decodeDesignated, changed(designated, 1, 1), /reserved/);
    expectCorrupt(decodeDesignated, new Uint8Array([...designated, 1]), /after the end/);
  });
});

describe('records of the market', () => {
  it('stand at the offsets of docs/format/records.md', () => {
    const identity = encodeIdentity(newcomer);
    const view = new DataView(identity.buffer);
    expect([...identity.subarray(0, 8)]).toEqual([2, 1, 0, 0, 7, 0, 0, 0]);
    expect(identity.subarray(8, 40)).toEqual(new Uint8Array(newcomer.publicKey));
    expect([40, 48, 64, 72, 88].map((at) => view.getBigUint64(at, true))).toEqual([5n, 6n, 10n, 11n, 14n]);
    expect([56, 60, 80, 84, 96, 100].map((at) => view.getUint32(at, true))).toEqual([8, 9, 12, 13, 15, 0]);
    const placed = encodePlaces(places);
    expect(placed).toHaveLength(16 + 2 * 32);
    expect([...placed.subarray(0, 16)]).toEqual([1, 2, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0]);
    expect(placed.subarray(16, 36)).toEqual(new Uint8Array(person('old').address));
    expect([...placed.subarray(36, 48)]).toEqual([9, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    expect([...encodeFaults(faults)]).toEqual([
      ...[1, 0, 0, 0, 3, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0],
      ...[77, 0, 0, 0, 0, 0, 0, 0],
    ]);
    expect([...placesKey(0x0102)]).toEqual([0x20, 0, 0, 1, 2]);
    expect([...faultsKey(person('a').key)]).toEqual([0x21, ...person('a').key]);
  });

  it('refuse each broken field by its name', () => {
    const placed = encodePlaces(places);
    expectCorrupt(decodePlaces, changed(placed, 0, 2), /version/);
    expectCorrupt(decodePlaces, changed(placed, 1, 65), /places: must be at most 64/);
    expectCorrupt(decodePlaces, changed(placed, 1, 3), /identity: needs 20/);
    expectCorrupt(decodePlaces, changed(placed, 1, 1), /after the end/);
    expectCorrupt(decodePlaces, changed(placed, 2, 1), /reserved/);
    expectCorrupt(decodePlaces, changed(placed, 12, 1), /reserved/);
    expectCorrupt(decodePlaces, changed(placed, 40, 5), /not younger/);
    expectCorrupt(decodeFaults, changed(encodeFaults(faults), 8, 0xe9), /permille/);
    expectCorrupt(decodeFaults, changed(encodeFaults(faults), 1, 1), /reserved/);
    expectCorrupt(decodeFaults, changed(encodeFaults(faults), 12, 1), /reserved/);
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
      [(value) => encodeIdentity(decodeIdentity(value)), encodeIdentity(newcomer)],
      [(value) => encodeDesignated(decodeDesignated(value)), encodeDesignated({ slot: slot(6), pohHash: named('h') })],
      [(value) => encodeEvictions(decodeEvictions(value)), evictions(5, 77n)],
      [(value) => encodePlaces(decodePlaces(value)), encodePlaces(places)],
      [(value) => encodeFaults(decodeFaults(value)), encodeFaults(faults)],
      [(value) => encodeSeal(decodeSeal(value)), encodeSeal(seal)],
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
        fc.nat(7),
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
    expect([...sealKey(0x01020304, 0x0506)]).toEqual([0x22, 1, 2, 3, 4, 5, 6]);
    expect(numberOfKey(sealKey(77, 3))).toBe(77);
    expect(() => sealKey(0, 65_536)).toThrowError(/u16/);
    expect([...identityKey(who)]).toEqual([1, ...who]);
    expect(() => designatedKey(2 ** 32)).toThrowError(/u32/);
    expect(() => replicaKey(-1, who)).toThrowError(/u32/);
  });
});
