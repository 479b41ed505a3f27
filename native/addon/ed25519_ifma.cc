// Ed25519 verification, eight signatures at a time, each on its own equation, so that verdicts are exact wherever bad ones lie.
//
// For each lane: byte checks; k = SHA-512(R || A || M) mod L; R' = [S]B + [k](-A) with shared doublings; accept when the encoding of R'
// is R's bytes. No random combination. Not constant time: everything here is public.
// Source: RFC 8032, 5.1.7; our rule in native/ed25519-rule.ts.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "ed25519_scalar.h"
#include "sha512_constants.h"
#include "target.h"

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq,avx512ifma,bmi2")

namespace {

#include "lanes.h"
#include "ed25519_field.h"
#include "ed25519_point.h"
#include "sha512_rounds.h"
#include "sha512_lanes.h"

struct Constants {
  Curve curve;
  BaseTable base;
  Constants() : curve(make_curve()) { base_fill(curve, base); }
};

const Constants &constants() {
  static const Constants made;
  return made;
}

// One signature of a batch.
struct Item {
  const uint8_t *key, *signature, *message;
  size_t message_size;
};

constexpr int K_BITS = 4, S_BITS = 8;

// What [S]B + [k](-A) is made of, for eight signatures.
struct Factors {
  LaneScalars k, s;
  LaneTable multiples;  // of -A
};

// SHA-512(R || A || M), as little-endian words.
void hash_challenges(const Item (&items)[8], uint64_t (&hashes)[8][8]) {
  ChallengeMessage messages[8];
  for (int l = 0; l < 8; l++) messages[l] = {items[l].signature, items[l].key, items[l].message, items[l].message_size};
  sha512_challenges(messages, hashes);
}

void set_scalars(const Item (&items)[8], Factors &factors) {
  using namespace ed25519_scalar;
  uint64_t hashes[8][8];
  hash_challenges(items, hashes);
  for (int l = 0; l < 8; l++) {
    const Words4 k = add_to_each_word(reduce(hashes[l]), digit_signs<K_BITS>());
    const Words4 s = add_to_each_word(load(items[l].signature + 32), digit_signs<S_BITS>());
    for (int i = 0; i < 4; i++) {
      factors.k.words[i][l] = k.word[i];
      factors.s.words[i][l] = s.word[i];
    }
  }
}

// [S]B + [k](-A): four doublings a digit of k, eight a digit of S.
void double_multiply(const BaseTable &base, const Factors &factors, Point &sum) {
  sum = point_identity();
  for (int i = 63; i >= 0; i--) {
    if (i < 63) {
      point_double<false>(sum);
      point_double<false>(sum);
      point_double<false>(sum);
      point_double<true>(sum);
    }
    Cached multiple;
    table_pick(factors.multiples, lane_digits<K_BITS>(factors.k, i), multiple);
    if (i % 2 != 0) {
      point_add<false>(sum, multiple);
      continue;
    }
    point_add<true>(sum, multiple);
    Affine of_base;
    base_pick(base, lane_digits<S_BITS>(factors.s, i / 2), of_base);
    point_add_affine<false>(sum, of_base);
  }
}

// Groups of eight whose points share one inversion (Montgomery's trick), which costs as much as 10 % of a verification.
constexpr int GROUPS = 8;
// Groups whose keys are decoded side by side.
constexpr int DECODED = 4;

// Eight signatures that passed the byte checks, and what is known of them.
struct Group {
  Item items[8];
  size_t indexes[8];
  int used;  // lanes from here on repeat the first
  __mmask8 on_curve;
  Point minus_a;
  Point sum;  // [S]B + [k](-A)
};

template <int N>
void decode_keys(const Curve &curve, Group *groups) {
  __m512i words[N][4];
  Point keys[N];
  __mmask8 on_curve[N];
  for (int g = 0; g < N; g++) {
    const uint8_t *at[8];
    for (int l = 0; l < 8; l++) at[l] = groups[g].items[l].key;
    load_words(at, words[g]);
  }
  points_decode(curve, words, keys, on_curve);
  // A key off the curve becomes the identity: only on the curve are the formulas complete, and a Z of 0 made by a hostile key would
  // spoil the shared inversion for the honest signatures in the same lane.
  const Point identity = point_identity();
  for (int g = 0; g < N; g++) {
    Point &minus_a = groups[g].minus_a;
    minus_a.x = fe_blend(on_curve[g], identity.x, fe_negate(keys[g].x));
    minus_a.y = fe_blend(on_curve[g], identity.y, keys[g].y);
    minus_a.z = identity.z;
    minus_a.t = fe_blend(on_curve[g], identity.t, fe_negate(keys[g].t));
    groups[g].on_curve = on_curve[g];
  }
}

void compute(const Constants &shared, Group &group) {
  Factors factors;
  set_scalars(group.items, factors);
  table_fill(shared.curve, group.minus_a, factors.multiples);
  double_multiply(shared.base, factors, group.sum);
}

// Lanes in which the group's point is encoded by R's bytes, given 1 / Z.
__mmask8 encodes_r(const Group &group, const Fe &inverse) {
  const Fe x = fe_canonical(fe_mul(group.sum.x, inverse)), y = fe_canonical(fe_mul(group.sum.y, inverse));
  const uint8_t *r_bytes[8];
  for (int l = 0; l < 8; l++) r_bytes[l] = group.items[l].signature;
  __m512i found[4], wanted[4];
  fe_to_words(y, found);
  found[3] = _mm512_or_si512(found[3], _mm512_slli_epi64(x.limb[0], 63));
  load_words(r_bytes, wanted);
  __mmask8 equal = 0xff;
  for (int j = 0; j < 4; j++) equal = _mm512_mask_cmpeq_epi64_mask(equal, found[j], wanted[j]);
  return equal;
}

// Computes `count` groups and writes their verdicts. Z is never 0: every point is on the curve, where the formulas are complete.
void judge(Group *groups, int count, uint8_t *verdicts) {
  const Constants &shared = constants();
  int decoded = 0;
  for (; decoded + DECODED <= count; decoded += DECODED) decode_keys<DECODED>(shared.curve, groups + decoded);
  for (; decoded < count; decoded++) decode_keys<1>(shared.curve, groups + decoded);
  Fe product[GROUPS];  // of the Zs of groups 0 .. g
  for (int g = 0; g < count; g++) {
    compute(shared, groups[g]);
    product[g] = g == 0 ? groups[g].sum.z : fe_mul(product[g - 1], groups[g].sum.z);
  }
  Fe inverse = fe_invert(product[count - 1]);  // of the product up to g
  for (int g = count - 1; g >= 0; g--) {
    const Fe own = g == 0 ? inverse : fe_mul(inverse, product[g - 1]);
    inverse = fe_mul(inverse, groups[g].sum.z);
    const __mmask8 good = groups[g].on_curve & encodes_r(groups[g], own);
    for (int l = 0; l < groups[g].used; l++) verdicts[groups[g].indexes[l]] = good >> l & 1;
  }
}

void verify(const uint8_t *keys, const uint8_t *signatures, const uint8_t *messages, const uint32_t *offsets, size_t n, uint8_t *verdicts) {
  Group groups[GROUPS];
  int waiting = 0;
  const auto flush = [&] {
    const int count = (waiting + 7) / 8;
    for (int i = waiting; i < 8 * count; i++) groups[i / 8].items[i % 8] = groups[i / 8].items[0];
    for (int g = 0; g < count; g++) groups[g].used = waiting - 8 * g < 8 ? waiting - 8 * g : 8;
    if (count > 0) judge(groups, count, verdicts);
    waiting = 0;
  };
  for (size_t i = 0; i < n; i++) {
    verdicts[i] = 0;
    if (!ed25519_scalar::passes_byte_checks(keys + 32 * i, signatures + 64 * i)) continue;
    Group &group = groups[waiting / 8];
    group.items[waiting % 8] = {keys + 32 * i, signatures + 64 * i, messages + offsets[i], offsets[i + 1] - offsets[i]};
    group.indexes[waiting++ % 8] = i;
    if (waiting == 8 * GROUPS) flush();
  }
  flush();
}

// Lanes beyond the last signature repeat it.
void challenges(const uint8_t *keys, const uint8_t *signatures, const uint8_t *messages, const uint32_t *offsets, size_t n, uint8_t *out) {
  for (size_t first = 0; first < n; first += 8) {
    const size_t count = n - first < 8 ? n - first : 8;
    Item items[8];
    for (size_t l = 0; l < 8; l++) {
      const size_t i = first + (l < count ? l : count - 1);
      items[l] = {keys + 32 * i, signatures + 64 * i, messages + offsets[i], offsets[i + 1] - offsets[i]};
    }
    uint64_t hashes[8][8];
    hash_challenges(items, hashes);
    memcpy(out + 64 * first, hashes, 64 * count);
  }
}

}  // namespace

CAIRN_TARGET_END

Ed25519Kernel ed25519_ifma() { return {"c++ avx-512 ifma", verify, challenges}; }
#else
Ed25519Kernel ed25519_ifma() { return {}; }
#endif
