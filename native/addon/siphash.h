// SipHash-1-3 of a 20-byte address: one at a time.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "target.h"

struct SipHash {
  uint64_t k0, k1;

  explicit SipHash(const uint8_t *secret) {
    memcpy(&k0, secret, 8);
    memcpy(&k1, secret + 8, 8);
  }

  static uint64_t rotl(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

  static void round(uint64_t &v0, uint64_t &v1, uint64_t &v2, uint64_t &v3) {
    v0 += v1, v1 = rotl(v1, 13) ^ v0, v0 = rotl(v0, 32);
    v2 += v3, v3 = rotl(v3, 16) ^ v2;
    v0 += v3, v3 = rotl(v3, 21) ^ v0;
    v2 += v1, v1 = rotl(v1, 17) ^ v2, v2 = rotl(v2, 32);
  }

  uint64_t one(const uint8_t *address) const {
    uint64_t words[3] = {0, 0, 0};
    memcpy(words, address, 20);
    words[2] |= (uint64_t)20 << 56;
    uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d, v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
    for (uint64_t word : words) {
      v3 ^= word;
      round(v0, v1, v2, v3);
      v0 ^= word;
    }
    v2 ^= 0xff;
    for (int i = 0; i < 3; i++) round(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
  }

  void block(const uint8_t *keys, size_t stride, uint64_t *hashes) const {
    for (size_t i = 0; i < 8; i++) hashes[i] = one(keys + i * stride);
  }
};
