// Arithmetic modulo p = 2^255 - 19, eight independent elements side by side, one to a 64-bit lane.
//
// An element is five limbs of 51 bits. The 52-bit multiplier reads only the low 52 bits of a limb, so every element that is
// multiplied must be *loose*: each limb below 2^51 + 2^16. Everything here returns loose elements and takes loose ones.
//   mul, square: column sums stay below 15 * 2^52; folding the upper five columns down by 19 stays below 2^61; one pass of carries
//                leaves limbs below 2^51 + 19 * 2^10 + 2^10.
//   add, sub:    below 2^53 before one pass of carries, so below 2^51 + 2^7 after it. sub adds 2p first, whose limbs exceed a loose limb.
// Included inside CAIRN_TARGET_BEGIN. Source: Gueron and Krasnov, "Software implementation of modular exponentiation, using advanced
// vector instructions" (the 52-bit method); the exponent chains are those of the curve25519 reference code.

struct Fe {
  __m512i limb[5];
};

#define EACH_LIMB _Pragma("GCC unroll 5") for (int i = 0; i < 5; i++)

CAIRN_INLINE __m512i splat(uint64_t x) { return _mm512_set1_epi64((long long)x); }
CAIRN_INLINE __m512i limb_mask() { return splat((1ull << 51) - 1); }

CAIRN_INLINE Fe fe_small(uint64_t x) {
  Fe r;
  r.limb[0] = splat(x);
  for (int i = 1; i < 5; i++) r.limb[i] = _mm512_setzero_si512();
  return r;
}

// One pass of carries, the top one times 19 into the lowest limb. Limbs below 2^63.
CAIRN_INLINE Fe fe_carry(const Fe &x) {
  Fe r;
  const __m512i mask = limb_mask();
  const __m512i top = _mm512_srli_epi64(x.limb[4], 51);
  r.limb[0] = _mm512_madd52lo_epu64(_mm512_and_si512(x.limb[0], mask), top, splat(19));
#pragma GCC unroll 4
  for (int i = 1; i < 5; i++) r.limb[i] = _mm512_add_epi64(_mm512_and_si512(x.limb[i], mask), _mm512_srli_epi64(x.limb[i - 1], 51));
  return r;
}

CAIRN_INLINE Fe fe_add(const Fe &a, const Fe &b) {
  Fe r;
  EACH_LIMB r.limb[i] = _mm512_add_epi64(a.limb[i], b.limb[i]);
  return fe_carry(r);
}

// 2p, limb by limb.
CAIRN_INLINE __m512i twice_p(int i) { return splat(i == 0 ? 2 * ((1ull << 51) - 19) : 2 * ((1ull << 51) - 1)); }

CAIRN_INLINE Fe fe_sub(const Fe &a, const Fe &b) {
  Fe r;
  EACH_LIMB r.limb[i] = _mm512_sub_epi64(_mm512_add_epi64(a.limb[i], twice_p(i)), b.limb[i]);
  return fe_carry(r);
}

CAIRN_INLINE Fe fe_negate(const Fe &a) {
  Fe r;
  EACH_LIMB r.limb[i] = _mm512_sub_epi64(twice_p(i), a.limb[i]);
  return fe_carry(r);
}

// Lanes of b where mask is set, of a elsewhere.
CAIRN_INLINE Fe fe_blend(__mmask8 mask, const Fe &a, const Fe &b) {
  Fe r;
  EACH_LIMB r.limb[i] = _mm512_mask_blend_epi64(mask, a.limb[i], b.limb[i]);
  return r;
}

// Ten columns of weight 2^(51 k) to an element.
CAIRN_INLINE Fe fe_fold(const __m512i (&column)[10]) {
  Fe r;
  EACH_LIMB r.limb[i] = _mm512_add_epi64(column[i], _mm512_mullo_epi64(column[i + 5], splat(19)));
  return fe_carry(r);
}

CAIRN_INLINE __m512i twice(__m512i x) { return _mm512_add_epi64(x, x); }

// The high halves of products have weight 2^52 = 2 * 2^51, so they count twice in the next column.
CAIRN_INLINE Fe fe_mul(const Fe &a, const Fe &b) {
  __m512i low[10], high[10], column[10];
#pragma GCC unroll 10
  for (int k = 0; k < 10; k++) low[k] = high[k] = _mm512_setzero_si512();
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++)
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) {
      low[i + j] = _mm512_madd52lo_epu64(low[i + j], a.limb[i], b.limb[j]);
      high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], a.limb[i], b.limb[j]);
    }
#pragma GCC unroll 10
  for (int k = 0; k < 10; k++) column[k] = _mm512_add_epi64(low[k], twice(high[k]));
  return fe_fold(column);
}

CAIRN_INLINE Fe fe_square(const Fe &a) {
  // Products of different limbs are added once and counted twice.
  __m512i same_low[10], same_high[10], cross_low[10], cross_high[10], column[10];
#pragma GCC unroll 10
  for (int k = 0; k < 10; k++) same_low[k] = same_high[k] = cross_low[k] = cross_high[k] = _mm512_setzero_si512();
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) {
    same_low[2 * i] = _mm512_madd52lo_epu64(same_low[2 * i], a.limb[i], a.limb[i]);
    same_high[2 * i + 1] = _mm512_madd52hi_epu64(same_high[2 * i + 1], a.limb[i], a.limb[i]);
#pragma GCC unroll 5
    for (int j = i + 1; j < 5; j++) {
      cross_low[i + j] = _mm512_madd52lo_epu64(cross_low[i + j], a.limb[i], a.limb[j]);
      cross_high[i + j + 1] = _mm512_madd52hi_epu64(cross_high[i + j + 1], a.limb[i], a.limb[j]);
    }
  }
