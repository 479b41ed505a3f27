// SHA-256 with the SHA instructions: the rounds and nothing else.
#include "limits.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "../addon/sha256_message.h"
#include "../addon/target.h"

CAIRN_TARGET_BEGIN("sha,sse4.1,ssse3")

namespace {

#define EACH(n) _Pragma("GCC unroll 4") for (int l = 0; l < (n); l++)

// N blocks of 16 words each, in place; the words are overwritten.
template <int N>
CAIRN_INLINE void rounds(__m128i (&abef)[N], __m128i (&cdgh)[N], __m128i (&m)[4][N]) {
#pragma GCC unroll 16
  for (int r = 0; r < 16; r++) {
    __m128i wk[N];
    EACH(N) wk[l] = _mm_add_epi32(m[r & 3][l], _mm_load_si128(reinterpret_cast<const __m128i *>(SHA256_K) + r));
    EACH(N) cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], wk[l]);
    if (r >= 3 && r < 15)
      EACH(N) m[(r + 1) & 3][l] = _mm_sha256msg2_epu32(_mm_add_epi32(m[(r + 1) & 3][l], _mm_alignr_epi8(m[r & 3][l], m[(r + 3) & 3][l], 4)), m[r & 3][l]);
    EACH(N) abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(wk[l], 0x0e));
    if (r >= 1 && r < 13) EACH(N) m[(r + 3) & 3][l] = _mm_sha256msg1_epu32(m[(r + 3) & 3][l], m[r & 3][l]);
  }
}

template <int N>
uint64_t chains(uint64_t steps) {
  const __m128i abef0 = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
  const __m128i cdgh0 = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
  __m128i low[N], high[N];
  EACH(N) low[l] = high[l] = _mm_set1_epi32(l);
  for (uint64_t i = 0; i < steps; i += N) {
    __m128i abef[N], cdgh[N], m[4][N];
    EACH(N) {
      abef[l] = abef0;
      cdgh[l] = cdgh0;
      m[0][l] = low[l];
      m[1][l] = high[l];
      m[2][l] = _mm_set_epi32(0, 0, 0, (int)0x80000000);
      m[3][l] = _mm_set_epi32(256, 0, 0, 0);
    }
    rounds<N>(abef, cdgh, m);
    EACH(N) {
      const __m128i s0 = _mm_add_epi32(abef[l], abef0), s1 = _mm_add_epi32(cdgh[l], cdgh0);
      low[l] = _mm_shuffle_epi32(_mm_unpackhi_epi64(s0, s1), 0xb1);
      high[l] = _mm_shuffle_epi32(_mm_unpacklo_epi64(s0, s1), 0xb1);
    }
  }
  uint64_t sum = 0;
  EACH(N) sum += (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(low[l], high[l]));
  return sum;
}

}  // namespace

uint64_t limit_sha256_chain(uint64_t steps, uint8_t *, size_t) { return chains<1>(steps); }
uint64_t limit_sha256_four_chains(uint64_t steps, uint8_t *, size_t) { return chains<4>(steps); }

uint64_t limit_sha256_pairs(uint64_t pairs, uint8_t *, size_t) {
  // A block of 64 message bytes, words from registers, and one that is nearly all padding.
  constexpr int N = 4;
  __m128i abef[N], cdgh[N];
  EACH(N) abef[l] = cdgh[l] = _mm_set1_epi32(l);
  for (uint64_t i = 0; i < pairs; i += N) {
    __m128i m[4][N];
    EACH(N) m[0][l] = m[1][l] = m[2][l] = m[3][l] = abef[l];
    rounds<N>(abef, cdgh, m);
    EACH(N) {
      m[0][l] = _mm_cvtsi32_si128(0x00800000);
      m[1][l] = m[2][l] = _mm_setzero_si128();
      m[3][l] = _mm_set_epi32(65 * 8, 0, 0, 0);
    }
    rounds<N>(abef, cdgh, m);
  }
  uint64_t sum = 0;
  EACH(N) sum += (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(abef[l], cdgh[l]));
  return sum;
}

CAIRN_TARGET_END

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq")

namespace {
#include "../addon/sha256_lanes32.h"

// Blocks of 32 lanes, one after the other from the same words.
uint64_t lanes(uint64_t blocks) {
  State32 state;
  Block32 block;
  set_initial(state);
  for (uint64_t i = 0; i < blocks; i += LANES) {
    for (int g = 0; g < GROUPS; g++)
      for (int j = 0; j < 16; j++) block.words[g][j] = state.words[g][j & 7];
    compress32(state, block);
  }
  return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(_mm512_xor_si512(state.words[0][0], state.words[1][0])));
}
}  // namespace

uint64_t limit_sha256_lanes(uint64_t steps, uint8_t *, size_t) { return lanes(steps); }
uint64_t limit_sha256_lanes_pairs(uint64_t pairs, uint8_t *, size_t) { return lanes(2 * pairs); }

CAIRN_TARGET_END
#endif
