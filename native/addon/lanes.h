// Eight rows of eight 64-bit words, turned into eight columns, and rows collected from eight places. Included inside
// CAIRN_TARGET_BEGIN of a file that has AVX-512.

// rows[l] word j becomes rows[j] word l.
CAIRN_INLINE void transpose8(__m512i (&rows)[8]) {
  const __m512i a0 = _mm512_unpacklo_epi64(rows[0], rows[1]), a1 = _mm512_unpackhi_epi64(rows[0], rows[1]);
  const __m512i a2 = _mm512_unpacklo_epi64(rows[2], rows[3]), a3 = _mm512_unpackhi_epi64(rows[2], rows[3]);
  const __m512i a4 = _mm512_unpacklo_epi64(rows[4], rows[5]), a5 = _mm512_unpackhi_epi64(rows[4], rows[5]);
  const __m512i a6 = _mm512_unpacklo_epi64(rows[6], rows[7]), a7 = _mm512_unpackhi_epi64(rows[6], rows[7]);
  const __m512i even_04 = _mm512_shuffle_i64x2(a0, a2, 0x88), even_26 = _mm512_shuffle_i64x2(a0, a2, 0xdd);
  const __m512i even_04_high = _mm512_shuffle_i64x2(a4, a6, 0x88), even_26_high = _mm512_shuffle_i64x2(a4, a6, 0xdd);
  const __m512i odd_15 = _mm512_shuffle_i64x2(a1, a3, 0x88), odd_37 = _mm512_shuffle_i64x2(a1, a3, 0xdd);
  const __m512i odd_15_high = _mm512_shuffle_i64x2(a5, a7, 0x88), odd_37_high = _mm512_shuffle_i64x2(a5, a7, 0xdd);
  rows[0] = _mm512_shuffle_i64x2(even_04, even_04_high, 0x88);
  rows[4] = _mm512_shuffle_i64x2(even_04, even_04_high, 0xdd);
  rows[2] = _mm512_shuffle_i64x2(even_26, even_26_high, 0x88);
  rows[6] = _mm512_shuffle_i64x2(even_26, even_26_high, 0xdd);
  rows[1] = _mm512_shuffle_i64x2(odd_15, odd_15_high, 0x88);
  rows[5] = _mm512_shuffle_i64x2(odd_15, odd_15_high, 0xdd);
  rows[3] = _mm512_shuffle_i64x2(odd_37, odd_37_high, 0x88);
  rows[7] = _mm512_shuffle_i64x2(odd_37, odd_37_high, 0xdd);
}

// Words 0 .. 3 of 32 bytes at each of eight addresses.
CAIRN_INLINE void load_words(const uint8_t *const (&from)[8], __m512i (&words)[4]) {
  alignas(64) uint64_t columns[4][8];
  for (int l = 0; l < 8; l++)
    for (int j = 0; j < 4; j++) memcpy(&columns[j][l], from[l] + 8 * j, 8);
  for (int j = 0; j < 4; j++) words[j] = _mm512_load_si512(columns[j]);
}
