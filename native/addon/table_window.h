// The account table's batches as a pipeline, so that no key waits for memory: a block of keys is hashed and the lines of their homes are
// prefetched; LOOK_LAG blocks later those lines are looked at. Where a probe must go on (at 40 % full every twelfth), the next line is
// prefetched and the key queues for another look: that is the one branch on the way that depends on the table's bytes.
//
// A table is 2^k lines of 64 bytes, two slots of 32 or one of 64; a probe starts at a line and goes on line by line. The key's SipHash
// decides: its low bits the shard, its high bits the line. So lines come in the order of hashes, and a shard moves to a larger table
// line by line: keys whose old home lies within `moved` lines from `start` on are in the new table, all others in the old one.
//
// Invariants: slots never become empty save by moving, and never change their address, so a slot found, and lines passed by, stay right
// whatever is inserted meanwhile. Keys are finished in an order that keeps equal keys in theirs. A probe ends, also on damaged bytes.
// Slot: address 20, value, log position u32 as the last word (0: empty, 2^32 - 1: tombstone). Included where the instructions wanted are
// already chosen.
#pragma once
#include "table_lookups.h"
#include "table_move.h"
#include "table_put.h"

namespace table {

// The kernels of one slot size: by whether any shard is moving.
template <typename Path, size_t SLOT>
struct Sized {
  template <bool GROWING>
  static TableStatus read_as(const TableShards &set, const TableKeys &keys, size_t at, size_t size, uint8_t *out) {
    const Path path(set.secret);
    if (size == 8) return each<SLOT, GROWING>(path, set, keys.first, keys.stride, keys.count, ReadWord<SLOT, uint64_t>{at, out});
    if (size == 4) return each<SLOT, GROWING>(path, set, keys.first, keys.stride, keys.count, ReadWord<SLOT, uint32_t>{at, out});
    return each<SLOT, GROWING>(path, set, keys.first, keys.stride, keys.count, ReadBytes<SLOT>{at, size, out});
  }

  static TableStatus read(const TableShards &set, const TableKeys &keys, size_t at, size_t size, uint8_t *out) {
    return set.growing ? read_as<true>(set, keys, at, size, out) : read_as<false>(set, keys, at, size, out);
  }

  static TableStatus put(const TableShards &set, const TableKeys &keys, uint32_t position) {
    const Path path(set.secret);
    return set.growing ? table::put<SLOT, true>(path, set, keys.first, keys.stride, keys.count, position)
                       : table::put<SLOT, false>(path, set, keys.first, keys.stride, keys.count, position);
  }

  // Rare ones: one form serves both.
  static TableStatus bury(const TableShards &set, const TableKeys &keys) {
    return each<SLOT, true>(Path(set.secret), set, keys.first, keys.stride, keys.count, Bury<SLOT>{set});
  }

  static TableStatus missing(const TableShards &set, const TableKeys &keys, uint32_t *counts) {
    return each<SLOT, true>(Path(set.secret), set, keys.first, keys.stride, keys.count, CountMissing<SLOT>{counts});
  }

  static TableStatus move(const TableShards &set, uint32_t shard, uint32_t lines) {
    return table::move<SLOT>(Path(set.secret), set.shards[shard], lines);
  }
};

template <typename Path>
constexpr TableKernels kernels_of(const char *path) {
  return {path,
          {Sized<Path, 32>::read, Sized<Path, 64>::read},
          {Sized<Path, 32>::put, Sized<Path, 64>::put},
          {Sized<Path, 32>::bury, Sized<Path, 64>::bury},
          {Sized<Path, 32>::missing, Sized<Path, 64>::missing},
          {Sized<Path, 32>::move, Sized<Path, 64>::move}};
}

}  // namespace table
