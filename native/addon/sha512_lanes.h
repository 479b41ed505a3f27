// SHA-512 of eight messages side by side: the Ed25519 challenge, SHA-512(R || A || M), for eight signatures.
//
// Lanes whose message has ended keep their state while the longer ones go on. Included inside CAIRN_TARGET_BEGIN.
// Source: FIPS 180-4, 6.4.2; RFC 8032, 5.1.7.

// R || A || M of one signature, padded, block by block.
struct ChallengeMessage {
  const uint8_t *r, *a, *m;
  size_t size;  // of M

  size_t block_count() const { return (64 + size + 17 + 127) / 128; }

  // Bytes 128 b .. 128 b + 127 of the padded message.
  void block(size_t b, uint8_t *out) const {
    const size_t from = 128 * b, total = 64 + size;
    memset(out, 0, 128);
    if (b == 0) {
      memcpy(out, r, 32);
      memcpy(out + 32, a, 32);
    }
    const size_t start = b == 0 ? 64 : from, end = total < from + 128 ? total : from + 128;
    if (end > start) memcpy(out + (start - from), m + (start - 64), end - start);
    if (total >= from && total < from + 128) out[total - from] = 0x80;
    if (b + 1 == block_count()) {
      const uint64_t bits = __builtin_bswap64((uint64_t)total * 8);
      memcpy(out + 120, &bits, 8);
    }
  }
};

// The 64-byte digests, as eight little-endian words each: out[l][j].
static void sha512_challenges(const ChallengeMessage (&messages)[8], uint64_t (&out)[8][8]) {
  const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607));
  __m512i state[8];
  for (int i = 0; i < 8; i++) state[i] = _mm512_set1_epi64((long long)SHA512_INITIAL[i]);
  size_t longest = 0;
  for (const ChallengeMessage &message : messages)
    if (message.block_count() > longest) longest = message.block_count();
  for (size_t b = 0; b < longest; b++) {
    alignas(64) uint8_t bytes[8][128];
    __mmask8 active = 0;
    for (int l = 0; l < 8; l++) {
      if (b >= messages[l].block_count()) continue;
      active |= (__mmask8)(1 << l);
      messages[l].block(b, bytes[l]);
    }
    __m512i w[16];
    for (int half = 0; half < 2; half++) {
      __m512i rows[8];
      for (int l = 0; l < 8; l++) rows[l] = _mm512_shuffle_epi8(_mm512_load_si512(bytes[l] + 64 * half), swap);
      transpose8(rows);
      for (int j = 0; j < 8; j++) w[8 * half + j] = rows[j];
    }
    sha512_compress(state, w, active);
  }
  transpose8(state);
  for (int l = 0; l < 8; l++) _mm512_storeu_si512(out[l], _mm512_shuffle_epi8(state[l], swap));
}
