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

// What both formulas end in: X = E F, Y = G H, Z = F G, T = E H.
struct Ending {
  Fe e, f, g, h;
};

// WITH_T: whether the result's T is wanted, which only an addition reads.
template <bool WITH_T>
CAIRN_INLINE void finish(Point &p, const Ending &end) {
  p.x = fe_mul(end.e, end.f);
  p.y = fe_mul(end.g, end.h);
  p.z = fe_mul(end.f, end.g);
  if (WITH_T) p.t = fe_mul(end.e, end.h);
}

template <bool WITH_T>
static __attribute__((noinline)) void point_double(Point &p) {
  const Wide xx = wide_square(p.x), yy = wide_square(p.y), zz = wide_square(p.z);
  const Wide sum_squared = wide_square(fe_add(p.x, p.y));
  const Wide h = wide_add(xx, yy), g = wide_sub(xx, yy);
  const Ending end = {fe_narrow(wide_sub(h, sum_squared)), fe_narrow(wide_add(wide_add(zz, zz), g)), fe_narrow(g), fe_narrow(h)};
  finish<WITH_T>(p, end);
}

// From A, B, C, D of the paper.
template <bool WITH_T>
CAIRN_INLINE void finish_addition(Point &p, const Wide &a, const Wide &b, const Wide &c, const Wide &d) {
  const Ending end = {fe_narrow(wide_sub(b, a)), fe_narrow(wide_sub(d, c)), fe_narrow(wide_add(d, c)), fe_narrow(wide_add(b, a))};
  finish<WITH_T>(p, end);
}

template <bool WITH_T>
static __attribute__((noinline)) void point_add(Point &p, const Cached &q) {
  const Wide a = wide_mul(fe_sub(p.y, p.x), q.minus), b = wide_mul(fe_add(p.y, p.x), q.plus);
  finish_addition<WITH_T>(p, a, b, wide_mul(p.t, q.t2d), wide_mul(p.z, q.z2));
}

// A summand with Z = 1, prepared: y + x, y - x, 2dxy.
struct Affine {
  Fe plus, minus, t2d;
};

template <bool WITH_T>
static __attribute__((noinline)) void point_add_affine(Point &p, const Affine &q) {
  const Wide a = wide_mul(fe_sub(p.y, p.x), q.minus), b = wide_mul(fe_add(p.y, p.x), q.plus);
  Wide d;
  EACH_LIMB d.limb[i] = twice(p.z.limb[i]);
  finish_addition<WITH_T>(p, a, b, wide_mul(p.t, q.t2d), d);
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
  Fes<1> power = {{fe_small(2)}}, eleven;
  fes_power_250(power, eleven);
  curve.root_of_minus_one = fe_mul(fe_square_times(power.of[0], 3), fe_small(8));
  return curve;
}

// Decodes canonical points, N groups of eight, whose square roots are taken side by side; on_curve gets the lanes that are on the curve.
// Source: RFC 8032, 5.1.3.
template <int N>
static void points_decode(const Curve &curve, const __m512i (&words)[N][4], Point (&p)[N], __mmask8 (&on_curve)[N]) {
  const Fe one = fe_small(1);
  Fes<N> u, v, uv3, power;
  for (int g = 0; g < N; g++) {
    p[g].y = fe_from_words(words[g]);
    p[g].z = one;
    const Fe yy = fe_square(p[g].y), v1 = fe_add(fe_mul(curve.d, yy), one), v3 = fe_mul(fe_square(v1), v1);
    u.of[g] = fe_sub(yy, one);
    v.of[g] = v1;
    uv3.of[g] = fe_mul(u.of[g], v3);
    power.of[g] = fe_mul(uv3.of[g], fe_square(fe_square(v1)));  // u v^7
  }
  fes_power_p58(power);
  for (int g = 0; g < N; g++) {
    Fe x = fe_mul(uv3.of[g], power.of[g]);
    const Fe vxx = fe_mul(v.of[g], fe_square(x));
    const __mmask8 root = fe_equal(vxx, u.of[g]), root_of_negative = fe_equal(vxx, fe_negate(u.of[g]));
    x = fe_blend(root_of_negative, x, fe_mul(x, curve.root_of_minus_one));
    const __mmask8 odd = _mm512_test_epi64_mask(fe_canonical(x).limb[0], splat(1));
    const __mmask8 wanted_odd = _mm512_test_epi64_mask(words[g][3], splat(1ull << 63));
    p[g].x = fe_blend(odd ^ wanted_odd, x, fe_negate(x));
    p[g].t = fe_mul(p[g].x, p[g].y);
    on_curve[g] = root | root_of_negative;
  }
}

