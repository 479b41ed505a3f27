// SHA-256 of many independent messages in 32 lanes of AVX-512; single messages and chains, small batches and what is left of large ones go to the SHA
// instructions, which do one block in a third of the time but only four at once. Source: FIPS 180-4.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "sha256_message.h"
#include "sha256_stretch.h"
#include "target.h"

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq")

namespace {

#include "sha256_lanes32.h"

// Fewer lanes than these are done sooner by the SHA instructions (measured: 32 lanes take as long as 17 there).
constexpr size_t LANES_MIN = 18;
// Messages of different lengths: the last ones leave lanes idle, so a batch must be long.
constexpr size_t RAGGED_MIN = 4 * LANES;

// Lane l's 32 bytes in and out of a state.
void set_lane(State32 &state, int l, const uint8_t *bytes) {
  for (int i = 0; i < 8; i++) {
    uint32_t word;
    memcpy(&word, bytes + 4 * i, 4);
    reinterpret_cast<uint32_t *>(&state.words[l / 16][i])[l % 16] = __builtin_bswap32(word);
  }
}

void get_lane(const State32 &state, int l, uint8_t *bytes) {
  for (int i = 0; i < 8; i++) {
    const uint32_t word = __builtin_bswap32(reinterpret_cast<const uint32_t *>(&state.words[l / 16][i])[l % 16]);
    memcpy(bytes + 4 * i, &word, 4);
  }
}

// Every lane `count` steps on.
void step_lanes(State32 &state, uint32_t count) {
  for (uint32_t n = 0; n < count; n++) {
    Block32 block;
    for (int g = 0; g < GROUPS; g++) {
      for (int i = 0; i < 8; i++) block.words[g][i] = state.words[g][i];
      block.words[g][8] = _mm512_set1_epi32((int)0x80000000);
      for (int i = 9; i < 15; i++) block.words[g][i] = _mm512_setzero_si512();
      block.words[g][15] = _mm512_set1_epi32(256);
    }
    set_initial(state);
    compress32(state, block);
  }
}

// As in sha256_ni.cc: all lanes step as far as the shortest allows, then finished ones are judged and refilled.
int64_t poh_verify(const uint8_t *hashes, const uint32_t *steps, const uint8_t *has_mixin, const uint8_t *mixins, size_t n) {
  const PohBatch batch = {hashes, steps, has_mixin, mixins, n};
  PohStretch lanes[LANES];
  bool is_busy[LANES] = {};
  State32 state;
  set_initial(state);
  // Stretches are begun in order, so the lowest wrong one is among those begun when one was found.
  int64_t first_wrong = -1;
  size_t next = 0;
  for (;;) {
    size_t busy = 0;
    uint32_t count = UINT32_MAX;
    for (int l = 0; l < LANES; l++) {
      if (!is_busy[l] && next < n && first_wrong < 0) {
        batch.load(next++, lanes[l]);
        set_lane(state, l, lanes[l].state);
        is_busy[l] = true;
      }
      if (!is_busy[l]) continue;
      busy++;
      if (lanes[l].left < count) count = lanes[l].left;
    }
    if (busy < LANES_MIN) break;
    step_lanes(state, count);
    for (int l = 0; l < LANES; l++) {
      if (!is_busy[l] || (lanes[l].left -= count) != 0) continue;
      is_busy[l] = false;
      get_lane(state, l, lanes[l].state);
      if (!sha256_ni_ends_right(lanes[l])) note_wrong(first_wrong, lanes[l].index);
    }
  }
  size_t rest = 0;
  for (int l = 0; l < LANES; l++) {
    if (!is_busy[l]) continue;
    get_lane(state, l, lanes[l].state);
    lanes[rest++] = lanes[l];
  }
  const int64_t wrong_in_rest = sha256_ni_finish(lanes, rest);
  if (wrong_in_rest >= 0) note_wrong(first_wrong, wrong_in_rest);
  return first_wrong;
}

// 32 nodes: block one is the prefix and 63 bytes, block two the last byte and constant padding.
void hash_pairs(uint8_t prefix, const uint8_t *pairs, uint8_t (&out)[LANES][32]) {
  State32 state;
  Block32 block;
  set_initial(state);
  const __m512i first = _mm512_zextsi128_si512(_mm_cvtsi32_si128(prefix));
  for (int g = 0; g < GROUPS; g++) {
    __m512i rows[16];
    // The masked-out byte before the pair is not read.
    for (int l = 0; l < 16; l++) rows[l] = _mm512_or_si512(first, _mm512_maskz_loadu_epi8(~1ull, pairs + 64 * (16 * g + l) - 1));
    set_block(block.words[g], rows);
  }
  compress32(state, block);
  for (int g = 0; g < GROUPS; g++) {
    alignas(64) uint32_t last[16];
    for (int l = 0; l < 16; l++) last[l] = (uint32_t)pairs[64 * (16 * g + l) + 63] << 24 | 0x00800000;
    block.words[g][0] = _mm512_load_si512(last);
    for (int i = 1; i < 15; i++) block.words[g][i] = _mm512_setzero_si512();
    block.words[g][15] = _mm512_set1_epi32(65 * 8);
  }
  compress32(state, block);
  store_digests(state, out);
}

void pairs(uint8_t prefix, const uint8_t *input, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) hash_pairs(prefix, input + 64 * i, *reinterpret_cast<uint8_t(*)[LANES][32]>(out + 32 * i));
  if (i < n) sha256_ni().pairs(prefix, input + 64 * i, n - i, out + 32 * i);
}

