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
// Blocks between prefetching and looking; measured on an EPYC, where 3 is a sixth slower and 7 no faster.
constexpr size_t LOOK_LAG = 6;
constexpr size_t RING = 8 * BLOCK;
static_assert((LOOK_LAG + 1) * BLOCK <= RING, "a key's home must stay in the ring until it is looked at");
// How far ahead the keys themselves are fetched: waiting for keys that are not in the cache cost 3 to 5 ns each.
constexpr size_t KEYS_AHEAD_BYTES = 2048;
// Keys that wait for another look: as many stay behind, so that their lines have time to come.
constexpr size_t WAITING = 24;
constexpr size_t QUEUE = 64;
// Keys put at a time: the lines of the new ones are still in the second cache when they are inserted.
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

struct Waiting {
  uint8_t *line;
  uint32_t key, shard;
};

// The lookups of a batch on their way. A Path is how a CPU does the work: block(keys, stride, hashes) hashes BLOCK keys, one(key) a
// single one, and stops<SLOT>(line, key) looks at a line. Visit::look(i, shard, line, look) takes every look at a key, the last one being
// the answer.
template <size_t SLOT, bool GROWING, bool FOR_WRITE, typename Path, typename Visit>
struct Lookups {
  const Path &path;
  const TableShards &set;
  const uint8_t *keys;
  size_t stride, n;
  Visit &visit;
  alignas(64) uint64_t hashes[2 * BLOCK];
  uint8_t *lines[RING];
  uint32_t shards[RING];
  Waiting queue[QUEUE];
  uint32_t first = 0, last = 0;  // of the queue, counting on

  Lookups(const Path &path, const TableShards &set, const uint8_t *keys, size_t stride, size_t n, Visit &visit)
      : path(path), set(set), keys(keys), stride(stride), n(n), visit(visit) {}

  CAIRN_INLINE_MEMBER const uint8_t *key(size_t i) const { return keys + i * stride; }
  CAIRN_INLINE_MEMBER size_t end_of(size_t at) const { return at + BLOCK < n ? at + BLOCK : n; }

  // Hashes the block at `at`; its homes are wanted one block later, because a hash takes longer than the steps between need.
  CAIRN_INLINE_MEMBER void hash(size_t at) {
    const size_t end = end_of(at);
    uint64_t *const to = hashes + at % (2 * BLOCK);
    for (size_t byte = 0; byte < BLOCK * stride; byte += LINE_BYTES) __builtin_prefetch(key(at) + KEYS_AHEAD_BYTES + byte, 0, 3);
    if (end - at == BLOCK)
      path.block(key(at), stride, to);
    else
      for (size_t i = at; i < end; i++) to[i - at] = path.one(key(i));
  }

  // Prefetches the homes of the block at `at`.
  CAIRN_INLINE_MEMBER void enter(size_t at) {
    const size_t end = end_of(at);
    for (size_t i = 0; i < end - at; i++) {
      const uint64_t hash = hashes[(at + i) % (2 * BLOCK)];
      const uint32_t shard = (uint32_t)hash & set.mask;
      uint8_t *const line = home_line<GROWING>(set.shards[shard], hash);
      shards[(at + i) % RING] = shard;
      lines[(at + i) % RING] = line;
      __builtin_prefetch(line, FOR_WRITE, 3);
    }
  }

  // Looks at one line for key i; queues it again when the probe goes on.
  CAIRN_INLINE_MEMBER void step(size_t i, uint32_t shard, uint8_t *line) {
    const Look look = look_at(path.template stops<SLOT>(line, key(i)));
    visit.look(i, shard, line, look);
    if (!__builtin_expect(look.went_on, 0)) return;
    // Past a table's last line this fetches memory that is not ours, which is harmless; `again` wraps.
    __builtin_prefetch(line + LINE_BYTES, FOR_WRITE, 3);
    queue[last++ % QUEUE] = {line, (uint32_t)i, shard};
  }

  CAIRN_INLINE_MEMBER void again() {
    const Waiting waiting = queue[first++ % QUEUE];
    step(waiting.key, waiting.shard, next_line(set.shards[waiting.shard], waiting.line));
  }