// Signed digits of eight scalars, one a lane, from words to which a constant with the digits' sign bits was added (ed25519_scalar.h): a digit
// is BITS bits of the sum, less half of their range.
struct LaneScalars {
  alignas(64) uint64_t words[4][8];
};

template <int BITS>
CAIRN_INLINE __m512i lane_digits(const LaneScalars &scalars, int at) {
  constexpr int PER_WORD = 64 / BITS;
  const __m512i word = _mm512_load_si512(scalars.words[at / PER_WORD]);
  const __m512i bits = _mm512_srl_epi64(word, _mm_cvtsi32_si128(BITS * (at % PER_WORD)));
  return _mm512_sub_epi64(_mm512_and_si512(bits, splat((1ull << BITS) - 1)), splat(1ull << (BITS - 1)));
}

// Rows of eight lanes in a table: lane l reads the row `offsets[l]` words from its start.
struct Picked {
  alignas(64) uint64_t offsets[8];
  __mmask8 negative;
};

CAIRN_INLINE Picked pick_rows(__m512i digits, __m512i entry_words, __m512i lane_words) {
  Picked picked;
  picked.negative = _mm512_movepi64_mask(digits);
  const __m512i offsets = _mm512_add_epi64(_mm512_mullo_epi64(_mm512_abs_epi64(digits), entry_words), lane_words);
  _mm512_store_si512(picked.offsets, offsets);
  return picked;
}

// Words from .. from + 3 of eight rows as four columns: rows are loaded by halves and in such an order that two shuffles a column do.
CAIRN_INLINE void four_columns(const uint64_t *table, const Picked &picked, int from, __m512i *columns) {
  static constexpr int LANES[4][2] = {{0, 2}, {1, 3}, {4, 6}, {5, 7}};
  __m512i rows[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    const uint64_t *const low = table + picked.offsets[LANES[j][0]] + from, *const high = table + picked.offsets[LANES[j][1]] + from;
    const __m512i half = _mm512_castsi256_si512(_mm256_load_si256(reinterpret_cast<const __m256i *>(low)));
    rows[j] = _mm512_inserti64x4(half, _mm256_load_si256(reinterpret_cast<const __m256i *>(high)), 1);
  }
  const __m512i even_01 = _mm512_unpacklo_epi64(rows[0], rows[1]), odd_01 = _mm512_unpackhi_epi64(rows[0], rows[1]);
  const __m512i even_45 = _mm512_unpacklo_epi64(rows[2], rows[3]), odd_45 = _mm512_unpackhi_epi64(rows[2], rows[3]);
  columns[0] = _mm512_shuffle_i64x2(even_01, even_45, 0x88);
  columns[1] = _mm512_shuffle_i64x2(odd_01, odd_45, 0x88);
  columns[2] = _mm512_shuffle_i64x2(even_01, even_45, 0xdd);
  columns[3] = _mm512_shuffle_i64x2(odd_01, odd_45, 0xdd);
}

// Multiples 0 .. 8 of a point that differs by lane. A lane's entry is one row of 24 words (20 used), so that picking a different
// entry in each lane is loads of rows and transposes, which is cheaper than gathering.
struct LaneTable {
  static constexpr int ENTRIES = 9, ROW_WORDS = 24;
  alignas(64) uint64_t rows[ENTRIES][8][ROW_WORDS];

  void put(int entry, const Cached &c) {
    __m512i words[ROW_WORDS];
    const Fe *const parts[4] = {&c.plus, &c.minus, &c.z2, &c.t2d};
    for (int part = 0; part < 4; part++) EACH_LIMB words[5 * part + i] = parts[part]->limb[i];
    for (int w = 20; w < ROW_WORDS; w++) words[w] = _mm512_setzero_si512();
    for (int block = 0; block < 3; block++) {
      __m512i rows8[8];
      for (int j = 0; j < 8; j++) rows8[j] = words[8 * block + j];
      transpose8(rows8);
      for (int l = 0; l < 8; l++) _mm512_store_si512(&rows[entry][l][8 * block], rows8[l]);
    }
  }
};

