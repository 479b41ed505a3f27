// The account table's batches as a pipeline, so that no key waits for memory: a block of keys is hashed and the lines of their home slots are
// prefetched; LOOK_LAG blocks later those lines are looked at. Where a probe must go on (at 40 % full every fifth), the next line is
// prefetched and the key queues for another look. Nothing on the way takes a branch that depends on the table's bytes.
// Inserting is a lookup of a chunk, then a pass in order over the lines that are now in the cache.
//
// Invariants: slots never become empty and never change their address, so a slot found, and slots passed by, stay right whatever is
// inserted meanwhile. Inserts happen in the batch's order. A probe ends, also on damaged bytes.
// Slot: address 20, balance u64, log position u32 (0: empty). Included where the instructions wanted are already chosen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels.h"
#include "target.h"

namespace table {

constexpr size_t SLOT_BYTES = 32;
constexpr size_t ADDRESS_BYTES = 20;
constexpr size_t LOG_POSITION_AT = 28;
constexpr uint32_t SLOTS_PER_LINE = 64 / SLOT_BYTES;

// Keys hashed together.
constexpr size_t BLOCK = 8;
// Blocks between prefetching and looking; measured on an EPYC, where more brings nothing.
constexpr size_t LOOK_LAG = 4;
constexpr size_t RING = 8 * BLOCK;
static_assert((LOOK_LAG + 1) * BLOCK <= RING, "a key's home must stay in the ring until it is looked at");
// Keys that wait for another look: as many stay behind, so that their lines have time to come.
constexpr size_t WAITING = 24;
constexpr size_t QUEUE = 64;
// Entries inserted at a time: their lines fit the second cache.
constexpr size_t CHUNK = 1024;

CAIRN_INLINE uint64_t load64(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, 8);
  return x;
}

CAIRN_INLINE uint32_t load32(const uint8_t *p) {
  uint32_t x;
  memcpy(&x, p, 4);
  return x;
}

CAIRN_INLINE uint32_t same_address(const uint8_t *a, const uint8_t *b) {
  return ((load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8)) | (load32(a + 16) ^ load32(b + 16))) == 0;
}

CAIRN_INLINE uint32_t is_empty(const uint8_t *slot) { return load32(slot + LOG_POSITION_AT) == 0; }

// Where the two slots of a line stop a probe: bit 5 for the first, bit 13 for the second.
struct Stops {
  uint32_t found, empty;
};

// Where a probe stands after one line.
struct Look {
  uint32_t slot;  // where it stopped, or the first slot of the next line
  uint32_t went_on, found;  // 0 or 1
};

// From a line's stops: counts only those from `slot` on. Arithmetic, because whether a home slot is its line's first is a coin toss, and
// a branch on it would be mispredicted every other time.
CAIRN_INLINE Look look_at(Stops stops, uint32_t mask, uint32_t slot) {
  const uint32_t wanted = 0x2020 - ((slot & 1) << 5);
  const uint32_t bit = (uint32_t)__builtin_ctz(((stops.found | stops.empty) & wanted) | 1u << 21);
  const uint32_t step = bit >> 3;  // 0: first slot, 1: second, 2: next line
  return {((slot & ~1u) + step) & mask, step >> 1, stops.found >> bit & 1};
}

// The whole probe from `slot` on. `went_on` stays 1 when the table has no empty slot.
template <typename Path>
CAIRN_INLINE Look probe(const Path &path, const uint8_t *table, uint32_t mask, uint32_t slot, const uint8_t *address) {
  // Every line once, and the first one again for the slot before the start.
  Look at = look_at(path.stops(table, mask, slot, address), mask, slot);
  for (uint32_t lines = 0; at.went_on && lines <= mask / SLOTS_PER_LINE; lines++)
    at = look_at(path.stops(table, mask, at.slot, address), mask, at.slot);
  return at;
}

CAIRN_INLINE void prefetch(const uint8_t *table, uint32_t slot, bool for_write) {
  const uint8_t *at = table + (size_t)slot * SLOT_BYTES;
  for_write ? __builtin_prefetch(at, 1, 3) : __builtin_prefetch(at, 0, 3);
}

// The lookups of a batch on their way. A Path is how a CPU does the work: block(keys, stride, hashes) hashes BLOCK keys, one(key) a
// single one, and stops(table, mask, slot, key) looks at a slot's line.
template <typename Path>
struct Lookups {
  const Path &path;
  const uint8_t *table;
  uint32_t mask;
  const uint8_t *keys;
  size_t stride, n;
  bool for_write;
  int32_t *slots;  // answers; of a waiting key, where to go on
  alignas(64) uint32_t ring[RING];
  uint32_t queue[QUEUE];
  uint32_t first, last;  // of the queue, counting on

