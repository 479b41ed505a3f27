// Points of edwards25519, -x^2 + y^2 = 1 + d x^2 y^2, eight at a time, and tables to pick a different multiple in each lane.
//
// Extended coordinates (X : Y : Z : T), x = X/Z, y = Y/Z, xy = T/Z. The formulas are complete: no special cases, also for torsion
// points and equal summands. Included inside CAIRN_TARGET_BEGIN.
// Source: Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited" (2008), sections 3.1 and 3.3; RFC 8032, 5.1.

struct Point {
  Fe x, y, z, t;
};

// A summand, prepared: Y + X, Y - X, 2Z, 2dT.
struct Cached {
  Fe plus, minus, z2, t2d;
};

// Constants of the curve, computed when first needed.
struct Curve {
  Fe d, d2, root_of_minus_one;
};

// WITH_T: whether the result's T is wanted, which only an addition reads.
template <bool WITH_T>
static __attribute__((noinline)) void point_double(Point &p) {
  const Fe xx = fe_square(p.x), yy = fe_square(p.y), zz = fe_square(p.z);
  const Fe sum_squared = fe_square(fe_add(p.x, p.y));
  const Fe h = fe_add(xx, yy), g = fe_sub(xx, yy);
  const Fe e = fe_sub(h, sum_squared);
  Fe f;
  EACH_LIMB f.limb[i] = _mm512_add_epi64(twice(zz.limb[i]), g.limb[i]);
  f = fe_carry(f);
  p.x = fe_mul(e, f);
  p.y = fe_mul(g, h);
  p.z = fe_mul(f, g);
  if (WITH_T) p.t = fe_mul(e, h);
}

// The common end of additions: from A, B, C, D of the paper.
template <bool WITH_T>
CAIRN_INLINE void finish_addition(Point &p, const Fe &a, const Fe &b, const Fe &c, const Fe &d) {
  const Fe e = fe_sub(b, a), f = fe_sub(d, c), g = fe_add(d, c), h = fe_add(b, a);
  p.x = fe_mul(e, f);
  p.y = fe_mul(g, h);
  p.z = fe_mul(f, g);
  if (WITH_T) p.t = fe_mul(e, h);
}

template <bool WITH_T>
static __attribute__((noinline)) void point_add(Point &p, const Cached &q) {
  const Fe a = fe_mul(fe_sub(p.y, p.x), q.minus), b = fe_mul(fe_add(p.y, p.x), q.plus);
  finish_addition<WITH_T>(p, a, b, fe_mul(p.t, q.t2d), fe_mul(p.z, q.z2));
}

// As point_add, for a summand with Z = 1.
template <bool WITH_T>
static __attribute__((noinline)) void point_add_affine(Point &p, const Fe &plus, const Fe &minus, const Fe &t2d) {
  const Fe a = fe_mul(fe_sub(p.y, p.x), minus), b = fe_mul(fe_add(p.y, p.x), plus);
  finish_addition<WITH_T>(p, a, b, fe_mul(p.t, t2d), fe_add(p.z, p.z));
}

CAIRN_INLINE Point point_identity() { return {fe_small(0), fe_small(1), fe_small(1), fe_small(0)}; }

CAIRN_INLINE Cached cached_of(const Curve &curve, const Point &p) {
  return {fe_add(p.y, p.x), fe_sub(p.y, p.x), fe_add(p.z, p.z), fe_mul(p.t, curve.d2)};
}

static Curve make_curve() {
  Curve curve;
  curve.d = fe_negate(fe_mul(fe_small(121665), fe_invert(fe_small(121666))));
  curve.d2 = fe_add(curve.d, curve.d);
  // 2 is no square, so 2^((p - 1) / 4) is a root of -1; (p - 1) / 4 = 8 (2^250 - 1) + 3.
  Fe eleven;
  const Fe two = fe_small(2), power = fe_power_250(two, &eleven);
  curve.root_of_minus_one = fe_mul(fe_square_times(power, 3), fe_small(8));
  return curve;
}

// Decodes canonical points; returns the lanes that are on the curve. Source: RFC 8032, 5.1.3.
static __attribute__((noinline)) __mmask8 point_decode(const Curve &curve, const __m512i (&words)[4], Point &p) {
  const Fe one = fe_small(1);
  p.y = fe_from_words(words);
  p.z = one;
  const Fe yy = fe_square(p.y), u = fe_sub(yy, one), v = fe_add(fe_mul(curve.d, yy), one);
  const Fe v3 = fe_mul(fe_square(v), v), uv7 = fe_mul(fe_mul(fe_square(v3), v), u);
  Fe x = fe_mul(fe_mul(u, v3), fe_power_p58(uv7));
  const Fe vxx = fe_mul(v, fe_square(x));
  const __mmask8 root = fe_equal(vxx, u), root_of_negative = fe_equal(vxx, fe_negate(u));
  x = fe_blend(root_of_negative, x, fe_mul(x, curve.root_of_minus_one));
  const __mmask8 odd = _mm512_test_epi64_mask(fe_canonical(x).limb[0], splat(1));
  const __mmask8 wanted_odd = _mm512_test_epi64_mask(words[3], splat(1ull << 63));
  p.x = fe_blend(odd ^ wanted_odd, x, fe_negate(x));
  p.t = fe_mul(p.x, p.y);
  return root | root_of_negative;
}

