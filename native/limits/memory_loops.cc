// Random slots of a table, prefetched some way ahead: the memory and nothing else.
#include <cstring>

#include "limits.h"

namespace {

constexpr size_t SLOT_BYTES = 32;
constexpr unsigned AHEAD = 32;

inline uint64_t mixed(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccd;
  return x ^ x >> 33;
}

// `size` is a power of two.
template <bool WRITE>
uint64_t random_slots(uint64_t slots, uint8_t *memory, size_t size) {
  const uint64_t mask = size / SLOT_BYTES - 1;
  uint8_t *ring[AHEAD];
  uint64_t sum = 0;
  // Goes on where the last call ended: the same slots again would be in the cache.
  static thread_local uint64_t next = 0;
  const uint64_t start = next;
  next += slots;
  for (uint64_t i = 0; i < slots + AHEAD; i++) {
    if (i >= AHEAD) {
      uint64_t word;
      memcpy(&word, ring[i % AHEAD], 8);
      sum += word;
      if (WRITE) memcpy(ring[i % AHEAD], &sum, 8);
    }
    ring[i % AHEAD] = memory + (mixed(start + i) & mask) * SLOT_BYTES;
    __builtin_prefetch(ring[i % AHEAD], WRITE, 3);
  }
  return sum;
}

}  // namespace

uint64_t limit_random_read(uint64_t slots, uint8_t *memory, size_t size) { return random_slots<false>(slots, memory, size); }
uint64_t limit_random_update(uint64_t slots, uint8_t *memory, size_t size) { return random_slots<true>(slots, memory, size); }
