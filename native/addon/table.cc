// The account table's batched lookup and insert: slots of the next WINDOW addresses are hashed and prefetched while the current one is
// resolved, so that their cache misses overlap. Order within a batch is kept.
//
// Slot: address 20, balance u64, log position u32 (0: empty). A probe sees every slot at most once, also on damaged bytes.
// Source of the hash: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), as SipHash-1-3.
#include "kernels.h"

#include <cstring>

namespace {

constexpr size_t SLOT_BYTES = 32;
constexpr size_t ADDRESS_BYTES = 20;
constexpr size_t LOG_POSITION_AT = 28;
// Lookups in flight. A power of two; more than the line fill buffers of a core bring nothing.
constexpr size_t WINDOW = 32;
constexpr uint32_t NOT_FOUND = UINT32_MAX;

inline uint64_t load64(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, 8);
  return x;
}

inline uint32_t load32(const uint8_t *p) {
  uint32_t x;
  memcpy(&x, p, 4);
  return x;
}

inline uint64_t rotl(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

struct SipKey {
  uint64_t k0, k1;
};

inline void sip_round(uint64_t &v0, uint64_t &v1, uint64_t &v2, uint64_t &v3) {
  v0 += v1, v1 = rotl(v1, 13) ^ v0, v0 = rotl(v0, 32);
  v2 += v3, v3 = rotl(v3, 16) ^ v2;
  v0 += v3, v3 = rotl(v3, 21) ^ v0;
  v2 += v1, v1 = rotl(v1, 17) ^ v2, v2 = rotl(v2, 32);
}

inline uint32_t sip_address(SipKey key, const uint8_t *address) {
  uint64_t v0 = key.k0 ^ 0x736f6d6570736575, v1 = key.k1 ^ 0x646f72616e646f6d;
  uint64_t v2 = key.k0 ^ 0x6c7967656e657261, v3 = key.k1 ^ 0x7465646279746573;
  const uint64_t words[3] = {load64(address), load64(address + 8), load32(address + 16) | (uint64_t)ADDRESS_BYTES << 56};
  for (uint64_t word : words) {
    v3 ^= word;
    sip_round(v0, v1, v2, v3);
    v0 ^= word;
  }
  v2 ^= 0xff;
  for (int i = 0; i < 3; i++) sip_round(v0, v1, v2, v3);
  return (uint32_t)(v0 ^ v1 ^ v2 ^ v3);
}

inline bool same_address(const uint8_t *a, const uint8_t *b) {
  return ((load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8)) | (load32(a + 16) ^ load32(b + 16))) == 0;
}

// What a probe ended at.
struct Probe {
  uint32_t slot;  // NOT_FOUND: no empty slot at all
  bool found;
};

inline Probe probe(const uint8_t *table, uint32_t mask, uint32_t slot, const uint8_t *address) {
  for (uint32_t seen = 0;; seen++) {
    const uint8_t *at = table + (size_t)slot * SLOT_BYTES;
    if (load32(at + LOG_POSITION_AT) == 0) return {slot, false};
    if (same_address(at, address)) return {slot, true};
    if (seen == mask) return {NOT_FOUND, false};
    slot = (slot + 1) & mask;
  }
}

// Calls visit(i, home slot of key i) for i in order, with the slots of the next WINDOW keys on their way into the cache.
template <int FOR_WRITE, typename Visit>
inline TableStatus with_window(const uint8_t *table, uint32_t mask, const uint8_t *secret, const uint8_t *keys, size_t stride, size_t n,
                               Visit visit) {
  const SipKey key = {load64(secret), load64(secret + 8)};
  uint32_t homes[WINDOW];
  const auto fetch = [&](size_t i) {
    const uint32_t home = sip_address(key, keys + i * stride) & mask;
    homes[i % WINDOW] = home;
    __builtin_prefetch(table + (size_t)home * SLOT_BYTES, FOR_WRITE, 3);
  };
  for (size_t i = 0; i < n && i < WINDOW; i++) fetch(i);
  for (size_t i = 0; i < n; i++) {
    const TableStatus status = visit(i, homes[i % WINDOW]);
    if (status != TableStatus::ok) return status;
    if (i + WINDOW < n) fetch(i + WINDOW);
  }
  return TableStatus::ok;
}

}  // namespace

TableStatus table_find(const uint8_t *table, unsigned log2, const uint8_t *secret, const uint8_t *addresses, size_t n, int32_t *slots) {
  const uint32_t mask = (1u << log2) - 1;
  return with_window<0>(table, mask, secret, addresses, ADDRESS_BYTES, n, [&](size_t i, uint32_t home) {
    const Probe at = probe(table, mask, home, addresses + i * ADDRESS_BYTES);
    if (at.slot == NOT_FOUND) return TableStatus::corrupt;
    slots[i] = at.found ? (int32_t)at.slot : -1 - (int32_t)at.slot;
    return TableStatus::ok;
  });
}

TableStatus table_put(uint8_t *table, unsigned log2, const uint8_t *secret, size_t used, const uint8_t *entries, size_t n, size_t *added) {
  const uint32_t mask = (1u << log2) - 1;
  *added = 0;
  return with_window<1>(table, mask, secret, entries, SLOT_BYTES, n, [&](size_t i, uint32_t home) {
    const uint8_t *entry = entries + i * SLOT_BYTES;
    const Probe at = probe(table, mask, home, entry);
    if (at.slot == NOT_FOUND) return TableStatus::corrupt;
    if (!at.found) {
      if ((used + *added + 1) * 2 > (size_t)mask + 1) return TableStatus::full;
      ++*added;
    }
    memcpy(table + (size_t)at.slot * SLOT_BYTES, entry, SLOT_BYTES);
    return TableStatus::ok;
  });
}
