// AES-256-CBC of one plaintext under up to 32 identities at once: four identities to a 512-bit vector, up to 8 vectors in flight.
//
// Round keys differ by identity, so they are read from memory, laid out as the vectors want them. Four steps' ciphertext is
// transposed before it is written, so that each identity's output is written in whole cache lines: 32 streams written 16 bytes at a
// time, often a power of two apart, would fight for the same cache sets. Source: as aes_ni.cc.
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
// Blocks of each identity that are written together: one cache line.
constexpr size_t LINE_BLOCKS = 4;
// Lines of each identity staged before they are written out.
constexpr size_t STAGE_LINES = 4;
// Outputs from this size on pass by the cache: they would not fit in it anyway (measured on an EPYC: 23 GB/s against 15).
constexpr size_t STREAMING_BYTES_MIN = 512u << 10;

#define EACH_VECTOR(count) _Pragma("GCC unroll 8") for (int v = 0; v < (count); v++)

struct alignas(64) Work {
  __m512i keys[15][VECTORS_MAX];
  __m512i line[LINE_BLOCKS][VECTORS_MAX];  // ciphertext of the last steps
  __m512i stage[LANES_MAX][STAGE_LINES];
  uint8_t chains[LANES_MAX][16];
};

CAIRN_INLINE __m512i broadcast(const uint8_t *block) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i *>(block)));
}

// One block of 4 * V identities.
template <int V>
CAIRN_INLINE void step(const Work &work, __m512i (&x)[V], const uint8_t *in) {
  const __m512i plain = broadcast(in);
  EACH_VECTOR(V) x[v] = _mm512_ternarylogic_epi64(x[v], plain, work.keys[0][v], 0x96);
#pragma GCC unroll 14
  for (int r = 1; r < 14; r++) EACH_VECTOR(V) x[v] = _mm512_aesenc_epi128(x[v], work.keys[r][v]);
  EACH_VECTOR(V) x[v] = _mm512_aesenclast_epi128(x[v], work.keys[14][v]);
}

// Transposes the four steps of vector v into line `at` of its identities' stages.
CAIRN_INLINE void stage_lines(Work &work, int v, size_t at) {
  const __m512i a = work.line[0][v], b = work.line[1][v], c = work.line[2][v], d = work.line[3][v];
  const __m512i ab_low = _mm512_shuffle_i32x4(a, b, 0x44), ab_high = _mm512_shuffle_i32x4(a, b, 0xee);
  const __m512i cd_low = _mm512_shuffle_i32x4(c, d, 0x44), cd_high = _mm512_shuffle_i32x4(c, d, 0xee);
  work.stage[4 * v + 0][at] = _mm512_shuffle_i32x4(ab_low, cd_low, 0x88);
  work.stage[4 * v + 1][at] = _mm512_shuffle_i32x4(ab_low, cd_low, 0xdd);
  work.stage[4 * v + 2][at] = _mm512_shuffle_i32x4(ab_high, cd_high, 0x88);
  work.stage[4 * v + 3][at] = _mm512_shuffle_i32x4(ab_high, cd_high, 0xdd);
}

template <bool STREAMING>
CAIRN_INLINE void write_lines(const __m512i *stage, uint8_t *out, size_t lines) {
  for (size_t i = 0; i < lines; i++) {
    if (STREAMING)
      _mm512_stream_si512(reinterpret_cast<__m512i *>(out + 64 * i), stage[i]);
    else
      _mm512_storeu_si512(out + 64 * i, stage[i]);
  }
}

// Up to 4 * V identities; lanes from n on repeat the last identity and are not written out.
template <int V, bool STREAMING>
__attribute__((noinline)) void encrypt_group(Work &work, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
  __m512i x[V];
  const size_t stride = 16 * blocks, line_count = blocks / LINE_BLOCKS;
  EACH_VECTOR(V) x[v] = _mm512_load_si512(work.chains[4 * v]);
  for (size_t line = 0; line < line_count; line += STAGE_LINES) {
    const size_t lines = line_count - line < STAGE_LINES ? line_count - line : STAGE_LINES;
    for (size_t i = 0; i < lines; i++) {
      for (size_t j = 0; j < LINE_BLOCKS; j++) {
        step<V>(work, x, in + 64 * (line + i) + 16 * j);
        EACH_VECTOR(V) work.line[j][v] = x[v];
      }
      for (int v = 0; v < V; v++) stage_lines(work, v, i);
    }
    for (size_t lane = 0; lane < n; lane++) write_lines<STREAMING>(work.stage[lane], out + lane * stride + 64 * line, lines);
  }
  for (size_t at = line_count * LINE_BLOCKS; at < blocks; at++) {
    step<V>(work, x, in + 16 * at);
    EACH_VECTOR(V) work.line[0][v] = x[v];
    for (size_t lane = 0; lane < n; lane++)
      memcpy(out + lane * stride + 16 * at, reinterpret_cast<const uint8_t *>(work.line[0]) + 16 * lane, 16);
  }
  EACH_VECTOR(V) _mm512_store_si512(work.chains[4 * v], x[v]);
}

void set_lane(Work &work, size_t lane, const uint8_t *key, const uint8_t *chain) {
  const AesRoundKeys keys = aes_expand(key);
  for (int r = 0; r < 15; r++)
    _mm_store_si128(reinterpret_cast<__m128i *>(&work.keys[r][lane / 4]) + lane % 4, keys.round[r]);
  memcpy(work.chains[lane], chain, 16);
}

template <bool STREAMING>
void encrypt_padded(Work &work, size_t padded, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
  switch (padded) {
    case 4: return encrypt_group<1, STREAMING>(work, n, in, blocks, out);
    case 8: return encrypt_group<2, STREAMING>(work, n, in, blocks, out);
    case 16: return encrypt_group<4, STREAMING>(work, n, in, blocks, out);
    default: return encrypt_group<8, STREAMING>(work, n, in, blocks, out);
  }
}

void encrypt_many(const uint8_t *keys, uint8_t *chains, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
  Work work;
  const bool aligned = reinterpret_cast<uintptr_t>(out) % 64 == 0 && blocks % LINE_BLOCKS == 0;
  const bool streaming = aligned && n * blocks * 16 >= STREAMING_BYTES_MIN;
  for (size_t done = 0; done < n;) {
    const size_t left = n - done, group = left < LANES_MAX ? left : LANES_MAX;
    const size_t padded = group <= 4 ? 4 : group <= 8 ? 8 : group <= 16 ? 16 : LANES_MAX;
    for (size_t lane = 0; lane < padded; lane++) {
      const size_t i = done + (lane < group ? lane : group - 1);
      set_lane(work, lane, keys + 32 * i, chains + 16 * i);
    }
    uint8_t *group_out = out + 16 * done * blocks;
    if (streaming)
      encrypt_padded<true>(work, padded, group, in, blocks, group_out);
    else
      encrypt_padded<false>(work, padded, group, in, blocks, group_out);
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
