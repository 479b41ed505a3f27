// A table's lines: how a slot is recognized, where a key's home is, and how a probe goes on. What the table is, table_window.h says.
// Included where the instructions wanted are already chosen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels.h"
#include "target.h"

namespace table {

constexpr size_t LINE_BYTES = 64;
constexpr size_t ADDRESS_BYTES = 20;
constexpr size_t POSITION_BYTES = 4;
constexpr uint32_t TOMBSTONE = 0xffffffff;
// Keys hashed together.
constexpr size_t BLOCK = 8;

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

CAIRN_INLINE void store32(uint8_t *p, uint32_t x) { memcpy(p, &x, 4); }

CAIRN_INLINE uint32_t same_address(const uint8_t *a, const uint8_t *b) {
  return ((load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8)) | (load32(a + 16) ^ load32(b + 16))) == 0;
}

// Where a line's slots stop a probe: a byte for each of its one or two slots, 0x20: the key is there, 0x80: empty. Other bits mean nothing.
using Stops = uint32_t;
constexpr Stops FOUND = 0x20, EMPTY = 0x80;

// Where a probe stands after one line.
struct Look {
  uint32_t slot;  // of the line: 0 or 1; 0 when it goes on
  uint32_t went_on, found;  // 0 or 1
};

CAIRN_INLINE Look look_at(Stops stops) {
  stops |= EMPTY << 16;
  const uint32_t step = (uint32_t)__builtin_ctz(stops & (FOUND | EMPTY) * 0x010101) >> 3;  // 0: first slot, 1: second, 2: next line
  // An empty slot with an address of zeros looks found as well.
  return {step & 1, step >> 1, (stops >> (step * 8 + 7) & 1) ^ 1};
}

// A shard's memory in the form the loops want.
CAIRN_INLINE uint8_t *next_line(const TableShard &shard, uint8_t *line) {
  line += LINE_BYTES;
  if (line == shard.table_end) return shard.table;
  return line == shard.old_end ? shard.old : line;
}

template <bool GROWING>
CAIRN_INLINE uint8_t *home_line(const TableShard &shard, uint64_t hash) {
  const uint32_t high = (uint32_t)(hash >> 32);
  uint8_t *const home = shard.table + ((size_t)(high >> shard.shift) * LINE_BYTES);
  if (!GROWING) return home;
  const uint32_t line = high >> shard.old_shift;
  uint8_t *const old_home = shard.old + (size_t)line * LINE_BYTES;
  return ((line - shard.start) & shard.old_mask) < shard.moved ? home : old_home;
}

// The whole probe from `line` on. False when there is no empty slot.
template <size_t SLOT, typename Path>
CAIRN_INLINE bool probe(const Path &path, const TableShard &shard, uint8_t *&line, const uint8_t *key, Look &at) {
  const size_t lines = (size_t)((shard.table_end - shard.table) + (shard.old_end - shard.old)) / LINE_BYTES;
  for (size_t seen = 0; seen <= lines; seen++) {
    at = look_at(path.template stops<SLOT>(line, key));
    if (!at.went_on) return true;
    line = next_line(shard, line);
  }
  return false;
}

}  // namespace table
