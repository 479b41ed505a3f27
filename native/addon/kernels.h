// The kernels as plain functions on memory: no Node, no allocation, no exceptions. border.cc checks lengths and calls them.
//
// Each group is a table of function pointers, filled for a mask of CPU features; a null pointer means that this mask has no
// native path for it and the portable one serves.
#pragma once
#include <cstddef>
#include <cstdint>

// Message i of a batch is data[start(i) .. start(i + 1)): by offsets, or by equal leaves when offsets is null.
struct Ranges {
  const uint32_t *offsets;
  size_t leaf_bytes;
  size_t total_bytes;
  size_t start(size_t i) const {
    if (offsets) return offsets[i];
    const size_t at = i * leaf_bytes;
    return at < total_bytes ? at : total_bytes;
  }
};

struct Sha256Kernels {
  const char *path;
  void (*hash)(const uint8_t *data, size_t size, uint8_t *out);
  void (*chain)(uint8_t *state, uint32_t count);
  // Index of the first wrong stretch, or -1.
  int64_t (*poh_verify)(const uint8_t *hashes, const uint32_t *steps, const uint8_t *has_mixin, const uint8_t *mixins, size_t n);
  void (*pairs)(uint8_t prefix, const uint8_t *pairs, size_t n, uint8_t *out);
  void (*many)(uint8_t prefix, const uint8_t *data, Ranges ranges, size_t n, uint8_t *out);
};

// Cipher blocks asked for: (block, identity) each, blocks ascending and within the call's.
struct Samples {
  const uint32_t *pairs;
  size_t count;
  size_t block(size_t i) const { return pairs[2 * i]; }
  size_t lane(size_t i) const { return pairs[2 * i + 1]; }
};

struct AesKernels {
  const char *path;
  void (*encrypt)(const uint8_t *key, uint8_t *chain, const uint8_t *in, size_t blocks, uint8_t *out);
  void (*decrypt)(const uint8_t *key, uint8_t *chain, const uint8_t *in, size_t blocks, uint8_t *out);
  // n identities: keys n * 32, chains n * 16, out n * 16 * blocks.
  void (*encrypt_many)(const uint8_t *keys, uint8_t *chains, size_t n, const uint8_t *in, size_t blocks, uint8_t *out);
  // As encrypt_many, but of the output only the wanted blocks, 16 bytes each. May be null.
  void (*sample_many)(const uint8_t *keys, uint8_t *chains, size_t n, const uint8_t *in, size_t blocks, Samples wanted, uint8_t *out);
};

// One of several chains that are encrypted side by side: memory of its own, but for the input.
struct EncodeLane {
  const uint8_t *key;
  uint8_t *chain;
  const uint8_t *in;
  uint8_t *out;
  uint8_t *in_hashes, *out_hashes;
};

struct EncodeKernel {
  const char *path;
  // CBC of `size` bytes of each of n lanes, whole leaves, in and out apart; the hashes of prefix || leaf of both.
  void (*encrypt)(const EncodeLane *lanes, size_t n, size_t size, uint8_t prefix, size_t leaf_bytes);
};

struct Crc32cKernel {
  const char *path;
  uint32_t (*update)(uint32_t seed, const uint8_t *data, size_t size);
};

struct Ripemd160Kernel {
  const char *path;
  void (*keys)(const uint8_t *keys, size_t n, uint8_t *out);
};

struct Ed25519Kernel {
  const char *path;
  // Message i is messages[offsets[i] .. offsets[i + 1]).
  void (*verify)(const uint8_t *keys, const uint8_t *signatures, const uint8_t *messages, const uint32_t *offsets, size_t n,
                 uint8_t *verdicts);
  // SHA-512(R || A || message) of each: the first part of verification, for tests and the bench. out: n * 64.
  void (*challenges)(const uint8_t *keys, const uint8_t *signatures, const uint8_t *messages, const uint32_t *offsets, size_t n, uint8_t *out);
};

enum class TableStatus { ok, full, corrupt };

// What changes while a table is used, four words a shard; the caller's memory.
struct TableState {
  uint32_t live, tombstones;
  uint32_t start, moved;  // line of the old table where moving began, and lines moved
};

// One shard's memory. Homes are the hash's high word >> shift. Not moving: old is null, old_mask 0, moved 1.
struct TableShard {
  uint8_t *table, *table_end;
  uint8_t *old, *old_end;
  uint32_t shift, old_shift, old_mask;
  uint32_t start, moved;
  uint32_t limit;  // slots in use at most; 0: the shard is held elsewhere, and nothing is put
  TableState *state;
};

struct TableShards {
  const TableShard *shards;
  uint32_t mask;  // shards - 1
  bool growing;  // any of them
  const uint8_t *secret;
};

// Key i: 20 bytes at first + i * stride; in a put, its value right behind it.
struct TableKeys {
  const uint8_t *first;
  size_t stride, count;
};

// Each for slots of 32 and of 64 bytes.
struct TableKernels {
  const char *path;
  // out[i] = `size` bytes of the slot from `at` on; zeros for a key that is not there or deleted.
  TableStatus (*read[2])(const TableShards &set, const TableKeys &keys, size_t at, size_t size, uint8_t *out);
  // Log positions count up from `position`. Not ok: any part may have been written.
  TableStatus (*put[2])(const TableShards &set, const TableKeys &keys, uint32_t position);
  TableStatus (*bury[2])(const TableShards &set, const TableKeys &keys);
  // Adds to counts[shard] the keys that have no entry: no slot, or a deleted entry's.
  TableStatus (*missing[2])(const TableShards &set, const TableKeys &keys, uint32_t *counts);
  // Moves at least `lines` lines of a shard's old table; `state` says how far it is.
  TableStatus (*move[2])(const TableShards &set, uint32_t shard, uint32_t lines);
};

Sha256Kernels sha256_plain();
Sha256Kernels sha256_ni();
Sha256Kernels sha256_avx512();  // needs the SHA instructions too
AesKernels aes_ni();
EncodeKernel encode_avx512();  // needs the AES and SHA instructions too
AesKernels aes_vaes();
Crc32cKernel crc32c_sse42();
Ripemd160Kernel ripemd160_plain();
Ripemd160Kernel ripemd160_avx2();
Ripemd160Kernel ripemd160_avx512();
Ed25519Kernel ed25519_ifma();
TableKernels table_plain();
TableKernels table_avx512();
