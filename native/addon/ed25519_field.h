// Arithmetic modulo p = 2^255 - 19, eight independent elements side by side, one to a 64-bit lane.
//
// An element is five limbs of 51 bits. The 52-bit multiplier reads only the low 52 bits of a limb, so every element that is
// multiplied must be *loose*: each limb below 2^51 + 2^16; one factor may have limbs up to 2^52. A *wide* element is a product before its
// carries: limbs below 2^59.5. Sums and differences of a few wide ones are carried once, which is cheaper than carrying each product.
//   wide_mul, wide_square: limb 0 is the largest: one low half (below 2^52), and 19 times four low halves and five high ones counted twice (each
//                below 2^50 + 2^17; below 2^51 + 2^17 with the larger factor): 125 * 2^52, or 172 * 2^52.
//   wide_sub:    adds 2^9 p first, whose limbs exceed a wide limb: below 2^59.5 + 2^60.
//   fe_carry:    takes limbs below 2^62 and leaves them below 2^51 + 19 * 2^11, which is loose.
//   fe_add, fe_sub: of loose elements, carried. fe_sub adds 2p first, whose limbs exceed a loose limb.
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

// One pass of carries, the top one times 19 into the lowest limb. Limbs below 2^62.
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

// A product before its carries.
struct Wide {
  __m512i limb[5];
};

CAIRN_INLINE __m512i plus(__m512i x, __m512i y) { return _mm512_add_epi64(x, y); }
CAIRN_INLINE __m512i twice(__m512i x) { return _mm512_add_epi64(x, x); }
CAIRN_INLINE __m512i add_low(__m512i sum, __m512i x, __m512i y) { return _mm512_madd52lo_epu64(sum, x, y); }
CAIRN_INLINE __m512i add_high(__m512i sum, __m512i x, __m512i y) { return _mm512_madd52hi_epu64(sum, x, y); }

// 19 in every lane, of which the compiler does not know that it is 19: it would make shifts and additions of the multiplication, which is
// a seventh slower.
CAIRN_INLINE __m512i nineteen() {
  __m512i x = splat(19);
  __asm__("" : "+v"(x));
  return x;
}

// Ten columns of weight 2^(51 k) to an element.
CAIRN_INLINE Wide wide_fold(const __m512i (&column)[10]) {
  Wide r;
  const __m512i factor = nineteen();
  EACH_LIMB r.limb[i] = plus(column[i], _mm512_mullo_epi64(column[i + 5], factor));
  return r;
}

// The high halves of products have weight 2^52 = 2 * 2^51, so they count twice in the next column: they are summed first, doubled, and the low
// halves added on top. In row order neighbours are independent, so the chains of one column do not stall.
CAIRN_INLINE Wide wide_mul(const Fe &a, const Fe &b) {
  __m512i c[10];
#pragma GCC unroll 10
  for (int k = 0; k < 10; k++) c[k] = _mm512_setzero_si512();
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++)
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) c[i + j + 1] = add_high(c[i + j + 1], a.limb[i], b.limb[j]);
#pragma GCC unroll 9
  for (int k = 1; k < 10; k++) c[k] = twice(c[k]);
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++)
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) c[i + j] = add_low(c[i + j], a.limb[i], b.limb[j]);
  return wide_fold(c);
}

// Products of different limbs are added once and counted twice: column = a_i a_i low + 2 (cross low + a_i a_i high + 2 cross high).
CAIRN_INLINE Wide wide_square(const Fe &x) {
  const __m512i(&a)[5] = x.limb;
  __m512i c[10];
#pragma GCC unroll 10
  for (int k = 0; k < 10; k++) c[k] = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int gap = 4; gap > 0; gap--)
#pragma GCC unroll 4
    for (int i = 0; i + gap < 5; i++) c[2 * i + gap + 1] = add_high(c[2 * i + gap + 1], a[i], a[i + gap]);
#pragma GCC unroll 7
  for (int k = 2; k < 9; k++) c[k] = twice(c[k]);
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) c[2 * i + 1] = add_high(c[2 * i + 1], a[i], a[i]);
#pragma GCC unroll 4
  for (int gap = 4; gap > 0; gap--)
