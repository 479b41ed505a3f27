// AES-256-CBC with the Merkle leaves of what goes in and of what comes out hashed meanwhile: encoding a replica on one core. A chain waits 14 rounds for every
// block and leaves most units idle, and 32 lanes of SHA-256 use those: one cipher block is put into every round of the hash. The input of 32 leaves is hashed
// while their first half is encrypted, the output of the 32 before during the second. Two chains go side by side, so that the second hides behind the first
// one's latency: there is twice as much to hash, and half a block of both in every round. Sources: aes_ni.cc, sha256_lanes32.h.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "aes_key.h"
#include "sha256_message.h"
#include "target.h"

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq,aes,sse4.1")

namespace {

#include "sha256_lanes32.h"

CAIRN_INLINE __m128i load(const uint8_t *p) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(p)); }
CAIRN_INLINE void store(uint8_t *p, __m128i x) { _mm_storeu_si128(reinterpret_cast<__m128i *>(p), x); }

// K chains of equal length, block by block. `x` is the next block's state after the first round key: see aes_ni.cc.
template <int K>
struct Chains {
  const AesRoundKeys *keys;
  const uint8_t *in[K];
  uint8_t *out[K];
  size_t at, end;  // bytes of each that are encrypted, and that there are
  size_t ahead;    // bytes between what is encrypted and what is fetched
  __m128i x[K];

  // One of PARTS equal parts of a block's rounds, in order.
  template <int PARTS>
  CAIRN_INLINE_MEMBER void step(int part) {
    if (at == end) return;
    const int last = 14 * (part + 1) / PARTS;
#pragma GCC unroll 14
    for (int r = 1 + 14 * part / PARTS; r <= last && r < 14; r++)
#pragma GCC unroll 2
      for (int k = 0; k < K; k++) x[k] = _mm_aesenc_si128(x[k], keys[k].round[r]);
    if (part == PARTS - 1) finish_block();
  }

  CAIRN_INLINE_MEMBER void finish_block() {
    const size_t next_at = at + 16;
#pragma GCC unroll 2
    for (int k = 0; k < K; k++) {
      // The leaves of a group are read side by side, which no prefetcher of the CPU foresees.
      _mm_prefetch(reinterpret_cast<const char *>(in[k] + at + ahead), _MM_HINT_T0);
      const __m128i next = next_at == end ? _mm_setzero_si128() : _mm_xor_si128(load(in[k] + next_at), keys[k].round[0]);
      x[k] = _mm_aesenclast_si128(x[k], _mm_xor_si128(keys[k].round[14], next));
      store(out[k] + at, _mm_xor_si128(x[k], next));
    }
    at = next_at;
  }

  // K chains bring K times as many leaves, so each round of hashing has a K-th of a block to do. Sixteen rounds are whole blocks.
  CAIRN_INLINE_MEMBER void step(int round) {
    static_assert(16 % K == 0, "a block must not be left half done");
    step<K>(round % K);
  }
};

// The 32 leaves at `data`, with the chains' steps between the rounds.
template <int K>
__attribute__((noinline)) void hash_leaves(uint8_t prefix, const uint8_t *data, size_t leaf_bytes, uint8_t *out, Chains<K> &given) {
  PaddedMessage messages[LANES];
  for (int l = 0; l < LANES; l++) messages[l].set(prefix, data + l * leaf_bytes, leaf_bytes);
  Chains<K> chains = given;
  State32 state;
  set_initial(state);
  for (size_t i = 0; i < messages[0].block_count; i++) {
    Block32 block;
    for (int g = 0; g < GROUPS; g++) {
      __m512i rows[16];
#pragma GCC unroll 16
      for (int l = 0; l < 16; l++) rows[l] = _mm512_loadu_si512(messages[16 * g + l].block(i));
      set_block(block.words[g], rows);
    }
    compress32_beside(state, block, chains);
  }
  store_digests(state, *reinterpret_cast<uint8_t(*)[LANES][32]>(out));
  given.at = chains.at;
  for (int k = 0; k < K; k++) given.x[k] = chains.x[k];
}

// The leaves from `done` on, of which there is no group of 32 any more.
void hash_rest(uint8_t prefix, const uint8_t *data, size_t done, size_t size, size_t leaf_bytes, uint8_t *hashes) {
  if (done == size) return;
  const size_t left = size - done;
  sha256_avx512().many(prefix, data + done, Ranges{nullptr, leaf_bytes, left}, left / leaf_bytes, hashes + 32 * (done / leaf_bytes));
}

template <int K>
void encrypt_lanes(const EncodeLane *lanes, size_t size, uint8_t prefix, size_t leaf_bytes) {
  if (size == 0) return;
  const size_t group = LANES * leaf_bytes;
  AesRoundKeys keys[K];
  Chains<K> chains = {keys, {}, {}, 0, size, group, {}};
  for (int k = 0; k < K; k++) {
    keys[k] = aes_expand(lanes[k].key);
    chains.in[k] = lanes[k].in;
    chains.out[k] = lanes[k].out;
    chains.x[k] = _mm_xor_si128(load(lanes[k].chain), _mm_xor_si128(load(lanes[k].in), keys[k].round[0]));
  }
  size_t done = 0;
  for (; done + group <= size; done += group) {
    const size_t at = 32 * (done / leaf_bytes);
    for (int k = 0; k < K; k++) hash_leaves<K>(prefix, lanes[k].in + done, leaf_bytes, lanes[k].in_hashes + at, chains);
    for (int k = 0; done > 0 && k < K; k++)
      hash_leaves<K>(prefix, lanes[k].out + done - group, leaf_bytes, lanes[k].out_hashes + at - 32 * LANES, chains);
    // What is hashed next must have been written.
    while (chains.at < done + group) chains.template step<1>(0);
  }
  while (chains.at < size) chains.template step<1>(0);
  for (int k = 0; k < K; k++) {
    store(lanes[k].chain, load(lanes[k].out + size - 16));
    hash_rest(prefix, lanes[k].in, done, size, leaf_bytes, lanes[k].in_hashes);
    hash_rest(prefix, lanes[k].out, done > 0 ? done - group : 0, size, leaf_bytes, lanes[k].out_hashes);
  }
}

void encrypt(const EncodeLane *lanes, size_t n, size_t size, uint8_t prefix, size_t leaf_bytes) {
  for (; n >= 2; n -= 2, lanes += 2) encrypt_lanes<2>(lanes, size, prefix, leaf_bytes);
  if (n == 1) encrypt_lanes<1>(lanes, size, prefix, leaf_bytes);
}

}  // namespace

CAIRN_TARGET_END

EncodeKernel encode_avx512() { return {"c++ aes-ni between avx-512 sha", encrypt}; }
#else
EncodeKernel encode_avx512() { return {}; }
#endif
