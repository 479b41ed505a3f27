// SHA-256's constants, and how prefix || data is cut into padded blocks. Source: FIPS 180-4, 4.2.2, 5.1.1, 5.3.3.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

alignas(64) static constexpr uint32_t SHA256_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

alignas(16) static constexpr uint32_t SHA256_INITIAL[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// A message cut into 64-byte blocks without copying its middle: the head holds the prefix and 63 bytes, the tail the rest and
// the padding. `prefix` below 0 means none; then the body starts at the data itself.
struct PaddedMessage {
  alignas(16) uint8_t head[64];
  alignas(16) uint8_t tail[128];
  const uint8_t *body;
  size_t head_blocks, body_blocks, block_count;

  void set(int prefix, const uint8_t *data, size_t size) {
    const size_t prefix_size = prefix >= 0 ? 1 : 0;
    const size_t total = size + prefix_size;
    const size_t full = total / 64, rest = total % 64;
    head_blocks = full > 0 && prefix_size ? 1 : 0;
    if (head_blocks) {
      head[0] = (uint8_t)prefix;
      memcpy(head + 1, data, 63);
    }
    body = data + (head_blocks ? 63 : 0);
    body_blocks = full - head_blocks;
    const size_t tail_blocks = rest < 56 ? 1 : 2;
    memset(tail, 0, 64 * tail_blocks);
    if (full == 0 && prefix_size) {
      tail[0] = (uint8_t)prefix;
      if (size) memcpy(tail + 1, data, size);
    } else if (rest) {
      memcpy(tail, data + size - rest, rest);
    }
    tail[rest] = 0x80;
    const uint64_t bits = __builtin_bswap64((uint64_t)total * 8);
    memcpy(tail + 64 * tail_blocks - 8, &bits, 8);
    block_count = full + tail_blocks;
  }

  const uint8_t *block(size_t i) const {
    if (i < head_blocks) return head;
    i -= head_blocks;
    return i < body_blocks ? body + 64 * i : tail + 64 * (i - body_blocks);
  }
};

// sha256_ni.cc: goes on with a message from block `at`, its state so far written as a digest is. Writes 32 bytes.
void sha256_ni_finish_message(const uint8_t *state, const PaddedMessage &message, size_t at, uint8_t *out);
