// AES-256-CBC with the Merkle leaves of what goes in and of what comes out hashed meanwhile: encoding a replica on one core. A chain waits 14 rounds for every
// block and leaves most units idle, and 32 lanes of SHA-256 use those: one cipher block is put into every round of the hash. The input of 32 leaves is hashed
// while their first half is encrypted, the output of the 32 before during the second. Sources: aes_ni.cc, sha256_lanes32.h.
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

// One chain, block by block. `x` is the next block's state after the first round key: see aes_ni.cc.
struct Chain {
  const AesRoundKeys &keys;
  const uint8_t *in;
  uint8_t *out;
  const uint8_t *end;  // of the input
  size_t ahead;        // bytes between what is encrypted and what is fetched
  __m128i x;

  CAIRN_INLINE_MEMBER void step() {
    if (in == end) return;
    // The leaves of a group are read side by side, which no prefetcher of the CPU foresees.
    _mm_prefetch(reinterpret_cast<const char *>(in) + ahead, _MM_HINT_T0);
    in += 16;
    const __m128i next = in == end ? _mm_setzero_si128() : _mm_xor_si128(load(in), keys.round[0]);
#pragma GCC unroll 14
    for (int r = 1; r < 14; r++) x = _mm_aesenc_si128(x, keys.round[r]);
    x = _mm_aesenclast_si128(x, _mm_xor_si128(keys.round[14], next));
    store(out, _mm_xor_si128(x, next));
    out += 16;
  }
};

// The 32 leaves at `data`, with the chain's steps between the rounds.
__attribute__((noinline)) void hash_leaves(uint8_t prefix, const uint8_t *data, size_t leaf_bytes, uint8_t *out, Chain &given) {
  PaddedMessage messages[LANES];
  for (int l = 0; l < LANES; l++) messages[l].set(prefix, data + l * leaf_bytes, leaf_bytes);
  Chain chain = given;
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
    compress32_beside(state, block, chain);
  }
  store_digests(state, *reinterpret_cast<uint8_t(*)[LANES][32]>(out));
  given.in = chain.in;
  given.out = chain.out;
  given.x = chain.x;
}

void encrypt(const uint8_t *key, uint8_t *chain_bytes, const uint8_t *in, size_t size, uint8_t *out, uint8_t prefix, size_t leaf_bytes,
             uint8_t *in_hashes, uint8_t *out_hashes) {
  const Sha256Kernels rest = sha256_avx512();
  const size_t group = LANES * leaf_bytes;
  const AesRoundKeys keys = aes_expand(key);
  Chain chain = {keys, in, out, in + size, group, _mm_setzero_si128()};
  if (size > 0) chain.x = _mm_xor_si128(load(chain_bytes), _mm_xor_si128(load(in), keys.round[0]));
  size_t done = 0;
  for (; done + group <= size; done += group) {
    const size_t leaf = done / leaf_bytes;
    hash_leaves(prefix, in + done, leaf_bytes, in_hashes + 32 * leaf, chain);
    if (done >= group) hash_leaves(prefix, out + done - group, leaf_bytes, out_hashes + 32 * (leaf - LANES), chain);
    // What is hashed next must have been written.
    while (chain.in < in + done + group) chain.step();
  }
  while (chain.in < chain.end) chain.step();
  if (size > 0) store(chain_bytes, load(out + size - 16));
  if (done < size) rest.many(prefix, in + done, Ranges{nullptr, leaf_bytes, size - done}, (size - done) / leaf_bytes, in_hashes + 32 * (done / leaf_bytes));
  const size_t hashed = done >= group ? done - group : 0;
  if (hashed < size)
    rest.many(prefix, out + hashed, Ranges{nullptr, leaf_bytes, size - hashed}, (size - hashed) / leaf_bytes, out_hashes + 32 * (hashed / leaf_bytes));
}

}  // namespace

CAIRN_TARGET_END

EncodeKernel encode_avx512() { return {"c++ aes-ni between avx-512 sha", encrypt}; }
#else
EncodeKernel encode_avx512() { return {}; }
#endif
