// AES-256-CBC with AES-NI. One chain cannot be parallel when encrypting, so many identities are run side by side; decryption
// is parallel within one chain. Source: FIPS 197; NIST SP 800-38A, 6.2; Intel's AES-NI white paper (key expansion).
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "aes_key.h"
#include "target.h"

CAIRN_TARGET_BEGIN("aes,sse4.1")

namespace {

// Enough blocks in flight to hide the latency of a round.
constexpr int LANES = 8;

#define EACH_LANE(count) _Pragma("GCC unroll 16") for (int l = 0; l < (count); l++)

CAIRN_INLINE __m128i load(const uint8_t *p) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(p)); }
CAIRN_INLINE void store(uint8_t *p, __m128i x) { _mm_storeu_si128(reinterpret_cast<__m128i *>(p), x); }

// The chain is all latency, so nothing but the 14 rounds lies on it: the next plaintext and the first round key are put into this block's last
// round key, since aesenclast(x, k) ^ p = aesenclast(x, k ^ p).
void encrypt(const uint8_t *key, uint8_t *chain, const uint8_t *in, size_t blocks, uint8_t *out) {
  if (blocks == 0) return;
  const AesRoundKeys keys = aes_expand(key);
  __m128i x = _mm_xor_si128(load(chain), _mm_xor_si128(load(in), keys.round[0]));
  for (size_t i = 0; i < blocks; i++) {
#pragma GCC unroll 14
    for (int r = 1; r < 14; r++) x = _mm_aesenc_si128(x, keys.round[r]);
    // Read before this block is written, so in and out may be the same.
    const __m128i next = i + 1 < blocks ? _mm_xor_si128(load(in + 16 * (i + 1)), keys.round[0]) : _mm_setzero_si128();
    x = _mm_aesenclast_si128(x, _mm_xor_si128(keys.round[14], next));
    store(out + 16 * i, _mm_xor_si128(x, next));
  }
  store(chain, x);
}

void decrypt(const uint8_t *key, uint8_t *chain, const uint8_t *in, size_t blocks, uint8_t *out) {
  const AesRoundKeys forward = aes_expand(key);
  AesRoundKeys keys;
  keys.round[0] = forward.round[14];
  for (int r = 1; r < 14; r++) keys.round[r] = _mm_aesimc_si128(forward.round[14 - r]);
  keys.round[14] = forward.round[0];
  __m128i previous = load(chain);
  size_t i = 0;
  // All cipher blocks of a group are read before any is overwritten, so in and out may be the same.
  for (; i + LANES <= blocks; i += LANES) {
    __m128i c[LANES], x[LANES];
    EACH_LANE(LANES) {
      c[l] = load(in + 16 * (i + l));
      x[l] = _mm_xor_si128(c[l], keys.round[0]);
    }
#pragma GCC unroll 14
    for (int r = 1; r < 14; r++) EACH_LANE(LANES) x[l] = _mm_aesdec_si128(x[l], keys.round[r]);
    EACH_LANE(LANES) {
      x[l] = _mm_xor_si128(_mm_aesdeclast_si128(x[l], keys.round[14]), l ? c[l - 1] : previous);
      store(out + 16 * (i + l), x[l]);
    }
    previous = c[LANES - 1];
  }
  for (; i < blocks; i++) {
    const __m128i c = load(in + 16 * i);
    __m128i x = _mm_xor_si128(c, keys.round[0]);
    for (int r = 1; r < 14; r++) x = _mm_aesdec_si128(x, keys.round[r]);
    store(out + 16 * i, _mm_xor_si128(_mm_aesdeclast_si128(x, keys.round[14]), previous));
    previous = c;
  }
  store(chain, previous);
}

template <int N>
void encrypt_lanes(const uint8_t *key_bytes, uint8_t *chains, const uint8_t *in, size_t blocks, uint8_t *out) {
  AesRoundKeys keys[N];
  __m128i x[N];
  EACH_LANE(N) {
    keys[l] = aes_expand(key_bytes + 32 * l);
    x[l] = load(chains + 16 * l);
  }
  for (size_t i = 0; i < blocks; i++) {
    const __m128i plain = load(in + 16 * i);
    EACH_LANE(N) x[l] = _mm_xor_si128(_mm_xor_si128(x[l], plain), keys[l].round[0]);
#pragma GCC unroll 14
    for (int r = 1; r < 14; r++) EACH_LANE(N) x[l] = _mm_aesenc_si128(x[l], keys[l].round[r]);
    EACH_LANE(N) {
      x[l] = _mm_aesenclast_si128(x[l], keys[l].round[14]);
      store(out + 16 * (l * blocks + i), x[l]);
    }
  }
  EACH_LANE(N) store(chains + 16 * l, x[l]);
}

void encrypt_many(const uint8_t *keys, uint8_t *chains, size_t n, const uint8_t *in, size_t blocks, uint8_t *out) {
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) encrypt_lanes<LANES>(keys + 32 * i, chains + 16 * i, in, blocks, out + 16 * i * blocks);
  for (; i + 4 <= n; i += 4) encrypt_lanes<4>(keys + 32 * i, chains + 16 * i, in, blocks, out + 16 * i * blocks);
  for (; i < n; i++) encrypt_lanes<1>(keys + 32 * i, chains + 16 * i, in, blocks, out + 16 * i * blocks);
}

}  // namespace

CAIRN_TARGET_END

AesKernels aes_ni() { return {"c++ aes-ni", encrypt, decrypt, encrypt_many, nullptr}; }
#else
AesKernels aes_ni() { return {}; }
#endif
