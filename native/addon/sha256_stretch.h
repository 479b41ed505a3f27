// One stretch of PoH on its way: what a lane of a verifier holds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

struct PohStretch {
  alignas(16) uint8_t state[32];
  uint32_t left;  // plain steps still to go
  bool has_mixin;
  const uint8_t *mixin, *expected;
  int64_t index;
};

// The stretches of a call, in order.
struct PohBatch {
  const uint8_t *hashes;
  const uint32_t *steps;
  const uint8_t *has_mixin, *mixins;
  size_t n;

  void load(size_t i, PohStretch &stretch) const {
    memcpy(stretch.state, hashes + 32 * i, 32);
    stretch.left = steps[i] - has_mixin[i];
    stretch.has_mixin = has_mixin[i] != 0;
    stretch.mixin = mixins + 32 * i;
    stretch.expected = hashes + 32 * (i + 1);
    stretch.index = (int64_t)i;
  }
};

// The lowest of the indexes that were found wrong; -1: none.
inline void note_wrong(int64_t &first_wrong, int64_t index) {
  if (first_wrong < 0 || index < first_wrong) first_wrong = index;
}

// sha256_ni.cc: whether a stretch that has made its plain steps ends where it should.
bool sha256_ni_ends_right(const PohStretch &stretch);
// sha256_ni.cc: finishes n stretches in any order of their indexes, four at a time; returns the lowest wrong index, or -1.
int64_t sha256_ni_finish(PohStretch *stretches, size_t n);