// A lane of `many`: the message it is working on, and how far it got.
struct Lane {
  PaddedMessage message;
  size_t at;
  uint8_t *out;  // null: idle
};

// Messages 0 .. n - 1, n at least LANES_MIN. Lanes are refilled as they finish.
void many_lanes(uint8_t prefix, const uint8_t *data, const Ranges &ranges, size_t n, uint8_t *out) {
  alignas(64) static const uint8_t idle[64] = {};
  Lane lanes[LANES];
  State32 state;
  set_initial(state);
  for (Lane &lane : lanes) lane.out = nullptr;
  uint8_t initial[32];
  get_lane(state, 0, initial);
  size_t next = 0;
  for (;;) {
    int busy = 0;
    size_t run = SIZE_MAX;  // blocks all busy lanes can do before one finishes
    for (int l = 0; l < LANES; l++) {
      Lane &lane = lanes[l];
      if (!lane.out && next < n) {
        const size_t start = ranges.start(next);
        lane.message.set(prefix, data + start, ranges.start(next + 1) - start);
        lane.at = 0;
        lane.out = out + 32 * next++;
        set_lane(state, l, initial);
      }
      if (!lane.out) continue;
      busy++;
      if (lane.message.block_count - lane.at < run) run = lane.message.block_count - lane.at;
    }
    if (busy < (int)LANES_MIN) break;
    for (size_t i = 0; i < run; i++) {
      Block32 block;
      for (int g = 0; g < GROUPS; g++) {
        __m512i rows[16];
        for (int l = 0; l < 16; l++) {
          Lane &lane = lanes[16 * g + l];
          rows[l] = _mm512_loadu_si512(lane.out ? lane.message.block(lane.at++) : idle);
        }
        set_block(block.words[g], rows);
      }
      compress32(state, block);
    }
    for (int l = 0; l < LANES; l++) {
      if (!lanes[l].out || lanes[l].at < lanes[l].message.block_count) continue;
      get_lane(state, l, lanes[l].out);
      lanes[l].out = nullptr;
    }
  }
  for (int l = 0; l < LANES; l++) {
    if (!lanes[l].out) continue;
    uint8_t bytes[32];
    get_lane(state, l, bytes);
    sha256_ni_finish_message(bytes, lanes[l].message, lanes[l].at, lanes[l].out);
  }
}

void many(uint8_t prefix, const uint8_t *data, Ranges ranges, size_t n, uint8_t *out) {
  if (ranges.offsets) return n >= RAGGED_MIN ? many_lanes(prefix, data, ranges, n, out) : sha256_ni().many(prefix, data, ranges, n, out);
  // Equal leaves: whole groups of lanes, and a last one when it is worth it.
  const size_t rest = n % LANES, in_lanes = rest >= LANES_MIN ? n : n - rest, done = in_lanes * ranges.leaf_bytes;
  if (in_lanes > 0) many_lanes(prefix, data, ranges, in_lanes, out);
  if (in_lanes < n) sha256_ni().many(prefix, data + done, Ranges{nullptr, ranges.leaf_bytes, ranges.total_bytes - done}, n - in_lanes, out + 32 * in_lanes);
}

}  // namespace

CAIRN_TARGET_END

Sha256Kernels sha256_avx512() {
  const Sha256Kernels ni = sha256_ni();
  return {"c++ sha-ni, avx-512", ni.hash, ni.chain, poh_verify, pairs, many};
}
#else
Sha256Kernels sha256_avx512() { return {}; }
#endif