// Swaps plus and minus and negates t2d in the lanes of `negative`. 2p - t needs no carry: its limbs are below 2^52.
CAIRN_INLINE void negate_lanes(__mmask8 negative, const __m512i *words, const __m512i *t, Fe &plus, Fe &minus, Fe &t2d) {
  EACH_LIMB {
    plus.limb[i] = _mm512_mask_blend_epi64(negative, words[i], words[5 + i]);
    minus.limb[i] = _mm512_mask_blend_epi64(negative, words[5 + i], words[i]);
    t2d.limb[i] = _mm512_mask_sub_epi64(t[i], negative, twice_p(i), t[i]);
  }
}

// Entry |digit| of each lane, negated where the digit is negative.
CAIRN_INLINE void table_pick(const LaneTable &table, __m512i digits, Cached &c) {
  constexpr long long ROW = LaneTable::ROW_WORDS;
  const __m512i lanes = _mm512_set_epi64(7 * ROW, 6 * ROW, 5 * ROW, 4 * ROW, 3 * ROW, 2 * ROW, ROW, 0);
  const Picked picked = pick_rows(digits, splat(8 * ROW), lanes);
  __m512i words[20];
#pragma GCC unroll 5
  for (int part = 0; part < 5; part++) four_columns(&table.rows[0][0][0], picked, 4 * part, words + 4 * part);
  negate_lanes(picked.negative, words, words + 15, c.plus, c.minus, c.t2d);
  EACH_LIMB c.z2.limb[i] = words[10 + i];
}

static void table_fill(const Curve &curve, const Point &p, LaneTable &table) {
  const Cached identity = {fe_small(1), fe_small(1), fe_small(2), fe_small(0)}, one = cached_of(curve, p);
  table.put(0, identity);
  table.put(1, one);
  Point multiple = p;
  for (int entry = 2; entry < LaneTable::ENTRIES; entry++) {
    point_add<true>(multiple, one);
    table.put(entry, cached_of(curve, multiple));
  }
}

// Multiples 0 .. 128 of the base point, affine and the same for all lanes: y + x, y - x, 2dxy, rows of 16 words (15 used).
struct BaseTable {
  static constexpr int ENTRIES = 129, ROW_WORDS = 16;
  alignas(64) uint64_t rows[ENTRIES][ROW_WORDS];

  void put(int entry, const Fe &plus, const Fe &minus, const Fe &t2d) {
    const Fe *const parts[3] = {&plus, &minus, &t2d};
    rows[entry][15] = 0;
    for (int part = 0; part < 3; part++)
      EACH_LIMB rows[entry][5 * part + i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(parts[part]->limb[i]));
  }
};

CAIRN_INLINE void base_pick(const BaseTable &table, __m512i digits, Affine &a) {
  const Picked picked = pick_rows(digits, splat(BaseTable::ROW_WORDS), _mm512_setzero_si512());
  __m512i words[16];
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++) four_columns(&table.rows[0][0], picked, 4 * part, words + 4 * part);
  negate_lanes(picked.negative, words, words + 10, a.plus, a.minus, a.t2d);
}

static void base_fill(const Curve &curve, BaseTable &table) {
  // y = 4/5 with even x.
  __m512i words[1][4];
  fe_to_words(fe_canonical(fe_mul(fe_small(4), fe_invert(fe_small(5)))), words[0]);
  Point base[1];
  __mmask8 on_curve[1];
  points_decode(curve, words, base, on_curve);
  const Cached one = cached_of(curve, base[0]);
  table.put(0, fe_small(1), fe_small(1), fe_small(0));
  Point multiple = base[0];
  for (int entry = 1; entry < BaseTable::ENTRIES; entry++) {
    const Fe inverse = fe_invert(multiple.z), x = fe_mul(multiple.x, inverse), y = fe_mul(multiple.y, inverse);
    table.put(entry, fe_add(y, x), fe_sub(y, x), fe_mul(fe_mul(x, y), curve.d2));
    point_add<true>(multiple, one);
  }
}
