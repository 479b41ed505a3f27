// SHA-256 with the SHA instructions, N independent messages interleaved: one message waits on the latency of its rounds, and the
// others fill the gaps. Source: FIPS 180-4; Intel SDM, SHA256RNDS2, SHA256MSG1, SHA256MSG2.
//
// State is kept as the instructions want it: s0 = {F, E, B, A}, s1 = {H, G, D, C}, lowest word first.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "sha256_message.h"
#include "sha256_stretch.h"
#include "target.h"

CAIRN_TARGET_BEGIN("sha,sse4.1,ssse3")

namespace {

// Lanes for chains and for batches of messages: measured best of 1 .. 4 on an EPYC.
constexpr int CHAIN_LANES = 4;
constexpr int MESSAGE_LANES = 4;

#define ROUND_K(r) _mm_load_si128(reinterpret_cast<const __m128i *>(SHA256_K) + (r))
#define EACH_LANE _Pragma("GCC unroll 8") for (int l = 0; l < N; l++)

template <int N>
struct State {
  __m128i s0[N], s1[N];
};

CAIRN_INLINE __m128i byte_swap_words() { return _mm_set_epi64x(0x0c0d0e0f08090a0bULL, 0x0405060700010203ULL); }
CAIRN_INLINE __m128i initial_s0() { return _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c); }
CAIRN_INLINE __m128i initial_s1() { return _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19); }

// Rounds 4r .. 4r + 3 of all lanes, and the schedule four to twelve rounds ahead. m[j] holds words 4j .. 4j + 3 (mod 16).
template <int N, int R>
CAIRN_INLINE void four_rounds(State<N> &s, __m128i (&m)[4][N]) {
  __m128i wk[N];
  EACH_LANE wk[l] = _mm_add_epi32(m[R & 3][l], ROUND_K(R));
  EACH_LANE s.s1[l] = _mm_sha256rnds2_epu32(s.s1[l], s.s0[l], wk[l]);
  if (R >= 3 && R < 15) {
    EACH_LANE {
      const __m128i w7 = _mm_alignr_epi8(m[R & 3][l], m[(R + 3) & 3][l], 4);
      m[(R + 1) & 3][l] = _mm_sha256msg2_epu32(_mm_add_epi32(m[(R + 1) & 3][l], w7), m[R & 3][l]);
    }
  }
  EACH_LANE s.s0[l] = _mm_sha256rnds2_epu32(s.s0[l], s.s1[l], _mm_shuffle_epi32(wk[l], 0x0e));
  if (R >= 1 && R < 13) {
    EACH_LANE m[(R + 3) & 3][l] = _mm_sha256msg1_epu32(m[(R + 3) & 3][l], m[R & 3][l]);
  }
}

template <int N>
CAIRN_INLINE void sixty_four_rounds(State<N> &s, __m128i (&m)[4][N]) {
  four_rounds<N, 0>(s, m);
  four_rounds<N, 1>(s, m);
  four_rounds<N, 2>(s, m);
  four_rounds<N, 3>(s, m);
  four_rounds<N, 4>(s, m);
  four_rounds<N, 5>(s, m);
  four_rounds<N, 6>(s, m);
  four_rounds<N, 7>(s, m);
  four_rounds<N, 8>(s, m);
  four_rounds<N, 9>(s, m);
  four_rounds<N, 10>(s, m);
  four_rounds<N, 11>(s, m);
  four_rounds<N, 12>(s, m);
  four_rounds<N, 13>(s, m);
  four_rounds<N, 14>(s, m);
  four_rounds<N, 15>(s, m);
}

// state += rounds(state, m).
template <int N>
CAIRN_INLINE void compress(State<N> &s, __m128i (&m)[4][N]) {
  State<N> before = s;
  sixty_four_rounds<N>(s, m);
  EACH_LANE {
    s.s0[l] = _mm_add_epi32(s.s0[l], before.s0[l]);
    s.s1[l] = _mm_add_epi32(s.s1[l], before.s1[l]);
  }
}

template <int N>
CAIRN_INLINE void set_initial(State<N> &s) {
  EACH_LANE {
    s.s0[l] = initial_s0();
    s.s1[l] = initial_s1();
  }
}

// The digest's words in natural order: {A, B, C, D} and {E, F, G, H}.
CAIRN_INLINE __m128i words_abcd(__m128i s0, __m128i s1) { return _mm_shuffle_epi32(_mm_unpackhi_epi64(s0, s1), 0xb1); }
CAIRN_INLINE __m128i words_efgh(__m128i s0, __m128i s1) { return _mm_shuffle_epi32(_mm_unpacklo_epi64(s0, s1), 0xb1); }

