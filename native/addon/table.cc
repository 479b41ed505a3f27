// The account table's batched lookup and insert in plain C++. The pipeline is table_window.h's.
#include "kernels.h"
#include "siphash.h"
#include "table_window.h"

namespace {

struct PlainPath : SipHash {
  using SipHash::SipHash;

  table::Stops stops(const uint8_t *table, uint32_t mask, uint32_t slot, const uint8_t *address) const {
    // A table of one slot is half a line: its slot is read twice.
    const uint8_t *a = table + (size_t)(slot & ~1u) * table::SLOT_BYTES, *b = a + (mask & 1) * table::SLOT_BYTES;
    const uint32_t empty_a = table::is_empty(a), empty_b = table::is_empty(b);
    const uint32_t found_a = table::same_address(a, address) & (empty_a ^ 1), found_b = table::same_address(b, address) & (empty_b ^ 1);
    return {found_a << 5 | found_b << 13, empty_a << 5 | empty_b << 13};
  }
};

TableStatus find(const uint8_t *table, unsigned log2, const uint8_t *secret, const uint8_t *addresses, size_t n, int32_t *slots) {
  return table::find(PlainPath(secret), table, log2, addresses, n, slots);
}

TableStatus put(uint8_t *table, unsigned log2, const uint8_t *secret, size_t used, const uint8_t *entries, size_t n, size_t *added) {
  return table::put(PlainPath(secret), table, log2, used, entries, n, added);
}

}  // namespace

TableKernels table_plain() { return {"c++", find, put}; }
