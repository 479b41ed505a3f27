// The pipeline that finds a batch's keys, and the visits that only read, count, or delete. What the table is, table_window.h says.
#pragma once
#include "table_line.h"

namespace table {

// Blocks between prefetching and looking; measured on an EPYC, where 3 is a sixth slower and 7 no faster.
constexpr size_t LOOK_LAG = 6;
constexpr size_t RING = 8 * BLOCK;
static_assert((LOOK_LAG + 1) * BLOCK <= RING, "a key's home must stay in the ring until it is looked at");
// How far ahead the keys themselves are fetched: waiting for keys that are not in the cache cost 3 to 5 ns each.
constexpr size_t KEYS_AHEAD_BYTES = 2048;
// Keys that wait for another look: as many stay behind, so that their lines have time to come.
constexpr size_t WAITING = 24;
constexpr size_t QUEUE = 64;

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

  // The keys that wait in the batch's order: who was looked at more often may stand behind a later record of the same key.
  void order() {
    for (uint32_t k = first; k != last; k++) {
      const Waiting late = queue[k % QUEUE];
      uint32_t to = k;
      for (; to != first && queue[(to - 1) % QUEUE].key > late.key; to--) queue[to % QUEUE] = queue[(to - 1) % QUEUE];
      queue[to % QUEUE] = late;
    }
  }

  // Finishes the first waiting keys until `left` are left. False when a table has no empty slot.
  bool drain(uint32_t left) {
    order();
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

// Counts keys that have no slot, or a deleted entry's.
template <size_t SLOT>
struct CountMissing {
  uint32_t *missing;

  CAIRN_INLINE_MEMBER void look(size_t, uint32_t shard, const uint8_t *line, Look look) {
    const uint32_t deleted = load32(line + look.slot * SLOT + SLOT - POSITION_BYTES) == TOMBSTONE;
    missing[shard] += (1 ^ (look.found | look.went_on)) | (look.found & deleted);
  }
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

template <size_t SLOT, bool GROWING, typename Path, typename Visit>
CAIRN_INLINE TableStatus each(const Path &path, const TableShards &set, const uint8_t *keys, size_t stride, size_t n, Visit visit) {
  Lookups<SLOT, GROWING, false, Path, Visit> lookups(path, set, keys, stride, n, visit);
  return lookups.run() ? TableStatus::ok : TableStatus::corrupt;
}

}  // namespace table