CAIRN_INLINE __m128i load_words(const uint8_t *p) {
  return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)), byte_swap_words());
}
CAIRN_INLINE void store_words(uint8_t *p, __m128i words) {
  _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm_shuffle_epi8(words, byte_swap_words()));
}
CAIRN_INLINE void store_digest(uint8_t *out, __m128i s0, __m128i s1) {
  store_words(out, words_abcd(s0, s1));
  store_words(out + 16, words_efgh(s0, s1));
}

// N states of 32 bytes, each stepped `count` times.
template <int N>
CAIRN_INLINE void chain_lanes(uint8_t *const (&states)[N], uint32_t count) {
  __m128i low[N], high[N];
  EACH_LANE {
    low[l] = load_words(states[l]);
    high[l] = load_words(states[l] + 16);
  }
  for (uint32_t n = 0; n < count; n++) {
    State<N> s;
    __m128i m[4][N];
    set_initial<N>(s);
    EACH_LANE {
      m[0][l] = low[l];
      m[1][l] = high[l];
      m[2][l] = _mm_set_epi32(0, 0, 0, (int)0x80000000);
      m[3][l] = _mm_set_epi32(256, 0, 0, 0);
    }
    sixty_four_rounds<N>(s, m);
    EACH_LANE {
      const __m128i s0 = _mm_add_epi32(s.s0[l], initial_s0()), s1 = _mm_add_epi32(s.s1[l], initial_s1());
      low[l] = words_abcd(s0, s1);
      high[l] = words_efgh(s0, s1);
    }
  }
  EACH_LANE {
    store_words(states[l], low[l]);
    store_words(states[l] + 16, high[l]);
  }
}

void chain(uint8_t *state, uint32_t count) {
  uint8_t *const states[1] = {state};
  chain_lanes<1>(states, count);
}

// One block from each of N pointers.
template <int N>
CAIRN_INLINE void compress_blocks(State<N> &s, const uint8_t *const (&blocks)[N]) {
  __m128i m[4][N];
  EACH_LANE {
    m[0][l] = load_words(blocks[l]);
    m[1][l] = load_words(blocks[l] + 16);
    m[2][l] = load_words(blocks[l] + 32);
    m[3][l] = load_words(blocks[l] + 48);
  }
  compress<N>(s, m);
}

void hash_message(const PaddedMessage &message, uint8_t *out) {
  State<1> s;
  set_initial<1>(s);
  for (size_t i = 0; i < message.block_count; i++) {
    const uint8_t *const blocks[1] = {message.block(i)};
    compress_blocks<1>(s, blocks);
  }
  store_digest(out, s.s0[0], s.s1[0]);
}

void hash(const uint8_t *data, size_t size, uint8_t *out) {
  PaddedMessage message;
  message.set(-1, data, size);
  hash_message(message, out);
}

// Mixes in if it must, and compares with the recorded end.
bool ends_right(const PohStretch &stretch) {
  if (!stretch.has_mixin) return memcmp(stretch.state, stretch.expected, 32) == 0;
  uint8_t message[64], end[32];
  memcpy(message, stretch.state, 32);
  memcpy(message + 32, stretch.mixin, 32);
  hash(message, 64, end);
  return memcmp(end, stretch.expected, 32) == 0;
}

// Each lane holds one stretch; all step together as far as the shortest allows, then finished lanes are judged and refilled. `next(stretch,
// first_wrong)` gives the next one, or false.
template <typename Next>
int64_t verify_lanes(Next next) {
  constexpr int N = CHAIN_LANES;
  PohStretch lanes[N];
  uint8_t *states[N];
  bool is_busy[N] = {};
  int64_t first_wrong = -1;
  for (int l = 0; l < N; l++) {
    memset(lanes[l].state, 0, 32);
    states[l] = lanes[l].state;
  }
  for (;;) {
    int busy = 0, last_busy = 0;
    uint32_t count = UINT32_MAX;
    for (int l = 0; l < N; l++) {
      if (!is_busy[l]) is_busy[l] = next(lanes[l], first_wrong);
      if (!is_busy[l]) continue;
      busy++;
      last_busy = l;
      if (lanes[l].left < count) count = lanes[l].left;
    }
    if (busy == 0) return first_wrong;
    if (busy == 1)
      chain(states[last_busy], count);
    else if (count > 0)
      chain_lanes<N>(states, count);
    for (int l = 0; l < N; l++) {
      if (!is_busy[l] || (lanes[l].left -= count) != 0) continue;
      is_busy[l] = false;
      if (!ends_right(lanes[l])) note_wrong(first_wrong, lanes[l].index);
    }
  }
}

int64_t poh_verify(const uint8_t *hashes, const uint32_t *steps, const uint8_t *has_mixin, const uint8_t *mixins, size_t n) {
  const PohBatch batch = {hashes, steps, has_mixin, mixins, n};
  size_t next = 0;
  return verify_lanes([&](PohStretch &stretch, int64_t first_wrong) {
    if (next == n || first_wrong >= 0) return false;
    batch.load(next++, stretch);
    return true;
  });
}

