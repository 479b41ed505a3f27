// SHA-512 of eight messages of two blocks in AVX-512 lanes: the rounds and nothing else; the words come from a small buffer, transposed already.
#include "limits.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "../addon/sha512_constants.h"
#include "../addon/target.h"

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq")

namespace {
#include "../addon/sha512_rounds.h"
}  // namespace

uint64_t limit_sha512_blocks(uint64_t messages, uint8_t *memory, size_t) {
  __m512i state[8], w[16];
  for (int i = 0; i < 8; i++) state[i] = _mm512_set1_epi64((long long)SHA512_INITIAL[i]);
  for (uint64_t i = 0; i < 2 * messages; i += 8) {
    for (int j = 0; j < 16; j++) w[j] = _mm512_loadu_si512(memory + 64 * j);
    sha512_compress(state, w, 0xff);
  }
  for (int i = 1; i < 8; i++) state[0] = _mm512_xor_si512(state[0], state[i]);
  return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(state[0]));
}

CAIRN_TARGET_END
#endif
