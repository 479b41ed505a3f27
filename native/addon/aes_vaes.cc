// AES-256-CBC of one plaintext under up to 32 identities at once: four identities to a 512-bit vector, up to 8 vectors in flight.
//
// Round keys differ by identity, so they are read from memory, laid out as the vectors want them. Each identity's ciphertext goes
// through a small stage in cache and leaves it in whole cache lines: 32 streams written 16 bytes at a time, often a power of
// two apart, would fight for the same cache sets. Source: as aes_ni.cc.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "aes_key.h"
#include "target.h"

CAIRN_TARGET_BEGIN("vaes,avx512f,avx512vl,avx512bw,avx512dq,aes,sse4.1")

namespace {

constexpr int VECTORS_MAX = 8;
constexpr int LANES_MAX = 4 * VECTORS_MAX;
// Blocks of each identity that are staged before they are written out.
constexpr size_t STAGE_BLOCKS = 16;
// Outputs larger than this pass by the cache.
constexpr size_t STREAMING_BYTES_MIN = 4u << 20;

#define EACH_VECTOR(count) _Pragma("GCC unroll 8") for (int v = 0; v < (count); v++)

struct alignas(64) Work {
  __m512i keys[15][VECTORS_MAX];
  uint8_t stage[LANES_MAX][STAGE_BLOCKS * 16];
  uint8_t chains[LANES_MAX][16];
};

CAIRN_INLINE __m512i broadcast(const uint8_t *block) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i *>(block)));
}

// `count` blocks of 4 * V identities from `in` into the stage.
template <int V>
CAIRN_INLINE void encrypt_stage(Work &work, __m512i (&x)[V], const uint8_t *in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const __m512i plain = broadcast(in + 16 * i);
    EACH_VECTOR(V) x[v] = _mm512_ternarylogic_epi64(x[v], plain, work.keys[0][v], 0x96);
#pragma GCC unroll 14
    for (int r = 1; r < 14; r++) EACH_VECTOR(V) x[v] = _mm512_aesenc_epi128(x[v], work.keys[r][v]);
    EACH_VECTOR(V) {
      x[v] = _mm512_aesenclast_epi128(x[v], work.keys[14][v]);
      uint8_t(*lane)[STAGE_BLOCKS * 16] = work.stage + 4 * v;
      _mm_store_si128(reinterpret_cast<__m128i *>(lane[0] + 16 * i), _mm512_castsi512_si128(x[v]));
      _mm_store_si128(reinterpret_cast<__m128i *>(lane[1] + 16 * i), _mm512_extracti32x4_epi32(x[v], 1));
      _mm_store_si128(reinterpret_cast<__m128i *>(lane[2] + 16 * i), _mm512_extracti32x4_epi32(x[v], 2));
      _mm_store_si128(reinterpret_cast<__m128i *>(lane[3] + 16 * i), _mm512_extracti32x4_epi32(x[v], 3));
    }
  }
}

CAIRN_INLINE void write_out(const uint8_t *stage, uint8_t *out, size_t size, bool streaming) {
  if (!streaming || size % 64 != 0) {
    memcpy(out, stage, size);
    return;
  }
  for (size_t at = 0; at < size; at += 64)
    _mm512_stream_si512(reinterpret_cast<__m512i *>(out + at), _mm512_load_si512(stage + at));
}

// Up to 4 * V identities; lanes past n repeat the last identity and are not written out.
template <int V>
__attribute__((noinline)) void encrypt_group(Work &work, size_t n, const uint8_t *in, size_t blocks, uint8_t *out, bool streaming) {
  __m512i x[V];
  EACH_VECTOR(V) x[v] = _mm512_load_si512(work.chains[4 * v]);
  for (size_t at = 0; at < blocks; at += STAGE_BLOCKS) {
    const size_t count = blocks - at < STAGE_BLOCKS ? blocks - at : STAGE_BLOCKS;
    encrypt_stage<V>(work, x, in + 16 * at, count);
    for (size_t lane = 0; lane < n; lane++) write_out(work.stage[lane], out + 16 * (lane * blocks + at), 16 * count, streaming);
  }
  EACH_VECTOR(V) _mm512_store_si512(work.chains[4 * v], x[v]);
}

void set_lane(Work &work, size_t lane, const uint8_t *key, const uint8_t *chain) {
  const AesRoundKeys keys = aes_expand(key);
  for (int r = 0; r < 15; r++)
    _mm_store_si128(reinterpret_cast<__m128i *>(&work.keys[r][lane / 4]) + lane % 4, keys.round[r]);
  memcpy(work.chains[lane], chain, 16);
}

void encrypt_many(const uint8_t *keys, uint8_t *chains, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
  Work work;
  const bool aligned = reinterpret_cast<uintptr_t>(out) % 64 == 0 && blocks % 4 == 0;
  const bool streaming = aligned && n * blocks * 16 >= STREAMING_BYTES_MIN;
  for (size_t done = 0; done < n;) {
    const size_t left = n - done, group = left < LANES_MAX ? left : LANES_MAX;
    const size_t padded = group <= 4 ? 4 : group <= 8 ? 8 : group <= 16 ? 16 : LANES_MAX;
    for (size_t lane = 0; lane < padded; lane++) {
      const size_t i = done + (lane < group ? lane : group - 1);
      set_lane(work, lane, keys + 32 * i, chains + 16 * i);
    }
    uint8_t *group_out = out + 16 * done * blocks;
    switch (padded) {
      case 4: encrypt_group<1>(work, group, in, blocks, group_out, streaming); break;
      case 8: encrypt_group<2>(work, group, in, blocks, group_out, streaming); break;
      case 16: encrypt_group<4>(work, group, in, blocks, group_out, streaming); break;
      default: encrypt_group<8>(work, group, in, blocks, group_out, streaming); break;
    }
    memcpy(chains + 16 * done, work.chains, 16 * group);
    done += group;
  }
  if (streaming) _mm_sfence();
}

}  // namespace

CAIRN_TARGET_END

AesKernels aes_vaes() {
  AesKernels kernels = aes_ni();
  return {"c++ vaes", kernels.encrypt, kernels.decrypt, encrypt_many};
}
#else
AesKernels aes_vaes() { return {}; }
#endif