// N nodes: block one is the prefix and 63 bytes, block two the last byte and constant padding.
template <int N>
CAIRN_INLINE void hash_pairs(uint8_t prefix, const uint8_t *pairs, uint8_t *out) {
  const __m128i swap = byte_swap_words();
  State<N> s;
  __m128i m[4][N];
  set_initial<N>(s);
  EACH_LANE {
    const uint8_t *p = pairs + 64 * l;
    const __m128i first = _mm_slli_si128(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)), 1);
    m[0][l] = _mm_shuffle_epi8(_mm_insert_epi8(first, prefix, 0), swap);
    m[1][l] = load_words(p + 15);
    m[2][l] = load_words(p + 31);
    m[3][l] = load_words(p + 47);
  }
  compress<N>(s, m);
  EACH_LANE {
    m[0][l] = _mm_cvtsi32_si128((int)(((uint32_t)pairs[64 * l + 63] << 24) | 0x00800000));
    m[1][l] = _mm_setzero_si128();
    m[2][l] = _mm_setzero_si128();
    m[3][l] = _mm_set_epi32(65 * 8, 0, 0, 0);
  }
  compress<N>(s, m);
  EACH_LANE store_digest(out + 32 * l, s.s0[l], s.s1[l]);
}

void pairs(uint8_t prefix, const uint8_t *input, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + MESSAGE_LANES <= n; i += MESSAGE_LANES) hash_pairs<MESSAGE_LANES>(prefix, input + 64 * i, out + 32 * i);
  for (; i < n; i++) hash_pairs<1>(prefix, input + 64 * i, out + 32 * i);
}

// A lane of `many`: the message it is working on, and how far it got.
struct Lane {
  PaddedMessage message;
  size_t at;
  uint8_t *out;  // null: idle
};

void many(uint8_t prefix, const uint8_t *data, Ranges ranges, size_t n, uint8_t *out) {
  constexpr int N = MESSAGE_LANES;
  static const uint8_t idle[64] = {};
  Lane lanes[N];
  State<N> s;
  set_initial<N>(s);
  for (int l = 0; l < N; l++) lanes[l].out = nullptr;
  size_t next = 0;
  for (;;) {
    int busy = 0;
    size_t run = SIZE_MAX;  // blocks all busy lanes can do before one finishes
    for (int l = 0; l < N; l++) {
      Lane &lane = lanes[l];
      if (!lane.out && next < n) {
        const size_t start = ranges.start(next);
        lane.message.set(prefix, data + start, ranges.start(next + 1) - start);
        lane.at = 0;
        lane.out = out + 32 * next++;
        s.s0[l] = initial_s0();
        s.s1[l] = initial_s1();
      }
      if (!lane.out) continue;
      busy++;
      if (lane.message.block_count - lane.at < run) run = lane.message.block_count - lane.at;
    }
    if (busy == 0) return;
    for (size_t i = 0; i < run; i++) {
      const uint8_t *blocks[N];
      for (int l = 0; l < N; l++) blocks[l] = lanes[l].out ? lanes[l].message.block(lanes[l].at++) : idle;
      compress_blocks<N>(s, blocks);
    }
    for (int l = 0; l < N; l++) {
      if (!lanes[l].out || lanes[l].at < lanes[l].message.block_count) continue;
      store_digest(lanes[l].out, s.s0[l], s.s1[l]);
      lanes[l].out = nullptr;
    }
  }
}

}  // namespace

void sha256_ni_finish_message(const uint8_t *state, const PaddedMessage &message, size_t at, uint8_t *out) {
  const __m128i low = _mm_shuffle_epi32(load_words(state), 0xb1), high = _mm_shuffle_epi32(load_words(state + 16), 0xb1);
  State<1> s;
  s.s0[0] = _mm_unpacklo_epi64(high, low);
  s.s1[0] = _mm_unpackhi_epi64(high, low);
  for (; at < message.block_count; at++) {
    const uint8_t *const blocks[1] = {message.block(at)};
    compress_blocks<1>(s, blocks);
  }
  store_digest(out, s.s0[0], s.s1[0]);
}

bool sha256_ni_ends_right(const PohStretch &stretch) { return ends_right(stretch); }

int64_t sha256_ni_finish(PohStretch *stretches, size_t n) {
  size_t next = 0;
  return verify_lanes([&](PohStretch &stretch, int64_t) {
    if (next == n) return false;
    stretch = stretches[next++];
    return true;
  });
}

CAIRN_TARGET_END

Sha256Kernels sha256_ni() { return {"c++ sha-ni", hash, chain, poh_verify, pairs, many}; }
#else
Sha256Kernels sha256_ni() { return {}; }
#endif
