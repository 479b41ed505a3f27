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

// Lanes in which the point's encoding is the 32 bytes given.
__mmask8 encodes_as(const Point &p, const uint8_t *const (&expected)[8]) {
  const Fe inverse = fe_invert(p.z);
  const Fe x = fe_canonical(fe_mul(p.x, inverse)), y = fe_canonical(fe_mul(p.y, inverse));
  __m512i found[4], wanted[4];
  fe_to_words(y, found);
  found[3] = _mm512_or_si512(found[3], _mm512_slli_epi64(x.limb[0], 63));
  load_words(expected, wanted);
  __mmask8 equal = 0xff;
  for (int j = 0; j < 4; j++) equal = _mm512_mask_cmpeq_epi64_mask(equal, found[j], wanted[j]);
  return equal;
}

// Verdicts of eight signatures that passed the byte checks, a bit each.
__mmask8 verify_eight(const Item (&items)[8]) {
  const Constants &shared = constants();
  const uint8_t *keys[8], *r_bytes[8];
  for (int l = 0; l < 8; l++) {
    keys[l] = items[l].key;
    r_bytes[l] = items[l].signature;
  }
  __m512i words[4];
  Point key;
  load_words(keys, words);
  const __mmask8 on_curve = point_decode(shared.curve, words, key);
  key.x = fe_negate(key.x);
  key.t = fe_negate(key.t);
  LaneTable table;
  table_fill(shared.curve, key, table);
  Digits digits;
  set_digits(items, digits);
  return on_curve & encodes_as(double_multiply(shared.base, table, digits), r_bytes);
}

void verify(const uint8_t *keys, const uint8_t *signatures, const uint8_t *messages, const uint32_t *offsets, size_t n, uint8_t *verdicts) {
  Item items[8];
  size_t indexes[8];
  int waiting = 0;
  const auto flush = [&] {
    // Empty lanes repeat the first.
    for (int l = waiting; l < 8; l++) items[l] = items[0];
    const __mmask8 good = verify_eight(items);
    for (int l = 0; l < waiting; l++) verdicts[indexes[l]] = good >> l & 1;
    waiting = 0;
  };
  for (size_t i = 0; i < n; i++) {
    verdicts[i] = 0;
    if (!ed25519_scalar::passes_byte_checks(keys + 32 * i, signatures + 64 * i)) continue;
    items[waiting] = {keys + 32 * i, signatures + 64 * i, messages + offsets[i], offsets[i + 1] - offsets[i]};
    indexes[waiting++] = i;
    if (waiting == 8) flush();
  }
  if (waiting > 0) flush();
}

}  // namespace

CAIRN_TARGET_END

Ed25519Kernel ed25519_ifma() { return {"c++ avx-512 ifma", verify}; }
#else
Ed25519Kernel ed25519_ifma() { return {}; }
#endif
