// The account table's batches in plain C++. The pipeline is table_window.h's.
#include "kernels.h"
#include "siphash.h"
#include "table_window.h"

namespace {

struct PlainPath : SipHash {
  using SipHash::SipHash;

  template <size_t SLOT>
  table::Stops stops(const uint8_t *line, const uint8_t *key) const {
    table::Stops stops = 0;
    for (size_t at = 0, bit = 0; at < table::LINE_BYTES; at += SLOT, bit += 8) {
      const uint32_t empty = table::load32(line + at + SLOT - table::POSITION_BYTES) == 0;
      stops |= (table::same_address(line + at, key) * table::FOUND | empty * table::EMPTY) << bit;
    }
    return stops;
  }
};

}  // namespace

TableKernels table_plain() { return table::kernels_of<PlainPath>("c++"); }
