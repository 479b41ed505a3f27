/** Accounts by number, as ops of a batch. */
import { sampleBytes } from '../sample-data.ts';

export const BATCH = 65_536;
export const BATCHES = 16;
export const OP_BYTES = 32;
/** Ops put at once while filling. */
const FILL_OPS = 262_144;
/** Odd, so that multiplying by it mixes numbers one to one. */
const MIXER = 0x9e3779b1;
const ACCOUNT_OP_HEAD = 1 | (20 << 8) | (8 << 16);

/** Ops (head, address, balance) of accounts numbered by `numbers`; address n is the same in every call. */
export function opsOf(numbers: Uint32Array): Uint8Array {
  const ops = new Uint8Array(numbers.length * OP_BYTES);
  const view = new DataView(ops.buffer);
  for (const [index, number] of numbers.entries()) {
    const at = index * OP_BYTES;
    view.setUint32(at, ACCOUNT_OP_HEAD, true);
    // A one-to-one mixing, so that addresses are spread over the shards and differ.
    view.setUint32(at + 4, Math.imul(number + 1, MIXER));
    view.setUint32(at + 20, number, true);
    view.setUint32(at + 24, number + 1, true);
  }
  return ops;
}

export const addressesOf = (ops: Uint8Array): Uint8Array => {
  const addresses = new Uint8Array((ops.length / OP_BYTES) * 20);
  for (let i = 0; i * 20 < addresses.length; i += 1)
    addresses.set(ops.subarray(i * OP_BYTES + 4, i * OP_BYTES + 24), i * 20);
  return addresses;
};

/** The first `total` numbers in pieces: ascending, or as `order` has them. */
export function* pieces(total: number, order?: Uint32Array): Generator<Uint32Array> {
  for (let from = 0; from < total; from += FILL_OPS) {
    const count = Math.min(FILL_OPS, total - from);
    yield order?.subarray(from, from + count) ?? Uint32Array.from({ length: count }, (_, index) => from + index);
  }
}

/** The first `total` numbers in the order of their addresses. */
export function byAddress(total: number): Uint32Array {
  const mixed = Uint32Array.from({ length: total }, (_, number) => Math.imul(number + 1, MIXER));
  const unmix = inverseOf(MIXER);
  return mixed.sort().map((value) => Math.imul(value, unmix) - 1);
}

/** What undoes multiplying by an odd number, modulo 2^32: each step doubles the bits that are right. */
function inverseOf(odd: number): number {
  let inverse = odd;
  for (let bits = 3; bits < 32; bits *= 2) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}

/** Batches of random accounts. */
export function draw(total: number): Uint8Array[] {
  const size = Math.min(BATCH, total);
  return Array.from({ length: BATCHES }, (_, batch) => {
    const random = new Uint32Array(sampleBytes(4 * size, 90 + batch).buffer);
    return opsOf(random.map((value) => value % total));
  });
}
