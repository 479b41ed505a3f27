// AES-256 in CBC: the rounds, the chaining and nothing else; bytes come from a small buffer and, encrypted by 32 identities, go nowhere.
#include "limits.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "../addon/target.h"

constexpr uint64_t SMALL_BYTES = 16 << 10;

CAIRN_TARGET_BEGIN("aes,sse4.1")

uint64_t limit_aes_cbc(uint64_t bytes, uint8_t *memory, size_t) {
  __m128i keys[15], x = _mm_setzero_si128();
  for (int r = 0; r < 15; r++) keys[r] = _mm_set1_epi32(r);
  // Nothing but the 14 rounds on the chain, as in aes_ni.cc.
  for (uint64_t i = 0; i < bytes; i += 16) {
    __m128i *at = reinterpret_cast<__m128i *>(memory + i % SMALL_BYTES);
    const __m128i plain = _mm_xor_si128(_mm_loadu_si128(at), keys[0]);
#pragma GCC unroll 13
    for (int r = 1; r < 14; r++) x = _mm_aesenc_si128(x, keys[r]);
    x = _mm_aesenclast_si128(x, _mm_xor_si128(keys[14], plain));
    _mm_storeu_si128(at, _mm_xor_si128(x, plain));
  }
  return (uint64_t)_mm_cvtsi128_si64(x);
}

uint64_t limit_aes_decrypt(uint64_t bytes, uint8_t *memory, size_t) {
  constexpr int N = 8;
  __m128i keys[15], previous = _mm_setzero_si128();
  for (int r = 0; r < 15; r++) keys[r] = _mm_set1_epi32(r);
  for (uint64_t i = 0; i < bytes; i += 16 * N) {
    __m128i *at = reinterpret_cast<__m128i *>(memory + i % SMALL_BYTES), c[N], x[N];
#pragma GCC unroll 8
    for (int l = 0; l < N; l++) x[l] = _mm_xor_si128(c[l] = _mm_loadu_si128(at + l), keys[0]);
#pragma GCC unroll 13
    for (int r = 1; r < 14; r++)
#pragma GCC unroll 8
      for (int l = 0; l < N; l++) x[l] = _mm_aesdec_si128(x[l], keys[r]);
#pragma GCC unroll 8
    for (int l = 0; l < N; l++) _mm_storeu_si128(at + l, _mm_xor_si128(_mm_aesdeclast_si128(x[l], keys[14]), l ? c[l - 1] : previous));
    previous = c[N - 1];
  }
  return (uint64_t)_mm_cvtsi128_si64(previous);
}

CAIRN_TARGET_END

CAIRN_TARGET_BEGIN("vaes,avx512f,avx512vl,avx512bw,avx512dq")

uint64_t limit_aes_cbc_32(uint64_t bytes, uint8_t *memory, size_t) {
  constexpr int V = 8;
  alignas(64) __m512i keys[15][V];
  __m512i x[V];
  for (int r = 0; r < 15; r++)
    for (int v = 0; v < V; v++) keys[r][v] = _mm512_set1_epi32(r * V + v);
  for (int v = 0; v < V; v++) x[v] = keys[0][v];
  for (uint64_t i = 0; i < bytes; i += 64 * V) {
    // A step is one block of plaintext: 1/32 of the bytes written.
    const uint8_t *in = memory + (i / 32) % SMALL_BYTES;
    const __m512i plain = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i *>(in)));
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) x[v] = _mm512_ternarylogic_epi64(x[v], plain, keys[0][v], 0x96);
#pragma GCC unroll 13
    for (int r = 1; r < 14; r++)
#pragma GCC unroll 8
      for (int v = 0; v < V; v++) x[v] = _mm512_aesenc_epi128(x[v], keys[r][v]);
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) x[v] = _mm512_aesenclast_epi128(x[v], keys[14][v]);
  }
  for (int v = 1; v < V; v++) x[0] = _mm512_xor_si512(x[0], x[v]);
  return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(x[0]));
}

CAIRN_TARGET_END
#endif
