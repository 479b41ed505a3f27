// CRC-32C by the CPU's crc32 instruction on three stretches at once. Without it the portable twin serves.
//
// The instruction takes 3 cycles but one can start each cycle, so three independent stretches are run side by side; a
// stretch's CRC is moved over the bytes that follow it by a table for "append BLOCK zero bytes".
// Source: RFC 3720, B.4; the combination is Mark Adler's well-known method.
#include "kernels.h"

#if defined(__x86_64__)
#include <nmmintrin.h>

#include <cstring>

#include "target.h"

namespace {

constexpr uint32_t POLYNOMIAL_REFLECTED = 0x82f63b78;
constexpr size_t BLOCK_LONG = 4096;
constexpr size_t BLOCK_SHORT = 256;

struct ByteTable {
  uint32_t of[256];
  constexpr ByteTable() : of() {
    for (uint32_t byte = 0; byte < 256; byte++) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? POLYNOMIAL_REFLECTED : 0);
      of[byte] = crc;
    }
  }
};
constexpr ByteTable BYTE_TABLE;

// Appending zero bytes is linear in the CRC, so four tables, one for each of its bytes, do it.
struct ZeroesTable {
  uint32_t of[4][256];
  explicit ZeroesTable(size_t zero_bytes) {
    uint32_t bit_moved[32];
    for (int bit = 0; bit < 32; bit++) {
      uint32_t crc = 1u << bit;
      for (size_t i = 0; i < zero_bytes; i++) crc = (crc >> 8) ^ BYTE_TABLE.of[crc & 255];
      bit_moved[bit] = crc;
    }
    for (int part = 0; part < 4; part++)
      for (uint32_t value = 0; value < 256; value++) {
        uint32_t crc = 0;
        for (int bit = 0; bit < 8; bit++)
          if (value >> bit & 1) crc ^= bit_moved[8 * part + bit];
        of[part][value] = crc;
      }
  }
  uint32_t append(uint32_t crc) const {
    return of[0][crc & 255] ^ of[1][crc >> 8 & 255] ^ of[2][crc >> 16 & 255] ^ of[3][crc >> 24];
  }
};

}  // namespace

CAIRN_TARGET_BEGIN("sse4.2")

namespace {

CAIRN_INLINE uint64_t load(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, 8);
  return x;
}

CAIRN_INLINE const uint8_t *three_at_once(uint64_t &crc, const uint8_t *p, const uint8_t *end, size_t block, const ZeroesTable &zeroes) {
  while ((size_t)(end - p) >= 3 * block) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < block; i += 8) {
      crc = _mm_crc32_u64(crc, load(p + i));
      second = _mm_crc32_u64(second, load(p + block + i));
      third = _mm_crc32_u64(third, load(p + 2 * block + i));
    }
    crc = zeroes.append((uint32_t)crc) ^ second;
    crc = zeroes.append((uint32_t)crc) ^ third;
    p += 3 * block;
  }
  return p;
}

uint32_t update_sse42(uint32_t seed, const uint8_t *data, size_t size) {
  static const ZeroesTable over_long(BLOCK_LONG), over_short(BLOCK_SHORT);
  const uint8_t *p = data, *end = data + size;
  uint64_t crc = (uint32_t)~seed;
  p = three_at_once(crc, p, end, BLOCK_LONG, over_long);
  p = three_at_once(crc, p, end, BLOCK_SHORT, over_short);
  for (; end - p >= 8; p += 8) crc = _mm_crc32_u64(crc, load(p));
  for (; p < end; p++) crc = _mm_crc32_u8((uint32_t)crc, *p);
  return ~(uint32_t)crc;
}

}  // namespace

CAIRN_TARGET_END

Crc32cKernel crc32c_sse42() { return {"c++ sse4.2", update_sse42}; }
#else
Crc32cKernel crc32c_sse42() { return {}; }
#endif
