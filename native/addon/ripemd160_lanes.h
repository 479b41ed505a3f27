// RIPEMD-160 of 32-byte keys over any word type: uint32_t for one key, or a vector of words for one key a lane.
//
// Included by ripemd160.cc once for each instruction set, inside CAIRN_TARGET_BEGIN, so it holds only always-inlined functions.
// Source: Dobbertin, Bosselaers, Preneel, "RIPEMD-160: A Strengthened Version of RIPEMD" (1996), appendix A.

// Message word and rotation of each of the 80 steps, left line then right line.
static constexpr uint8_t LEFT_WORD[80] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9,
                                          5, 2, 14, 11, 8, 3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12, 1, 9, 11, 10, 0, 8,
                                          12, 4, 13, 3, 7, 15, 14, 5, 6, 2, 4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13};
static constexpr uint8_t RIGHT_WORD[80] = {5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12, 6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8,
                                           12, 4, 9, 1, 2, 15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13, 8, 6, 4, 1, 3, 11,
                                           15, 0, 5, 12, 2, 13, 9, 7, 10, 14, 12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11};
static constexpr uint8_t LEFT_ROTATION[80] = {11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8, 7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15,
                                              9, 11, 7, 13, 12, 11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5, 11, 12, 14, 15, 14, 15,
                                              9, 8, 9, 14, 5, 6, 8, 6, 5, 12, 9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6};
static constexpr uint8_t RIGHT_ROTATION[80] = {8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6, 9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12,
                                               7, 6, 15, 13, 11, 9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5, 15, 5, 8, 11, 14, 14,
                                               6, 14, 6, 9, 12, 9, 12, 5, 15, 8, 8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11};
static constexpr uint32_t LEFT_CONSTANT[5] = {0, 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xa953fd4e};
static constexpr uint32_t RIGHT_CONSTANT[5] = {0x50a28be6, 0x5c4dd124, 0x6d703ef3, 0x7a6d76e9, 0};
static constexpr uint32_t INITIAL[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

template <typename Words>
CAIRN_INLINE Words rotl(Words x, int bits) { return (x << bits) | (x >> (32 - bits)); }

// The five boolean functions, by number.
template <int F, typename Words>
CAIRN_INLINE Words mix(Words x, Words y, Words z) {
  if (F == 0) return x ^ y ^ z;
  if (F == 1) return z ^ (x & (y ^ z));
  if (F == 2) return (x | ~y) ^ z;
  if (F == 3) return y ^ (z & (x ^ y));
  return x ^ (y | ~z);
}

// Sixteen steps of one line.
template <int F, typename Words>
CAIRN_INLINE void sixteen_steps(Words (&s)[5], const Words (&w)[16], const uint8_t *word, const uint8_t *rotation, uint32_t constant) {
#pragma GCC unroll 16
  for (int j = 0; j < 16; j++) {
    const Words t = rotl<Words>(s[0] + mix<F, Words>(s[1], s[2], s[3]) + w[word[j]] + constant, rotation[j]) + s[4];
    s[0] = s[4];
    s[4] = s[3];
    s[3] = rotl<Words>(s[2], 10);
    s[2] = s[1];
    s[1] = t;
  }
}

// `w`: the eight key words in, the five digest words out.
template <typename Words>
CAIRN_INLINE void ripemd160_words(const Words (&key)[8], Words (&digest)[5]) {
  const Words zero = key[0] ^ key[0];
  Words w[16];
  for (int i = 0; i < 8; i++) w[i] = key[i];
  for (int i = 8; i < 16; i++) w[i] = zero;
  w[8] = zero + 0x80u;
  w[14] = zero + 256u;
  Words l[5], r[5];
  for (int i = 0; i < 5; i++) l[i] = r[i] = zero + INITIAL[i];
  sixteen_steps<0, Words>(l, w, LEFT_WORD, LEFT_ROTATION, LEFT_CONSTANT[0]);
  sixteen_steps<4, Words>(r, w, RIGHT_WORD, RIGHT_ROTATION, RIGHT_CONSTANT[0]);
  sixteen_steps<1, Words>(l, w, LEFT_WORD + 16, LEFT_ROTATION + 16, LEFT_CONSTANT[1]);
  sixteen_steps<3, Words>(r, w, RIGHT_WORD + 16, RIGHT_ROTATION + 16, RIGHT_CONSTANT[1]);
  sixteen_steps<2, Words>(l, w, LEFT_WORD + 32, LEFT_ROTATION + 32, LEFT_CONSTANT[2]);
  sixteen_steps<2, Words>(r, w, RIGHT_WORD + 32, RIGHT_ROTATION + 32, RIGHT_CONSTANT[2]);
  sixteen_steps<3, Words>(l, w, LEFT_WORD + 48, LEFT_ROTATION + 48, LEFT_CONSTANT[3]);
  sixteen_steps<1, Words>(r, w, RIGHT_WORD + 48, RIGHT_ROTATION + 48, RIGHT_CONSTANT[3]);
  sixteen_steps<4, Words>(l, w, LEFT_WORD + 64, LEFT_ROTATION + 64, LEFT_CONSTANT[4]);
  sixteen_steps<0, Words>(r, w, RIGHT_WORD + 64, RIGHT_ROTATION + 64, RIGHT_CONSTANT[4]);
  for (int i = 0; i < 5; i++) digest[i] = zero + INITIAL[(i + 1) % 5] + l[(i + 2) % 5] + r[(i + 3) % 5];
}

// Keys in groups of LANES; the last group is filled up with zeros.
template <typename Words, int LANES>
CAIRN_INLINE void ripemd160_batch(const uint8_t *keys, size_t n, uint8_t *out) {
  for (size_t i = 0; i < n; i += LANES) {
    const size_t count = n - i < (size_t)LANES ? n - i : (size_t)LANES;
    alignas(64) uint32_t in[8][LANES] = {}, digests[5][LANES];
    for (size_t l = 0; l < count; l++)
      for (int j = 0; j < 8; j++) memcpy(&in[j][l], keys + 32 * (i + l) + 4 * j, 4);
    Words key[8], digest[5];
    memcpy(key, in, sizeof key);
    ripemd160_words<Words>(key, digest);
    memcpy(digests, digest, sizeof digest);
    for (size_t l = 0; l < count; l++)
      for (int j = 0; j < 5; j++) memcpy(out + 20 * (i + l) + 4 * j, &digests[j][l], 4);
  }
}
