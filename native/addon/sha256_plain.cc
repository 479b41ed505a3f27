// SHA-256 in plain C++, for CPUs without SHA instructions. Source: FIPS 180-4, 6.2.2.
#include "kernels.h"
#include "sha256_message.h"

namespace {

inline uint32_t rotr(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

inline uint32_t load_be(const uint8_t *p) {
  uint32_t x;
  memcpy(&x, p, 4);
  return __builtin_bswap32(x);
}

// words: 16 message words in natural order, overwritten by the schedule.
// Inlined, so that a chain's constant padding is folded into its rounds.
__attribute__((always_inline)) inline void compress(uint32_t state[8], uint32_t w[16]) {
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  uint32_t bc = b ^ c;  // Maj(a, b, c) = b ^ ((a ^ b) & (b ^ c)), and a round's a ^ b is the next one's b ^ c
#pragma GCC unroll 64
  for (int t = 0; t < 64; t++) {
    if (t >= 16) {
      const uint32_t w15 = w[(t - 15) & 15], w2 = w[(t - 2) & 15];
      w[t & 15] += (rotr(w15, 7) ^ rotr(w15, 18) ^ (w15 >> 3)) + w[(t - 7) & 15] + (rotr(w2, 17) ^ rotr(w2, 19) ^ (w2 >> 10));
    }
    const uint32_t t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g))) + SHA256_K[t] + w[t & 15];
    const uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + (b ^ ((a ^ b) & bc));
    bc = a ^ b;
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void compress_block(uint32_t state[8], const uint8_t *block) {
  uint32_t w[16];
  for (int i = 0; i < 16; i++) w[i] = load_be(block + 4 * i);
  compress(state, w);
}

void store(const uint32_t state[8], uint8_t *out) {
  for (int i = 0; i < 8; i++) {
    const uint32_t x = __builtin_bswap32(state[i]);
    memcpy(out + 4 * i, &x, 4);
  }
}

void hash_message(const PaddedMessage &message, uint8_t *out) {
  uint32_t state[8];
  memcpy(state, SHA256_INITIAL, 32);
  for (size_t i = 0; i < message.block_count; i++) compress_block(state, message.block(i));
  store(state, out);
}

void hash(const uint8_t *data, size_t size, uint8_t *out) {
  PaddedMessage message;
  message.set(-1, data, size);
  hash_message(message, out);
}

void chain(uint8_t *bytes, uint32_t count) {
  uint32_t words[8];
  for (int i = 0; i < 8; i++) words[i] = load_be(bytes + 4 * i);
  for (uint32_t n = 0; n < count; n++) {
    uint32_t w[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0x80000000, 0, 0, 0, 0, 0, 0, 256};
    memcpy(w, words, 32);
    memcpy(words, SHA256_INITIAL, 32);
    compress(words, w);
  }
  store(words, bytes);
}

int64_t poh_verify(const uint8_t *hashes, const uint32_t *steps, const uint8_t *has_mixin, const uint8_t *mixins, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint8_t message[64];
    memcpy(message, hashes + 32 * i, 32);
    chain(message, steps[i] - has_mixin[i]);
    if (has_mixin[i]) {
      memcpy(message + 32, mixins + 32 * i, 32);
      hash(message, 64, message);
    }
    if (memcmp(message, hashes + 32 * (i + 1), 32) != 0) return (int64_t)i;
  }
  return -1;
}

void many(uint8_t prefix, const uint8_t *data, Ranges ranges, size_t n, uint8_t *out) {
  PaddedMessage message;
  for (size_t i = 0; i < n; i++) {
    const size_t start = ranges.start(i);
    message.set(prefix, data + start, ranges.start(i + 1) - start);
    hash_message(message, out + 32 * i);
  }
}

void pairs(uint8_t prefix, const uint8_t *input, size_t n, uint8_t *out) { many(prefix, input, Ranges{nullptr, 64, 64 * n}, n, out); }

}  // namespace

Sha256Kernels sha256_plain() { return {"c++", hash, chain, poh_verify, pairs, many}; }
