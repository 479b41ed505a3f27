// Putting records: a chunk is looked up, which overwrites the slots there are; then those without slot are inserted in the batch's order.
#pragma once
#include "table_lookups.h"

namespace table {

// Keys put at a time: the lines of the new ones are still in the second cache when they are inserted.
constexpr size_t CHUNK = 1024;

// Log positions of a run of records: 1 .. 2^32 - 2, and 1 again.
CAIRN_INLINE uint32_t position_after(uint32_t first, size_t i) {
  return (uint32_t)(((uint64_t)first - 1 + i) % (TOMBSTONE - 1)) + 1;
}

// Overwrites the slots there are and notes the keys that have none.
template <size_t SLOT>
struct Overwrite {
  static constexpr size_t VALUE = SLOT - ADDRESS_BYTES - POSITION_BYTES;
  const TableShards &set;
  const uint8_t *keys;
  size_t stride;
  uint32_t position;
  Waiting absent[CHUNK + 1];
  size_t absent_count = 0;
  uint8_t nowhere[SLOT] = {};

  Overwrite(const TableShards &set) : set(set) {}

  CAIRN_INLINE_MEMBER void look(size_t i, uint32_t shard, uint8_t *line, Look look) {
    uint8_t *slot = line + look.slot * SLOT;
    slot = look.found ? slot : nowhere;
    if (load32(slot + SLOT - POSITION_BYTES) == TOMBSTONE && slot != nowhere) {
      TableState &state = *set.shards[shard].state;
      state.live += 1;
      state.tombstones -= 1;
    }
    memcpy(slot + ADDRESS_BYTES, keys + i * stride + ADDRESS_BYTES, VALUE);
    store32(slot + SLOT - POSITION_BYTES, position + (uint32_t)i);
    absent[absent_count] = {line, (uint32_t)i, shard};
    absent_count += 1 ^ (look.found | look.went_on);
  }
};

// Brings the keys noted back into the batch's order: those that waited come a little late.
template <size_t SLOT>
CAIRN_INLINE void sort(Overwrite<SLOT> &work) {
  for (size_t k = 1; k < work.absent_count; k++) {
    const Waiting late = work.absent[k];
    size_t to = k;
    for (; to > 0 && work.absent[to - 1].key > late.key; to--) work.absent[to] = work.absent[to - 1];
    work.absent[to] = late;
  }
}

template <size_t SLOT, typename Path>
CAIRN_INLINE TableStatus insert(const Path &path, const TableShards &set, Overwrite<SLOT> &work) {
  for (size_t k = 0; k < work.absent_count; k++) {
    const Waiting &absent = work.absent[k];
    const TableShard &shard = set.shards[absent.shard];
    if (shard.limit == 0) continue;  // held elsewhere
    TableState &state = *shard.state;
    const uint8_t *record = work.keys + absent.key * work.stride;
    uint8_t *line = absent.line;
    Look look;
    // A key before this one may have taken the empty slot.
    if (!probe<SLOT>(path, shard, line, record, look)) return TableStatus::corrupt;
    if (!look.found && state.live + state.tombstones + 1 > shard.limit) return TableStatus::full;
    state.live += 1 - look.found;
    uint8_t *slot = line + look.slot * SLOT;
    memcpy(slot, record, SLOT - POSITION_BYTES);
    store32(slot + SLOT - POSITION_BYTES, work.position + absent.key);
  }
  return TableStatus::ok;
}

template <size_t SLOT, bool GROWING, typename Path>
CAIRN_INLINE TableStatus put(const Path &path, const TableShards &set, const uint8_t *records, size_t stride, size_t n, uint32_t position) {
  Overwrite<SLOT> work(set);
  work.stride = stride;
  for (size_t at = 0; at < n;) {
    size_t count = n - at < CHUNK ? n - at : CHUNK;
    work.position = position_after(position, at);
    // A chunk ends where the positions wrap.
    if (TOMBSTONE - work.position < count) count = TOMBSTONE - work.position;
    work.keys = records + at * stride;
    work.absent_count = 0;
    Lookups<SLOT, GROWING, true, Path, Overwrite<SLOT>> lookups(path, set, work.keys, stride, count, work);
    if (!lookups.run()) return TableStatus::corrupt;
    sort(work);
    const TableStatus status = insert<SLOT>(path, set, work);
    if (status != TableStatus::ok) return status;
    at += count;
  }
  return TableStatus::ok;
}

}  // namespace table
