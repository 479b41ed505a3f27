/**
 * CRC-32C (Castagnoli), eight bytes a step through eight tables ("slicing by 8").
 *
 * Source: RFC 3720, appendix B.4 (polynomial 0x1edc6f41, reflected 0x82f63b78, initial value and final xor all ones).
 */
const SLICES = 8;
const POLYNOMIAL_REFLECTED = 0x82f63b78;

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: SLICES }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL_REFLECTED : crc >>> 1;
    tables[0]![byte] = crc;
    for (let slice = 1; slice < SLICES; slice++) {
      // The first table is not complete yet, but a crc of one byte followed by zeros only needs bit steps.
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL_REFLECTED : crc >>> 1;
      tables[slice]![byte] = crc;
    }
  }
  return tables;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = makeTables() as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** The kernel `crc32c`: continues from `seed`, returns an unsigned 32-bit number. */
export function crc32c(data: Uint8Array, seed: number): number {
  let crc = ~seed;
  let i = 0;
  for (; i + 8 <= data.length; i += 8) {
    crc ^= data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
    crc =
      t7[crc & 255]! ^
      t6[(crc >>> 8) & 255]! ^
      t5[(crc >>> 16) & 255]! ^
      t4[crc >>> 24]! ^
      t3[data[i + 4]!]! ^
      t2[data[i + 5]!]! ^
      t1[data[i + 6]!]! ^
      t0[data[i + 7]!]!;
  }
  for (; i < data.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ data[i]!) & 255]!;
  return ~crc >>> 0;
}
