// Scalars modulo L = 2^252 + 27742317777372353535851937790883648493, and the byte checks of our one rule (native/ed25519-rule.ts).
//
// Plain integer code, a few hundred cycles a signature. Source: RFC 8032, 5.1; Menezes, van Oorschot, Vanstone, "Handbook of Applied
// Cryptography", algorithm 14.42 (Barrett reduction).
#pragma once
#include <cstdint>
#include <cstring>

namespace ed25519_scalar {

typedef unsigned __int128 uint128;

constexpr uint64_t L[4] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000};
// floor(2^512 / L).
constexpr uint64_t MU[5] = {0xed9ce5a30a2c131b, 0x2106215d086329a7, 0xffffffffffffffeb, 0xffffffffffffffff, 0xf};

struct Words4 {
  uint64_t word[4];
};

inline Words4 load(const uint8_t *bytes) {
  Words4 r;
  memcpy(r.word, bytes, 32);
  return r;
}

// a < b.
inline bool less(const uint64_t *a, const uint64_t *b, int n) {
  for (int i = n - 1; i >= 0; i--)
    if (a[i] != b[i]) return a[i] < b[i];
  return false;
}

// a -= b modulo 2^(64 n).
inline void subtract(uint64_t *a, const uint64_t *b, int n) {
  uint64_t borrow = 0;
  for (int i = 0; i < n; i++) {
    const uint128 difference = (uint128)a[i] - b[i] - borrow;
    a[i] = (uint64_t)difference;
    borrow = (uint64_t)(difference >> 64) & 1;
  }
}

// out[0 .. na + nb) = a * b.
inline void multiply(const uint64_t *a, int na, const uint64_t *b, int nb, uint64_t *out) {
  memset(out, 0, 8 * (size_t)(na + nb));
  for (int i = 0; i < na; i++) {
    uint64_t carry = 0;
    for (int j = 0; j < nb; j++) {
      const uint128 sum = (uint128)a[i] * b[j] + out[i + j] + carry;
      out[i + j] = (uint64_t)sum;
      carry = (uint64_t)(sum >> 64);
    }
    out[i + nb] = carry;
  }
}

// x mod L, x of 512 bits.
inline Words4 reduce(const uint64_t (&x)[8]) {
  uint64_t q[10], product[9], r[5];
  multiply(x + 3, 5, MU, 5, q);
  multiply(q + 5, 5, L, 4, product);
  memcpy(r, x, 40);
  subtract(r, product, 5);
  const uint64_t wide_l[5] = {L[0], L[1], L[2], L[3], 0};
  while (!less(r, wide_l, 5)) subtract(r, wide_l, 5);  // at most twice
  return {{r[0], r[1], r[2], r[3]}};
}

// The constant with the highest bit of every digit of BITS bits set. Digit i of scalar + this, less 2^(BITS - 1), is the scalar's signed digit i,
// in -2^(BITS - 1) .. 2^(BITS - 1) - 1: no carries are passed from digit to digit. Scalars below 2^253, so the sum stays below 2^256.
template <int BITS>
constexpr uint64_t digit_signs() {
  uint64_t word = 0;
  for (int bit = BITS - 1; bit < 64; bit += BITS) word |= 1ull << bit;
  return word;
}

// a + word * (1 + 2^64 + 2^128 + 2^192) modulo 2^256.
inline Words4 add_to_each_word(const Words4 &a, uint64_t word) {
  Words4 r;
  uint64_t carry = 0;
  for (int i = 0; i < 4; i++) {
    const uint128 sum = (uint128)a.word[i] + word + carry;
    r.word[i] = (uint64_t)sum;
    carry = (uint64_t)(sum >> 64);
  }
  return r;
}

constexpr uint64_t P[4] = {0xffffffffffffffed, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff};
// y of the points of small order: 0, 1, p - 1, and y and -y of order 8.
constexpr uint64_t SMALL_ORDER_Y[5][4] = {
    {0, 0, 0, 0},
    {1, 0, 0, 0},
    {0xffffffffffffffec, 0xffffffffffffffff, 0xffffffffffffffff, 0x7fffffffffffffff},
    {0x4fd84d3d706a17c7, 0xf67100d760b3cba, 0xc6cc392cfa53202a, 0x7a03ac9277fdc74e},
    {0xb027b2c28f95e826, 0xf098eff289f4c345, 0x3933c6d305acdfd5, 0x5fc536d880238b1},
};

// Canonical, and not of small order.
inline bool acceptable_point(const uint8_t *bytes) {
  Words4 y = load(bytes);
  y.word[3] &= 0x7fffffffffffffff;
  if (!less(y.word, P, 4)) return false;
  for (const auto &small : SMALL_ORDER_Y)
    if (memcmp(y.word, small, 32) == 0) return false;
  return true;
}

inline bool passes_byte_checks(const uint8_t *key, const uint8_t *signature) {
  return less(load(signature + 32).word, L, 4) && acceptable_point(key) && acceptable_point(signature);
}

}  // namespace ed25519_scalar
