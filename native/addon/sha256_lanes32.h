// SHA-256's compression of thirty-two blocks side by side: two groups of sixteen 32-bit lanes. A round waits for the one before it, and the
// second group fills the gap; a third would not fit the registers (measured on an EPYC: 80, 112 and 61 M compressions/s with 1, 2 and 3 groups).
// Included inside CAIRN_TARGET_BEGIN of a file that has AVX-512. Source: FIPS 180-4, 6.2.2.

constexpr int GROUPS = 2;
constexpr int LANES = 16 * GROUPS;

// Word i of lane l of each group: words[g][i][l], as numbers.
struct State32 {
  __m512i words[GROUPS][8];
};
struct Block32 {
  __m512i words[GROUPS][16];
};

CAIRN_INLINE __m512i add32(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
CAIRN_INLINE __m512i xor3(__m512i a, __m512i b, __m512i c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
CAIRN_INLINE __m512i big_sigma_0(__m512i x) { return xor3(_mm512_ror_epi32(x, 2), _mm512_ror_epi32(x, 13), _mm512_ror_epi32(x, 22)); }
CAIRN_INLINE __m512i big_sigma_1(__m512i x) { return xor3(_mm512_ror_epi32(x, 6), _mm512_ror_epi32(x, 11), _mm512_ror_epi32(x, 25)); }
CAIRN_INLINE __m512i sigma_0(__m512i x) { return xor3(_mm512_ror_epi32(x, 7), _mm512_ror_epi32(x, 18), _mm512_srli_epi32(x, 3)); }
CAIRN_INLINE __m512i sigma_1(__m512i x) { return xor3(_mm512_ror_epi32(x, 17), _mm512_ror_epi32(x, 19), _mm512_srli_epi32(x, 10)); }

// Other work put between the rounds, for the units that hashing leaves idle: step(t) is called before round t of each sixteen.
struct NothingBeside {
  CAIRN_INLINE_MEMBER void step(int) {}
};

// Rounds BASE .. BASE + 15 of both groups.
template <bool SCHEDULE, class Beside>
CAIRN_INLINE void sixteen_rounds(__m512i (&v)[GROUPS][8], __m512i (&w)[GROUPS][16], const uint32_t *constants, Beside &beside) {
#pragma GCC unroll 16
  for (int t = 0; t < 16; t++) {
    beside.step(t);
    const __m512i constant = _mm512_set1_epi32((int)constants[t]);
#pragma GCC unroll 2
    for (int g = 0; g < GROUPS; g++) {
      if (SCHEDULE) {
        const __m512i early = add32(w[g][t], sigma_0(w[g][(t + 1) & 15]));
        w[g][t] = add32(early, add32(w[g][(t + 9) & 15], sigma_1(w[g][(t + 14) & 15])));
      }
      // v[(16 - t) & 7] is a, the next ones b, c, ...
      __m512i &a = v[g][(16 - t) & 7], &b = v[g][(17 - t) & 7], &c = v[g][(18 - t) & 7], &d = v[g][(19 - t) & 7];
      __m512i &e = v[g][(20 - t) & 7], &f = v[g][(21 - t) & 7], &h1 = v[g][(22 - t) & 7], &h = v[g][(23 - t) & 7];
      const __m512i choose = _mm512_ternarylogic_epi32(e, f, h1, 0xca), majority = _mm512_ternarylogic_epi32(a, b, c, 0xe8);
      const __m512i t1 = add32(add32(add32(h, constant), w[g][t]), add32(big_sigma_1(e), choose));
      d = add32(d, t1);
      h = add32(t1, add32(big_sigma_0(a), majority));
    }
  }
}

// state += rounds(state, block); the block is overwritten.
template <class Beside>
CAIRN_INLINE void compress32_beside(State32 &state, Block32 &block, Beside &beside) {
  __m512i v[GROUPS][8];
#pragma GCC unroll 2
  for (int g = 0; g < GROUPS; g++)
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) v[g][i] = state.words[g][i];
  sixteen_rounds<false>(v, block.words, SHA256_K, beside);
  for (int base = 16; base < 64; base += 16) sixteen_rounds<true>(v, block.words, SHA256_K + base, beside);
#pragma GCC unroll 2
  for (int g = 0; g < GROUPS; g++)
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) state.words[g][i] = add32(state.words[g][i], v[g][i]);
}

[[maybe_unused]] static __attribute__((noinline)) void compress32(State32 &state, Block32 &block) {
  NothingBeside nothing;
  compress32_beside(state, block, nothing);
}

CAIRN_INLINE void set_initial(State32 &state) {
  for (int g = 0; g < GROUPS; g++)
    for (int i = 0; i < 8; i++) state.words[g][i] = _mm512_set1_epi32((int)SHA256_INITIAL[i]);
}

// Bytes of each 32-bit word turned around.
CAIRN_INLINE __m512i swap_bytes(__m512i x) {
  return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)));
}

// Sixteen rows of sixteen 32-bit words turned into columns.
CAIRN_INLINE void transpose16(__m512i (&r)[16]) {
  __m512i a[16], b[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  // b[4 j + k]: rows 4 j .. 4 j + 3 of word k of each 128-bit quarter.
#pragma GCC unroll 4
  for (int j = 0; j < 16; j += 4) {
    b[j] = _mm512_unpacklo_epi64(a[j], a[j + 2]);
    b[j + 1] = _mm512_unpackhi_epi64(a[j], a[j + 2]);
    b[j + 2] = _mm512_unpacklo_epi64(a[j + 1], a[j + 3]);
    b[j + 3] = _mm512_unpackhi_epi64(a[j + 1], a[j + 3]);
  }
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    const __m512i low_01 = _mm512_shuffle_i32x4(b[k], b[4 + k], 0x88), low_23 = _mm512_shuffle_i32x4(b[8 + k], b[12 + k], 0x88);
    const __m512i high_01 = _mm512_shuffle_i32x4(b[k], b[4 + k], 0xdd), high_23 = _mm512_shuffle_i32x4(b[8 + k], b[12 + k], 0xdd);
    r[k] = _mm512_shuffle_i32x4(low_01, low_23, 0x88);
    r[8 + k] = _mm512_shuffle_i32x4(low_01, low_23, 0xdd);
    r[4 + k] = _mm512_shuffle_i32x4(high_01, high_23, 0x88);
    r[12 + k] = _mm512_shuffle_i32x4(high_01, high_23, 0xdd);
  }
}

// Rows of 64 bytes to the words of one group.
CAIRN_INLINE void set_block(__m512i (&words)[16], const __m512i (&rows)[16]) {
#pragma GCC unroll 16
  for (int l = 0; l < 16; l++) words[l] = swap_bytes(rows[l]);
  transpose16(words);
}

// The digests of all lanes, 32 bytes each.
CAIRN_INLINE void store_digests(const State32 &state, uint8_t (&out)[LANES][32]) {
  for (int g = 0; g < GROUPS; g++) {
    __m512i rows[16];
    for (int i = 0; i < 8; i++) rows[i] = swap_bytes(state.words[g][i]);
    for (int i = 8; i < 16; i++) rows[i] = _mm512_setzero_si512();
    transpose16(rows);
    for (int l = 0; l < 16; l++)
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(out[16 * g + l]), _mm512_castsi512_si256(rows[l]));
  }
}