// Multiples 0 .. 8 of a point that differs by lane. A lane's entry is one row of 24 words (20 used), so that picking a different
// entry in each lane is three row loads a lane and three transposes, which is cheaper than gathering.
struct LaneTable {
  alignas(64) uint64_t rows[9][8][24];

  void put(int entry, const Cached &c) {
    __m512i words[24];
    const Fe *const parts[4] = {&c.plus, &c.minus, &c.z2, &c.t2d};
    for (int part = 0; part < 4; part++) EACH_LIMB words[5 * part + i] = parts[part]->limb[i];
    for (int w = 20; w < 24; w++) words[w] = _mm512_setzero_si512();
    for (int block = 0; block < 3; block++) {
      __m512i rows8[8];
      for (int j = 0; j < 8; j++) rows8[j] = words[8 * block + j];
      transpose8(rows8);
      for (int l = 0; l < 8; l++) _mm512_store_si512(&rows[entry][l][8 * block], rows8[l]);
    }
  }
};

// Entry |digit| of each lane, negated where the digit is negative.
CAIRN_INLINE Cached table_pick(const LaneTable &table, const int8_t (&digits)[8]) {
  __m512i words[24];
  __mmask8 negative = 0;
  const uint64_t *row[8];
  for (int l = 0; l < 8; l++) {
    const int digit = digits[l];
    row[l] = table.rows[digit < 0 ? -digit : digit][l];
    negative |= (__mmask8)((digit < 0) << l);
  }
#pragma GCC unroll 3
  for (int block = 0; block < 3; block++) {
    __m512i rows8[8];
    for (int l = 0; l < 8; l++) rows8[l] = _mm512_load_si512(row[l] + 8 * block);
    transpose8(rows8);
    for (int j = 0; j < 8; j++) words[8 * block + j] = rows8[j];
  }
  Cached c;
  EACH_LIMB {
    c.plus.limb[i] = _mm512_mask_blend_epi64(negative, words[i], words[5 + i]);
    c.minus.limb[i] = _mm512_mask_blend_epi64(negative, words[5 + i], words[i]);
    c.z2.limb[i] = words[10 + i];
    // 2p - t needs no carry: its limbs are below 2^52.
    c.t2d.limb[i] = _mm512_mask_sub_epi64(words[15 + i], negative, twice_p(i), words[15 + i]);
  }
  return c;
}

static void table_fill(const Curve &curve, const Point &p, LaneTable &table) {
  Cached identity = {fe_small(1), fe_small(1), fe_small(2), fe_small(0)};
  const Cached one = cached_of(curve, p);
  table.put(0, identity);
  table.put(1, one);
  Point multiple = p;
  for (int entry = 2; entry <= 8; entry++) {
    point_add<true>(multiple, one);
    table.put(entry, cached_of(curve, multiple));
  }
}

// Multiples 0 .. 128 of the base point, affine and the same for all lanes: y + x, y - x, 2dxy, rows of 16 words (15 used).
struct BaseTable {
  alignas(64) uint64_t rows[129][16];

  void put(int entry, const Fe &plus, const Fe &minus, const Fe &t2d) {
    const Fe *const parts[3] = {&plus, &minus, &t2d};
    rows[entry][15] = 0;
    for (int part = 0; part < 3; part++)
      EACH_LIMB rows[entry][5 * part + i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(parts[part]->limb[i]));
  }
};

CAIRN_INLINE void base_pick(const BaseTable &table, const int16_t (&digits)[8], Fe &plus, Fe &minus, Fe &t2d) {
  __m512i words[16];
  __mmask8 negative = 0;
  const uint64_t *row[8];
  for (int l = 0; l < 8; l++) {
    const int digit = digits[l];
    row[l] = table.rows[digit < 0 ? -digit : digit];
    negative |= (__mmask8)((digit < 0) << l);
  }
#pragma GCC unroll 2
  for (int block = 0; block < 2; block++) {
    __m512i rows8[8];
    for (int l = 0; l < 8; l++) rows8[l] = _mm512_load_si512(row[l] + 8 * block);
    transpose8(rows8);
    for (int j = 0; j < 8; j++) words[8 * block + j] = rows8[j];
  }
  EACH_LIMB {
    plus.limb[i] = _mm512_mask_blend_epi64(negative, words[i], words[5 + i]);
    minus.limb[i] = _mm512_mask_blend_epi64(negative, words[5 + i], words[i]);
    t2d.limb[i] = _mm512_mask_sub_epi64(words[10 + i], negative, twice_p(i), words[10 + i]);
  }
}

static void base_fill(const Curve &curve, BaseTable &table) {
  // y = 4/5 with even x.
  __m512i words[4];
  const Fe y = fe_canonical(fe_mul(fe_small(4), fe_invert(fe_small(5))));
  fe_to_words(y, words);
  Point base;
  point_decode(curve, words, base);
  const Cached one = cached_of(curve, base);
  table.put(0, fe_small(1), fe_small(1), fe_small(0));
  Point multiple = base;
  for (int entry = 1; entry <= 128; entry++) {
    const Fe inverse = fe_invert(multiple.z), x = fe_mul(multiple.x, inverse), affine_y = fe_mul(multiple.y, inverse);
    table.put(entry, fe_add(affine_y, x), fe_sub(affine_y, x), fe_mul(fe_mul(x, affine_y), curve.d2));
    point_add<true>(multiple, one);
  }
}
