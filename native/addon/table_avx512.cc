// The account table's batches with eight addresses hashed at once. The pipeline is table_window.h's, the hash siphash.h's.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "siphash.h"
#include "target.h"

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq,bmi2")
#include "table_window.h"

namespace {

struct Lanes {
  __m512i v0, v1, v2, v3;

  CAIRN_INLINE_MEMBER void round() {
    v0 = _mm512_add_epi64(v0, v1), v1 = _mm512_xor_si512(_mm512_rol_epi64(v1, 13), v0), v0 = _mm512_rol_epi64(v0, 32);
    v2 = _mm512_add_epi64(v2, v3), v3 = _mm512_xor_si512(_mm512_rol_epi64(v3, 16), v2);
    v0 = _mm512_add_epi64(v0, v3), v3 = _mm512_xor_si512(_mm512_rol_epi64(v3, 21), v0);
    v2 = _mm512_add_epi64(v2, v1), v1 = _mm512_xor_si512(_mm512_rol_epi64(v1, 17), v2), v2 = _mm512_rol_epi64(v2, 32);
  }

  CAIRN_INLINE_MEMBER void absorb(__m512i word) {
    v3 = _mm512_xor_si512(v3, word);
    round();
    v0 = _mm512_xor_si512(v0, word);
  }
};

struct Avx512Path {
  SipHash scalar;

  explicit Avx512Path(const uint8_t *secret) : scalar(secret) {}

  uint32_t one(const uint8_t *address) const { return scalar.one(address); }

  // The line's 16 words against the address's five, in one comparison.
  CAIRN_INLINE_MEMBER table::Stops stops(const uint8_t *table, uint32_t, uint32_t slot, const uint8_t *address) const {
    const __m512i words = _mm512_loadu_si512(table + (size_t)(slot & ~1u) * table::SLOT_BYTES);
    const __m512i wanted = _mm512_broadcast_i32x8(_mm256_maskz_loadu_epi32(0x1f, address));
    const uint32_t equal = _cvtmask16_u32(_mm512_cmpeq_epi32_mask(words, wanted)), zero = _cvtmask16_u32(_mm512_testn_epi32_mask(words, words));
    const uint32_t empty = (zero & 0x8080) >> 2;
    // Five ones carry into bit 5.
    return {((equal & 0x1f1f) + 0x0101) & 0x2020 & ~empty, empty};
  }

  CAIRN_INLINE_MEMBER void block(const uint8_t *keys, size_t stride, uint32_t *hashes) const {
    const __m512i at = _mm512_mullo_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64((long long)stride));
    const __m512i first = _mm512_i64gather_epi64(at, keys, 1), second = _mm512_i64gather_epi64(at, keys + 8, 1);
    // Bytes 12 .. 19, so that nothing past the address is read.
    const __m512i last = _mm512_srli_epi64(_mm512_i64gather_epi64(at, keys + 12, 1), 32);
    const __m512i k0 = _mm512_set1_epi64((long long)scalar.k0), k1 = _mm512_set1_epi64((long long)scalar.k1);
    Lanes s = {_mm512_xor_si512(k0, _mm512_set1_epi64(0x736f6d6570736575)), _mm512_xor_si512(k1, _mm512_set1_epi64(0x646f72616e646f6d)),
               _mm512_xor_si512(k0, _mm512_set1_epi64(0x6c7967656e657261)), _mm512_xor_si512(k1, _mm512_set1_epi64(0x7465646279746573))};
    s.absorb(first);
    s.absorb(second);
    s.absorb(_mm512_or_si512(last, _mm512_set1_epi64((long long)20 << 56)));
    s.v2 = _mm512_xor_si512(s.v2, _mm512_set1_epi64(0xff));
    for (int i = 0; i < 3; i++) s.round();
    const __m512i hash = _mm512_xor_si512(_mm512_xor_si512(s.v0, s.v1), _mm512_xor_si512(s.v2, s.v3));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(hashes), _mm512_cvtepi64_epi32(hash));
  }
};

TableStatus find_all(const uint8_t *table, unsigned log2, const uint8_t *secret, const uint8_t *addresses, size_t n, int32_t *slots) {
  // One slot is no whole line.
  if (log2 == 0) return table_plain().find(table, log2, secret, addresses, n, slots);
  return table::find(Avx512Path(secret), table, log2, addresses, n, slots);
}

TableStatus put_all(uint8_t *table, unsigned log2, const uint8_t *secret, size_t used, const uint8_t *entries, size_t n, size_t *added) {
  if (log2 == 0) return table_plain().put(table, log2, secret, used, entries, n, added);
  return table::put(Avx512Path(secret), table, log2, used, entries, n, added);
}

}  // namespace

CAIRN_TARGET_END

TableKernels table_avx512() { return {"c++ avx-512", find_all, put_all}; }
#else
TableKernels table_avx512() { return {}; }
#endif