  CAIRN_INLINE_MEMBER const uint8_t *key(size_t i) const { return keys + i * stride; }
  CAIRN_INLINE_MEMBER size_t end_of(size_t at) const { return at + BLOCK < n ? at + BLOCK : n; }

  // Hashes and prefetches the block at `at`.
  CAIRN_INLINE_MEMBER void enter(size_t at) {
    const size_t end = end_of(at);
    uint32_t *homes = ring + at % RING;
    if (end - at == BLOCK)
      path.block(key(at), stride, homes);
    else
      for (size_t i = at; i < end; i++) homes[i - at] = path.one(key(i));
    for (size_t i = 0; i < end - at; i++) {
      homes[i] &= mask;
      prefetch(table, homes[i], for_write);
    }
  }

  // Looks at one line for key i. Writes its answer, -1 - slot being ~slot, or queues it again.
  CAIRN_INLINE_MEMBER void step(size_t i, uint32_t slot) {
    const Look here = look_at(path.stops(table, mask, slot, key(i)), mask, slot);
    prefetch(table, here.slot, for_write);
    slots[i] = (int32_t)(here.slot ^ ((here.found | here.went_on) - 1));
    queue[last % QUEUE] = (uint32_t)i;
    last += here.went_on;
  }

  // Finishes the oldest waiting keys until `left` are left. False when the table has no empty slot.
  bool drain(uint32_t left) {
    for (; last - first > left; first++) {
      const size_t i = queue[first % QUEUE];
      const Look there = probe(path, table, mask, (uint32_t)slots[i], key(i));
      if (there.went_on) return false;
      slots[i] = (int32_t)(there.slot ^ (there.found - 1));
    }
    return true;
  }

  CAIRN_INLINE_MEMBER bool run() {
    for (size_t at = 0; at < n + LOOK_LAG * BLOCK; at += BLOCK) {
      if (at < n) enter(at);
      if (at < LOOK_LAG * BLOCK) continue;
      const size_t from = at - LOOK_LAG * BLOCK, end = end_of(from);
      for (size_t i = from; i < end; i++) step(i, ring[i % RING]);
      if (last - first < WAITING + BLOCK) continue;
      for (size_t k = 0; k < BLOCK; k++) {
        const size_t i = queue[first++ % QUEUE];
        step(i, (uint32_t)slots[i]);
      }
      // Only damaged or crafted bytes keep so many waiting.
      if (last - first > QUEUE - 2 * BLOCK && !drain(WAITING)) return false;
    }
    return drain(0);
  }
};

template <typename Path>
CAIRN_INLINE TableStatus find(const Path &path, const uint8_t *table, unsigned log2, const uint8_t *addresses, size_t n, int32_t *slots) {
  Lookups<Path> lookups = {path, table, (1u << log2) - 1, addresses, ADDRESS_BYTES, n, false, slots, {}, {}, 0, 0};
  return lookups.run() ? TableStatus::ok : TableStatus::corrupt;
}

template <typename Path>
CAIRN_INLINE TableStatus put(const Path &path, uint8_t *table, unsigned log2, size_t used, const uint8_t *entries, size_t n, size_t *added) {
  const uint32_t mask = (1u << log2) - 1;
  int32_t slots[CHUNK];
  *added = 0;
  for (size_t at = 0; at < n; at += CHUNK) {
    const size_t count = n - at < CHUNK ? n - at : CHUNK;
    const uint8_t *chunk = entries + at * SLOT_BYTES;
    Lookups<Path> lookups = {path, table, mask, chunk, SLOT_BYTES, count, true, slots, {}, {}, 0, 0};
    if (!lookups.run()) return TableStatus::corrupt;
    for (size_t i = 0; i < count; i++) {
      const uint8_t *entry = chunk + i * SLOT_BYTES;
      uint32_t slot = (uint32_t)slots[i];
      if (slots[i] < 0) {
        // An entry before this one may have taken the empty slot.
        const Look there = probe(path, table, mask, ~slot, entry);
        if (there.went_on) return TableStatus::corrupt;
        if (!there.found && (used + *added + 1) * 2 > (size_t)mask + 1) return TableStatus::full;
        *added += 1 - there.found;
        slot = there.slot;
      }
      memcpy(table + (size_t)slot * SLOT_BYTES, entry, SLOT_BYTES);
    }
  }
  return TableStatus::ok;
}

}  // namespace table
