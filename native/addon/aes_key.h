// AES-256 key expansion with AES-NI. Source: FIPS 197, 5.2.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "target.h"

struct AesRoundKeys {
  __m128i round[15];
};

CAIRN_TARGET_BEGIN("aes,sse4.1")

// x ^ x<<32 ^ x<<64 ^ x<<96: the running xor of a round key's four words.
CAIRN_INLINE __m128i aes_running_xor(__m128i x) {
  x = _mm_xor_si128(x, _mm_slli_si128(x, 4));
  return _mm_xor_si128(x, _mm_slli_si128(x, 8));
}

template <int RCON>
CAIRN_INLINE void aes_expand_step(AesRoundKeys &keys, int at) {
  __m128i even = keys.round[at - 2], odd = keys.round[at - 1];
  even = _mm_xor_si128(aes_running_xor(even), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, RCON), 0xff));
  keys.round[at] = even;
  if (at == 14) return;
  keys.round[at + 1] = _mm_xor_si128(aes_running_xor(odd), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(even, 0), 0xaa));
}

// The 15 round keys of a 32-byte key.
CAIRN_INLINE AesRoundKeys aes_expand(const uint8_t *key) {
  AesRoundKeys keys;
  keys.round[0] = _mm_loadu_si128(reinterpret_cast<const __m128i *>(key));
  keys.round[1] = _mm_loadu_si128(reinterpret_cast<const __m128i *>(key + 16));
  aes_expand_step<0x01>(keys, 2);
  aes_expand_step<0x02>(keys, 4);
  aes_expand_step<0x04>(keys, 6);
  aes_expand_step<0x08>(keys, 8);
  aes_expand_step<0x10>(keys, 10);
  aes_expand_step<0x20>(keys, 12);
  aes_expand_step<0x40>(keys, 14);
  return keys;
}

CAIRN_TARGET_END
