// Moving a shard's slots into its larger table, line by line. Why that finds every key at any moment, table_window.h says.
#pragma once
#include "table_line.h"

namespace table {

// Slots taken out of an old table, on their way into the new one.
template <size_t SLOT>
struct Carried {
  static constexpr size_t SLOTS = 256;
  uint8_t slots[SLOTS * SLOT];
  size_t count = 0;
};

template <size_t SLOT, typename Path>
CAIRN_INLINE bool unload(const Path &path, const TableShard &shard, Carried<SLOT> &carried) {
  uint64_t hashes[BLOCK];
  uint8_t *lines[Carried<SLOT>::SLOTS];
  for (size_t at = 0; at < carried.count; at += BLOCK) {
    const size_t end = at + BLOCK < carried.count ? at + BLOCK : carried.count;
    path.block(carried.slots + at * SLOT, SLOT, hashes);
    for (size_t i = at; i < end; i++) {
      lines[i] = home_line<false>(shard, hashes[i - at]);
      __builtin_prefetch(lines[i], 1, 3);
    }
  }
  for (size_t i = 0; i < carried.count; i++) {
    const uint8_t *slot = carried.slots + i * SLOT;
    Look look;
    if (!probe<SLOT>(path, shard, lines[i], slot, look)) return false;
    memcpy(lines[i] + look.slot * SLOT, slot, SLOT);
  }
  carried.count = 0;
  return true;
}

// Moves at least `wanted` lines of the old table, up to a line that is not full: no key whose home was moved lies behind it. Moved lines
// become empty. At the end of the round, keys that had gone past it are taken along.
template <size_t SLOT, typename Path>
CAIRN_INLINE TableStatus move(const Path &path, const TableShard &shard, uint32_t wanted) {
  TableState &state = *shard.state;
  Carried<SLOT> carried = {};
  const uint64_t lines = (uint64_t)shard.old_mask + 1, end = state.moved + (uint64_t)wanted < lines ? state.moved + (uint64_t)wanted : lines;
  bool whole = false;
  for (uint64_t at = state.moved; at < end || whole; at++) {
    if (at > 2 * lines) return TableStatus::corrupt;
    uint8_t *line = shard.old + ((shard.start + at) & shard.old_mask) * LINE_BYTES;
    whole = true;
    for (uint8_t *slot = line; slot < line + LINE_BYTES; slot += SLOT) {
      const uint32_t position = load32(slot + SLOT - POSITION_BYTES);
      if (position == 0) {
        whole = false;
      } else if (position == TOMBSTONE) {
        state.tombstones -= 1;
      } else {
        memcpy(carried.slots + carried.count++ * SLOT, slot, SLOT);
      }
    }
    memset(line, 0, LINE_BYTES);
    state.moved = (uint32_t)(at + 1 < lines ? at + 1 : lines);
    if (carried.count > Carried<SLOT>::SLOTS - 2 && !unload<SLOT>(path, shard, carried)) return TableStatus::corrupt;
  }
  return unload<SLOT>(path, shard, carried) ? TableStatus::ok : TableStatus::corrupt;
}

}  // namespace table