  // Finishes the oldest waiting keys until `left` are left. False when a table has no empty slot.
  bool drain(uint32_t left) {
    for (; last - first > left; first++) {
      const Waiting waiting = queue[first % QUEUE];
      const TableShard &shard = set.shards[waiting.shard];
      uint8_t *line = next_line(shard, waiting.line);
      Look look;
      if (!probe<SLOT>(path, shard, line, key(waiting.key), look)) return false;
      visit.look(waiting.key, waiting.shard, line, look);
    }
    return true;
  }

  CAIRN_INLINE_MEMBER bool run() {
    constexpr size_t LAG = (LOOK_LAG + 1) * BLOCK;
    for (size_t at = 0; at < n + LAG; at += BLOCK) {
      if (at < n) hash(at);
      if (at >= BLOCK && at - BLOCK < n) enter(at - BLOCK);
      if (at < LAG) continue;
      const size_t from = at - LAG, end = end_of(from);
      for (size_t i = from; i < end; i++) step(i, shards[i % RING], lines[i % RING]);
      if (last - first < WAITING + BLOCK) continue;
      for (size_t k = 0; k < BLOCK; k++) again();
      // Only damaged or crafted bytes keep so many waiting.
      if (last - first > QUEUE - 2 * BLOCK && !drain(WAITING)) return false;
    }
    return drain(0);
  }
};

// Copies a field of each key's slot, zeros where there is none.
template <size_t SLOT, typename Word>
struct ReadWord {
  size_t at;
  uint8_t *out;

  CAIRN_INLINE_MEMBER void look(size_t i, uint32_t, const uint8_t *line, Look look) {
    const uint8_t *slot = line + look.slot * SLOT;
    Word word;
    memcpy(&word, slot + at, sizeof word);
    word &= (Word)0 - (Word)(look.found & (uint32_t)(load32(slot + SLOT - POSITION_BYTES) != TOMBSTONE));
    memcpy(out + i * sizeof word, &word, sizeof word);
  }
};

template <size_t SLOT>
struct ReadBytes {
  size_t at, size;
  uint8_t *out;

  CAIRN_INLINE_MEMBER void look(size_t i, uint32_t, const uint8_t *line, Look look) {
    const uint8_t *slot = line + look.slot * SLOT;
    if (look.found && load32(slot + SLOT - POSITION_BYTES) != TOMBSTONE)
      memcpy(out + i * size, slot + at, size);
    else
      memset(out + i * size, 0, size);
  }
};

struct CountMissing {
  uint32_t *missing;

  CAIRN_INLINE_MEMBER void look(size_t, uint32_t shard, const uint8_t *, Look look) { missing[shard] += 1 ^ (look.found | look.went_on); }
};

// Turns live slots into tombstones.
template <size_t SLOT>
struct Bury {
  const TableShards &set;

  CAIRN_INLINE_MEMBER void look(size_t, uint32_t shard, uint8_t *line, Look look) {
    uint8_t *slot = line + look.slot * SLOT;
    if (!look.found || load32(slot + SLOT - POSITION_BYTES) == TOMBSTONE) return;
    memset(slot + ADDRESS_BYTES, 0, SLOT - ADDRESS_BYTES - POSITION_BYTES);
    store32(slot + SLOT - POSITION_BYTES, TOMBSTONE);
    TableState &state = *set.shards[shard].state;
    state.live -= 1;
    state.tombstones += 1;
  }
};

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

template <size_t SLOT, bool GROWING, typename Path, typename Visit>
CAIRN_INLINE TableStatus each(const Path &path, const TableShards &set, const uint8_t *keys, size_t stride, size_t n, Visit visit) {
  Lookups<SLOT, GROWING, false, Path, Visit> lookups(path, set, keys, stride, n, visit);
  return lookups.run() ? TableStatus::ok : TableStatus::corrupt;
}

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
    return each<SLOT, true>(Path(set.secret), set, keys.first, keys.stride, keys.count, CountMissing{counts});
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
