/**
 * SipHash-1-3 of a 20-byte address, low 32 bits: where the account table starts to look.
 *
 * 64-bit words as pairs of 32-bit halves. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one
 * compression round a word and three final ones.
 */
const ADDRESS_BYTES = 20;

/** State: v0 .. v3 as low, high halves. Reused between calls, so hashing allocates nothing. */
const v = new Int32Array(8);

/** v[a] += v[b] (64 bit). */
function add(a: number, b: number): void {
  const low = (v[a]! >>> 0) + (v[b]! >>> 0);
  v[a + 1] = v[a + 1]! + v[b + 1]! + (low > 0xffff_ffff ? 1 : 0);
  v[a] = low;
}

/** v[a] = rotl64(v[a], bits) ^ v[b], bits < 32. */
function rotateXor(a: number, bits: number, b: number): void {
  const [low, high] = [v[a]!, v[a + 1]!];
  v[a] = ((low << bits) | (high >>> (32 - bits))) ^ v[b]!;
  v[a + 1] = ((high << bits) | (low >>> (32 - bits))) ^ v[b + 1]!;
}

function swapHalves(a: number): void {
  const low = v[a]!;
  v[a] = v[a + 1]!;
  v[a + 1] = low;
}

function round(): void {
  add(0, 2);
  rotateXor(2, 13, 0);
  swapHalves(0);
  add(4, 6);
  rotateXor(6, 16, 4);
  add(0, 6);
  rotateXor(6, 21, 0);
  add(4, 2);
  rotateXor(2, 17, 4);
  swapHalves(4);
}

function compress(low: number, high: number): void {
  v[6]! ^= low;
  v[7]! ^= high;
  round();
  v[0]! ^= low;
  v[1]! ^= high;
}

const wordAt = (b: Uint8Array, i: number): number => b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24);

/** "somepseudorandomlygeneratedbytes", as little-endian halves. */
const INITIAL = [0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462];

/**
 * Low 32 bits of SipHash-1-3(secret, 20 bytes of `data` at `at`), as a signed number.
 * @param secret 16 bytes
 */
export function sipHashAddress(secret: Uint8Array, data: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) v[i] = INITIAL[i]! ^ wordAt(secret, (4 * i) & 15);
  compress(wordAt(data, at), wordAt(data, at + 4));
  compress(wordAt(data, at + 8), wordAt(data, at + 12));
  compress(wordAt(data, at + 16), ADDRESS_BYTES << 24);
  v[4]! ^= 0xff;
  round();
  round();
  round();
  return v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
}
