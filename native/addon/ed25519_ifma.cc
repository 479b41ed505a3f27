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

// The digits of eight scalars, by step and lane.
struct Digits {
  int8_t of_k[64][8];
  int16_t of_s[32][8];
};

void set_digits(const Item (&items)[8], Digits &digits) {
  ChallengeMessage messages[8];
  uint64_t hashes[8][8];
  for (int l = 0; l < 8; l++) messages[l] = {items[l].signature, items[l].key, items[l].message, items[l].message_size};
  sha512_challenges(messages, hashes);
  for (int l = 0; l < 8; l++) {
    int8_t k[64];
    int16_t s[32];
    ed25519_scalar::digits4(ed25519_scalar::reduce(hashes[l]), k);
    ed25519_scalar::digits8(ed25519_scalar::load(items[l].signature + 32), s);
    for (int i = 0; i < 64; i++) digits.of_k[i][l] = k[i];
    for (int i = 0; i < 32; i++) digits.of_s[i][l] = s[i];
  }
}

// [S]B + [k]P for the table of P: four doublings a digit of k, eight a digit of S.
Point double_multiply(const BaseTable &base, const LaneTable &table, const Digits &digits) {
  Point sum = point_identity();
  for (int i = 63; i >= 0; i--) {
    if (i < 63) {
      point_double<false>(sum);
      point_double<false>(sum);
      point_double<false>(sum);
      point_double<true>(sum);
    }
    const Cached multiple = table_pick(table, digits.of_k[i]);
    if (i % 2 != 0) {
      point_add<false>(sum, multiple);
      continue;
    }
    point_add<true>(sum, multiple);
    Fe plus, minus, t2d;
    base_pick(base, digits.of_s[i / 2], plus, minus, t2d);
    point_add_affine<false>(sum, plus, minus, t2d);
  }
  return sum;
}

// Groups of eight whose points share one inversion (Montgomery's trick), which costs as much as 8 % of a verification.
constexpr int GROUPS = 8;

// Eight signatures that passed the byte checks, and what is known of them.
struct Group {
  Item items[8];
  size_t indexes[8];
  int used;  // lanes from here on repeat the first
  __mmask8 on_curve;
  Point sum;  // [S]B + [k](-A)
};

void compute(Group &group) {
  const Constants &shared = constants();
  const uint8_t *keys[8];
  for (int l = 0; l < 8; l++) keys[l] = group.items[l].key;
  __m512i words[4];
  Point key;
  load_words(keys, words);
  group.on_curve = point_decode(shared.curve, words, key);
  // A key off the curve becomes the identity: only on the curve are the formulas complete, and a Z of 0 made by a hostile key would
  // spoil the shared inversion for the honest signatures in the same lane.
  const Point identity = point_identity();
  key.x = fe_blend(group.on_curve, identity.x, fe_negate(key.x));
  key.y = fe_blend(group.on_curve, identity.y, key.y);
  key.t = fe_blend(group.on_curve, identity.t, fe_negate(key.t));
  LaneTable table;
  table_fill(shared.curve, key, table);
  Digits digits;
  set_digits(group.items, digits);
  group.sum = double_multiply(shared.base, table, digits);
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
  Fe product[GROUPS];  // of the Zs of groups 0 .. g
  for (int g = 0; g < count; g++) {
    compute(groups[g]);
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

}  // namespace

CAIRN_TARGET_END

Ed25519Kernel ed25519_ifma() { return {"c++ avx-512 ifma", verify}; }
#else
Ed25519Kernel ed25519_ifma() { return {}; }
#endif
