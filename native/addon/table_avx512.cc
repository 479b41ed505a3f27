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

  uint64_t one(const uint8_t *address) const { return scalar.one(address); }

  // The line's 16 words in one comparison, against the address's five and zeros: a log position of zero is an empty slot.
  template <size_t SLOT>
  CAIRN_INLINE_MEMBER table::Stops stops(const uint8_t *line, const uint8_t *key) const {
    const __m512i wanted = _mm512_broadcast_i32x8(_mm256_maskz_loadu_epi32(0x1f, key));
    const uint32_t equal = _cvtmask16_u32(_mm512_cmpeq_epi32_mask(_mm512_loadu_si512(line), wanted));
    // Five ones carry into bit 5.
    if (SLOT == 64) return ((equal & 0x1f) + 1) | (equal >> 15) * table::EMPTY;
    return (equal & 0x9f9f) + 0x0101;
  }

  CAIRN_INLINE_MEMBER void block(const uint8_t *keys, size_t stride, uint64_t *hashes) const {
    // Keys i and i + 4 side by side; a gather would take six times as long. Nothing past an address is read.
    const auto pair = [&](size_t i) CAIRN_INLINE_LAMBDA {
      const __m512i low = _mm512_castsi256_si512(_mm256_maskz_loadu_epi32(0x1f, keys + i * stride));
      return _mm512_inserti64x4(low, _mm256_maskz_loadu_epi32(0x1f, keys + (i + 4) * stride), 1);
    };
    const __m512i k0_4 = pair(0), k1_5 = pair(1), k2_6 = pair(2), k3_7 = pair(3);
    const __m512i even_01 = _mm512_unpacklo_epi64(k0_4, k1_5), even_23 = _mm512_unpacklo_epi64(k2_6, k3_7);
    const __m512i odd_01 = _mm512_unpackhi_epi64(k0_4, k1_5), odd_23 = _mm512_unpackhi_epi64(k2_6, k3_7);
    const __m512i low_words = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0), high_words = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    // Hashes come out in the order 0 1 2 3 4 5 6 7.
    const __m512i first = _mm512_permutex2var_epi64(even_01, low_words, even_23), second = _mm512_permutex2var_epi64(odd_01, low_words, odd_23);
    const __m512i last = _mm512_permutex2var_epi64(even_01, high_words, even_23);
    const __m512i k0 = _mm512_set1_epi64((long long)scalar.k0), k1 = _mm512_set1_epi64((long long)scalar.k1);
    Lanes s = {_mm512_xor_si512(k0, _mm512_set1_epi64(0x736f6d6570736575)), _mm512_xor_si512(k1, _mm512_set1_epi64(0x646f72616e646f6d)),
               _mm512_xor_si512(k0, _mm512_set1_epi64(0x6c7967656e657261)), _mm512_xor_si512(k1, _mm512_set1_epi64(0x7465646279746573))};
    s.absorb(first);
    s.absorb(second);
    s.absorb(_mm512_or_si512(last, _mm512_set1_epi64((long long)20 << 56)));
    s.v2 = _mm512_xor_si512(s.v2, _mm512_set1_epi64(0xff));
    for (int i = 0; i < 3; i++) s.round();
    const __m512i hash = _mm512_xor_si512(_mm512_xor_si512(s.v0, s.v1), _mm512_xor_si512(s.v2, s.v3));
    _mm512_storeu_si512(hashes, hash);
  }
};

}  // namespace

CAIRN_TARGET_END

TableKernels table_avx512() { return table::kernels_of<Avx512Path>("c++ avx-512"); }
#else
TableKernels table_avx512() { return {}; }
#endif