#pragma GCC unroll 4
    for (int i = 0; i + gap < 5; i++) c[2 * i + gap] = add_low(c[2 * i + gap], a[i], a[i + gap]);
#pragma GCC unroll 9
  for (int k = 1; k < 10; k++) c[k] = twice(c[k]);
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) c[2 * i] = add_low(c[2 * i], a[i], a[i]);
  return wide_fold(c);
}

CAIRN_INLINE Wide wide_add(const Wide &a, const Wide &b) {
  Wide r;
  EACH_LIMB r.limb[i] = plus(a.limb[i], b.limb[i]);
  return r;
}

// 2^9 p, limb by limb.
CAIRN_INLINE __m512i bias(int i) { return splat((i == 0 ? (1ull << 51) - 19 : (1ull << 51) - 1) << 9); }

CAIRN_INLINE Wide wide_sub(const Wide &a, const Wide &b) {
  Wide r;
  EACH_LIMB r.limb[i] = _mm512_sub_epi64(plus(a.limb[i], bias(i)), b.limb[i]);
  return r;
}

CAIRN_INLINE Fe fe_narrow(const Wide &x) {
  Fe r;
  EACH_LIMB r.limb[i] = x.limb[i];
  return fe_carry(r);
}

CAIRN_INLINE Fe fe_mul(const Fe &a, const Fe &b) { return fe_narrow(wide_mul(a, b)); }
CAIRN_INLINE Fe fe_square(const Fe &a) { return fe_narrow(wide_square(a)); }

CAIRN_INLINE Fe fe_square_times(Fe x, int count) {
  for (int n = 0; n < count; n++) x = fe_square(x);
  return x;
}

// N independent powers at a time: a squaring waits for the one before it, and the others fill the gap.
template <int N>
struct Fes {
  Fe of[N];
};

// x = x^(2^times) * y.
template <int N>
static __attribute__((noinline)) void fes_square_mul(Fes<N> &x, int times, const Fes<N> &y) {
  for (int n = 0; n < times; n++)
#pragma GCC unroll 1
    for (int g = 0; g < N; g++) x.of[g] = fe_square(x.of[g]);
#pragma GCC unroll 1
  for (int g = 0; g < N; g++) x.of[g] = fe_mul(x.of[g], y.of[g]);
}

// x^(2^250 - 1) in place, and x^11 on the way.
template <int N>
static void fes_power_250(Fes<N> &x, Fes<N> &eleven) {
  Fes<N> x9 = x, p5, p10, p20, p50, p100;
  for (int g = 0; g < N; g++) {
    const Fe x2 = fe_square(x.of[g]);
    x9.of[g] = fe_mul(fe_square_times(x2, 2), x.of[g]);
    eleven.of[g] = fe_mul(x9.of[g], x2);
  }
  x = eleven;
  fes_square_mul(x, 1, x9);  // 2^5 - 1
  p5 = x;
  fes_square_mul(x, 5, p5);
  p10 = x;
  fes_square_mul(x, 10, p10);
  p20 = x;
  fes_square_mul(x, 20, p20);  // 2^40 - 1
  fes_square_mul(x, 10, p10);
  p50 = x;
  fes_square_mul(x, 50, p50);
  p100 = x;
  fes_square_mul(x, 100, p100);  // 2^200 - 1
  fes_square_mul(x, 50, p50);
}

// x^(p - 2) = 1 / x; 0 for 0.
static inline Fe fe_invert(const Fe &x) {
  Fes<1> power = {{x}}, eleven;
  fes_power_250(power, eleven);
  return fe_mul(fe_square_times(power.of[0], 5), eleven.of[0]);
}

// x^((p - 5) / 8), each.
template <int N>
static void fes_power_p58(Fes<N> &x) {
  const Fes<N> first = x;
  Fes<N> eleven;
  fes_power_250(x, eleven);
  fes_square_mul(x, 2, first);
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