#pragma GCC unroll 10
  for (int k = 0; k < 10; k++) {
    const __m512i doubled = _mm512_add_epi64(_mm512_add_epi64(cross_low[k], same_high[k]), twice(cross_high[k]));
    column[k] = _mm512_add_epi64(same_low[k], twice(doubled));
  }
  return fe_fold(column);
}

CAIRN_INLINE Fe fe_square_times(Fe x, int count) {
  for (int n = 0; n < count; n++) x = fe_square(x);
  return x;
}

// x^(2^250 - 1), and x^11 on the way.
static __attribute__((noinline)) Fe fe_power_250(const Fe &x, Fe *eleven) {
  const Fe x2 = fe_square(x), x9 = fe_mul(fe_square_times(x2, 2), x), x11 = fe_mul(x9, x2);
  const Fe p5 = fe_mul(fe_square(x11), x9);  // 2^5 - 1
  const Fe p10 = fe_mul(fe_square_times(p5, 5), p5), p20 = fe_mul(fe_square_times(p10, 10), p10);
  const Fe p40 = fe_mul(fe_square_times(p20, 20), p20), p50 = fe_mul(fe_square_times(p40, 10), p10);
  const Fe p100 = fe_mul(fe_square_times(p50, 50), p50), p200 = fe_mul(fe_square_times(p100, 100), p100);
  *eleven = x11;
  return fe_mul(fe_square_times(p200, 50), p50);
}

// x^(p - 2) = 1 / x; 0 for 0.
static inline Fe fe_invert(const Fe &x) {
  Fe eleven;
  const Fe power = fe_power_250(x, &eleven);
  return fe_mul(fe_square_times(power, 5), eleven);
}

// x^((p - 5) / 8).
static inline Fe fe_power_p58(const Fe &x) {
  Fe eleven;
  const Fe power = fe_power_250(x, &eleven);
  return fe_mul(fe_square_times(power, 2), x);
}

// The one representative below p.
CAIRN_INLINE Fe fe_canonical(const Fe &x) {
  Fe r = fe_carry(fe_carry(x));
  const __m512i mask = limb_mask();
  // q = 1 exactly when r >= p: the carry out of r + 19.
  __m512i q = _mm512_srli_epi64(_mm512_add_epi64(r.limb[0], splat(19)), 51);
#pragma GCC unroll 4
  for (int i = 1; i < 5; i++) q = _mm512_srli_epi64(_mm512_add_epi64(r.limb[i], q), 51);
  r.limb[0] = _mm512_madd52lo_epu64(r.limb[0], q, splat(19));
#pragma GCC unroll 4
  for (int i = 1; i < 5; i++) {
    r.limb[i] = _mm512_add_epi64(r.limb[i], _mm512_srli_epi64(r.limb[i - 1], 51));
    r.limb[i - 1] = _mm512_and_si512(r.limb[i - 1], mask);
  }
  r.limb[4] = _mm512_and_si512(r.limb[4], mask);
  return r;
}

// Lanes in which a = b.
CAIRN_INLINE __mmask8 fe_equal(const Fe &a, const Fe &b) {
  const Fe x = fe_canonical(a), y = fe_canonical(b);
  __mmask8 equal = 0xff;
  EACH_LIMB equal = _mm512_mask_cmpeq_epi64_mask(equal, x.limb[i], y.limb[i]);
  return equal;
}

// Four little-endian 64-bit words of each lane; bit 255 is ignored.
CAIRN_INLINE Fe fe_from_words(const __m512i (&w)[4]) {
  Fe r;
  const __m512i mask = limb_mask();
  r.limb[0] = _mm512_and_si512(w[0], mask);
  r.limb[1] = _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[0], 51), _mm512_slli_epi64(w[1], 13)), mask);
  r.limb[2] = _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[1], 38), _mm512_slli_epi64(w[2], 26)), mask);
  r.limb[3] = _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[2], 25), _mm512_slli_epi64(w[3], 39)), mask);
  r.limb[4] = _mm512_and_si512(_mm512_srli_epi64(w[3], 12), mask);
  return r;
}

// The words of a canonical element.
CAIRN_INLINE void fe_to_words(const Fe &x, __m512i (&w)[4]) {
  w[0] = _mm512_or_si512(x.limb[0], _mm512_slli_epi64(x.limb[1], 51));
  w[1] = _mm512_or_si512(_mm512_srli_epi64(x.limb[1], 13), _mm512_slli_epi64(x.limb[2], 38));
  w[2] = _mm512_or_si512(_mm512_srli_epi64(x.limb[2], 26), _mm512_slli_epi64(x.limb[3], 25));
  w[3] = _mm512_or_si512(_mm512_srli_epi64(x.limb[3], 39), _mm512_slli_epi64(x.limb[4], 12));
}
