// AES-256-CBC of one plaintext under up to 48 identities at once: four identities to a 512-bit vector, up to 8 vectors in flight where all of the ciphertext
// is written, 12 where samples of it are. Up to 8 vectors wait for the rounds' latency, so that 24 identities take as long as 32.
//
// Round keys differ by identity, so they are read from memory, laid out as the vectors want them: 120 loads a step of 32 identities, which
// bounds the loop. How ciphertext is written depends on where the identities' outputs lie:
//   direct     16 bytes at a time: fastest, while the lines being written stay in the first cache
//   staged     four steps are transposed, then whole lines are written: outputs a multiple of 2 KiB apart share too few cache sets
//   streaming  as staged, past the cache: outputs that would not fit in it anyway
// Measured on an EPYC (32 identities): 31, 17 to 23 and 24 GB/s. Source: as aes_ni.cc.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "aes_key.h"
#include "target.h"

CAIRN_TARGET_BEGIN("vaes,avx512f,avx512vl,avx512bw,avx512dq,aes,sse4.1")

namespace {

constexpr int VECTORS_MAX = 12;
// Identities side by side: when all is written, and when only samples are.
constexpr size_t WRITTEN_LANES_MAX = 32;
constexpr size_t SAMPLED_LANES_MAX = 4 * VECTORS_MAX;
// Blocks of each identity that are written together: one cache line.
constexpr size_t LINE_BLOCKS = 4;
// Lines of each identity staged before they are written out.
constexpr size_t STAGE_LINES = 4;
// All outputs of a call: direct up to here, streaming from here on.
constexpr size_t DIRECT_BYTES_MAX = 640u << 10;
constexpr size_t STREAMING_BYTES_MIN = 512u << 10;
// Outputs a multiple of this apart fall into one or two of the 64 sets of a first cache.
constexpr size_t CONFLICT_BYTES = 2048;

#define EACH_VECTOR(count) _Pragma("GCC unroll 12") for (int v = 0; v < (count); v++)

struct alignas(64) Work {
  __m512i keys[15][VECTORS_MAX];
  __m512i line[LINE_BLOCKS][VECTORS_MAX];  // ciphertext of the last steps
  __m512i stage[WRITTEN_LANES_MAX][STAGE_LINES];
  uint8_t chains[SAMPLED_LANES_MAX][16];
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

// Exactly 4 * V identities, each block written by itself.
template <int V>
CAIRN_INLINE void encrypt_direct(Work &work, const uint8_t *in, size_t blocks, uint8_t *out) {
  __m512i x[V];
  const size_t stride = 16 * blocks;
  EACH_VECTOR(V) x[v] = _mm512_load_si512(work.chains[4 * v]);
  for (size_t i = 0; i < blocks; i++) {
    step<V>(work, x, in + 16 * i);
    EACH_VECTOR(V) {
      uint8_t *at = out + 16 * i + 4 * v * stride;
      _mm_storeu_si128(reinterpret_cast<__m128i *>(at), _mm512_castsi512_si128(x[v]));
      _mm_storeu_si128(reinterpret_cast<__m128i *>(at + stride), _mm512_extracti32x4_epi32(x[v], 1));
      _mm_storeu_si128(reinterpret_cast<__m128i *>(at + 2 * stride), _mm512_extracti32x4_epi32(x[v], 2));
      _mm_storeu_si128(reinterpret_cast<__m128i *>(at + 3 * stride), _mm512_extracti32x4_epi32(x[v], 3));
    }
  }
  EACH_VECTOR(V) _mm512_store_si512(work.chains[4 * v], x[v]);
}

// Up to 4 * V identities; lanes from n on repeat the last identity and are not written out.
template <int V, bool STREAMING>
CAIRN_INLINE void encrypt_staged(Work &work, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
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

enum class Writing { direct, staged, streaming };

template <int V>
__attribute__((noinline)) void encrypt_group(Writing writing, Work &work, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
  if (writing == Writing::direct && n == 4 * V) return encrypt_direct<V>(work, in, blocks, out);
  if (writing == Writing::streaming) return encrypt_staged<V, true>(work, n, in, blocks, out);
  return encrypt_staged<V, false>(work, n, in, blocks, out);
}

Writing choose_writing(size_t n, size_t blocks, const uint8_t *out) {
  const size_t stride = 16 * blocks;
  if (n * stride <= DIRECT_BYTES_MAX && stride % CONFLICT_BYTES != 0) return Writing::direct;
  const bool aligned = reinterpret_cast<uintptr_t>(out) % 64 == 0 && blocks % LINE_BLOCKS == 0;
  return aligned && n * stride >= STREAMING_BYTES_MIN ? Writing::streaming : Writing::staged;
}

constexpr size_t ceiling(size_t x, size_t step) { return (x + step - 1) / step * step; }

// Sets up n identities in as few groups of at most `lanes_max` as will do, of nearly equal size, and gives each group (its first identity, how many,
// lanes set up) to `run`. Lanes beyond the group repeat its last identity.
template <size_t lanes_max, class Run>
CAIRN_INLINE void each_group(Work &work, const uint8_t *keys, uint8_t *chains, size_t n, Run run) {
  if (n == 0) return;
  const size_t group_count = (n + lanes_max - 1) / lanes_max, group_size = ceiling((n + group_count - 1) / group_count, 4);
  for (size_t done = 0; done < n; done += group_size) {
    const size_t group = n - done < group_size ? n - done : group_size, padded = group <= 4 ? 4 : ceiling(group, 8);
    for (size_t lane = 0; lane < padded; lane++) {
      const size_t i = done + (lane < group ? lane : group - 1);
      set_lane(work, lane, keys + 32 * i, chains + 16 * i);
    }
    run(done, group, padded);
    memcpy(chains + 16 * done, work.chains, 16 * group);
  }
}

void encrypt_many(const uint8_t *keys, uint8_t *chains, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
  Work work;
  const Writing writing = choose_writing(n, blocks, out);
  each_group<WRITTEN_LANES_MAX>(work, keys, chains, n, [&](size_t first, size_t group, size_t padded) CAIRN_INLINE_LAMBDA {
    uint8_t *group_out = out + 16 * first * blocks;
    switch (padded) {
      case 4: return encrypt_group<1>(writing, work, group, in, blocks, group_out);
      case 8: return encrypt_group<2>(writing, work, group, in, blocks, group_out);
      case 16: return encrypt_group<4>(writing, work, group, in, blocks, group_out);
      case 24: return encrypt_group<6>(writing, work, group, in, blocks, group_out);
      default: return encrypt_group<8>(writing, work, group, in, blocks, group_out);
    }
  });
  if (writing == Writing::streaming) _mm_sfence();
}

// As encrypt_staged, but only the wanted blocks leave the registers. @param first identity of the group
template <int V>
__attribute__((noinline)) void sample_group(Work &work, size_t first, size_t n, const uint8_t *in, size_t blocks, const Samples &wanted, uint8_t *out) {
  __m512i x[V];
  EACH_VECTOR(V) x[v] = _mm512_load_si512(work.chains[4 * v]);
  size_t at = 0;
  for (size_t s = 0; s <= wanted.count; s++) {
    const size_t lane = s < wanted.count ? wanted.lane(s) - first : 0;
    if (s < wanted.count && lane >= n) continue;
    // Blocks ascend: the one wanted is the next to come, or the last that came.
    const size_t end = s < wanted.count ? wanted.block(s) + 1 : blocks;
    if (at < end) {
      for (; at < end; at++) step<V>(work, x, in + 16 * at);
      EACH_VECTOR(V) work.line[0][v] = x[v];
    }
    if (s < wanted.count) memcpy(out + 16 * s, reinterpret_cast<const uint8_t *>(work.line[0]) + 16 * lane, 16);
  }
  EACH_VECTOR(V) _mm512_store_si512(work.chains[4 * v], x[v]);
}

void sample_many(const uint8_t *keys, uint8_t *chains, size_t n, const uint8_t *in, size_t blocks, Samples wanted, uint8_t *out) {
  Work work;
  each_group<SAMPLED_LANES_MAX>(work, keys, chains, n, [&](size_t first, size_t group, size_t padded) CAIRN_INLINE_LAMBDA {
    switch (padded) {
      case 4: return sample_group<1>(work, first, group, in, blocks, wanted, out);
      case 8: return sample_group<2>(work, first, group, in, blocks, wanted, out);
      case 16: return sample_group<4>(work, first, group, in, blocks, wanted, out);
      case 24: return sample_group<6>(work, first, group, in, blocks, wanted, out);
      case 32: return sample_group<8>(work, first, group, in, blocks, wanted, out);
      case 40: return sample_group<10>(work, first, group, in, blocks, wanted, out);
      default: return sample_group<12>(work, first, group, in, blocks, wanted, out);
    }
  });
}

}  // namespace

CAIRN_TARGET_END

AesKernels aes_vaes() {
  AesKernels kernels = aes_ni();
  return {"c++ vaes", kernels.encrypt, kernels.decrypt, encrypt_many, sample_many};
}
#else
AesKernels aes_vaes() { return {}; }
#endif
