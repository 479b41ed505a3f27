// The multiplications and squarings modulo p that verifying one Ed25519 signature takes, eight signatures at a time, without tables, digits,
// hashing or additions.
//
// A verification: 252 doublings of 3 multiplications and 4 squarings, a fourth of them one multiplication more; 63 additions of 8, half of them 7;
// 32 of 6 (affine); 9 table entries of 9; decoding A: 254 squarings, 20 multiplications; 1/8 of an inversion, and 2.
#include "limits.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "../addon/target.h"

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq,avx512ifma,bmi2")

namespace {
#include "../addon/ed25519_field.h"

constexpr int MULTIPLICATIONS = 252 * 3 + 63 + 63 * 15 / 2 + 32 * 6 + 9 * 9 + 20 + 4;
constexpr int SQUARINGS = 252 * 4 + 254 + 254 / 8;
}  // namespace

uint64_t limit_ed25519_field(uint64_t signatures, uint8_t *, size_t) {
  // Four independent products at a time, as the point formulas have them.
  Fe x[4];
  for (int j = 0; j < 4; j++) x[j] = fe_small(3 + (uint64_t)j);
  for (uint64_t i = 0; i < signatures; i += 8) {
    for (int n = 0; n < MULTIPLICATIONS / 4; n++)
      for (int j = 0; j < 4; j++) x[j] = fe_mul(x[j], x[j]);
    for (int n = 0; n < SQUARINGS / 4; n++)
      for (int j = 0; j < 4; j++) x[j] = fe_square(x[j]);
  }
  for (int j = 1; j < 4; j++) x[0] = fe_add(x[0], x[j]);
  return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(x[0].limb[0]));
}

CAIRN_TARGET_END
#endif
