// SHA-512's compression of eight blocks side by side, one to a 64-bit lane. Included inside CAIRN_TARGET_BEGIN of a file that has AVX-512.
// Source: FIPS 180-4, 6.4.2.

CAIRN_INLINE __m512i sha512_big_sigma_0(__m512i x) {
  return _mm512_ternarylogic_epi64(_mm512_ror_epi64(x, 28), _mm512_ror_epi64(x, 34), _mm512_ror_epi64(x, 39), 0x96);
}
CAIRN_INLINE __m512i sha512_big_sigma_1(__m512i x) {
  return _mm512_ternarylogic_epi64(_mm512_ror_epi64(x, 14), _mm512_ror_epi64(x, 18), _mm512_ror_epi64(x, 41), 0x96);
}
CAIRN_INLINE __m512i sha512_sigma_0(__m512i x) {
  return _mm512_ternarylogic_epi64(_mm512_ror_epi64(x, 1), _mm512_ror_epi64(x, 8), _mm512_srli_epi64(x, 7), 0x96);
}
CAIRN_INLINE __m512i sha512_sigma_1(__m512i x) {
  return _mm512_ternarylogic_epi64(_mm512_ror_epi64(x, 19), _mm512_ror_epi64(x, 61), _mm512_srli_epi64(x, 6), 0x96);
}
CAIRN_INLINE __m512i add64(__m512i a, __m512i b) { return _mm512_add_epi64(a, b); }

// state += rounds(state, w), in the lanes of `active`.
static __attribute__((noinline)) void sha512_compress(__m512i (&state)[8], __m512i (&w)[16], __mmask8 active) {
  __m512i s[8];
  for (int i = 0; i < 8; i++) s[i] = state[i];
  for (int base = 0; base < 80; base += 16) {
#pragma GCC unroll 16
    for (int t = 0; t < 16; t++) {
      if (base > 0) {
        const __m512i near = add64(w[(t + 9) & 15], sha512_sigma_0(w[(t + 1) & 15]));
        w[t] = add64(w[t], add64(near, sha512_sigma_1(w[(t + 14) & 15])));
      }
      // s[(8 - t) & 7] is a, the next ones b, c, ...
      __m512i &a = s[(16 - t) & 7], &b = s[(17 - t) & 7], &c = s[(18 - t) & 7], &d = s[(19 - t) & 7];
      __m512i &e = s[(20 - t) & 7], &f = s[(21 - t) & 7], &g = s[(22 - t) & 7], &h = s[(23 - t) & 7];
      const __m512i choose = _mm512_ternarylogic_epi64(e, f, g, 0xca), majority = _mm512_ternarylogic_epi64(a, b, c, 0xe8);
      const __m512i constant = _mm512_set1_epi64((long long)SHA512_K[base + t]);
      const __m512i t1 = add64(add64(add64(h, sha512_big_sigma_1(e)), add64(choose, constant)), w[t]);
      d = add64(d, t1);
      h = add64(t1, add64(sha512_big_sigma_0(a), majority));
    }
  }
  for (int i = 0; i < 8; i++) state[i] = _mm512_mask_add_epi64(state[i], active, state[i], s[i]);
}
