// Bare loops: what this machine allows when a kernel does nothing but its inner work. No borders, no checks, no rules; `cairn bench`
// runs them beside the kernels. Each works on `units` units and returns a value that depends on all of them, so that nothing is optimized away.
#pragma once
#include <cstddef>
#include <cstdint>

// Steps of one SHA-256 chain; of four chains side by side (units are steps of any).
uint64_t limit_sha256_chain(uint64_t steps, uint8_t *memory, size_t size);
uint64_t limit_sha256_four_chains(uint64_t steps, uint8_t *memory, size_t size);
// Compressions of two blocks a node, four nodes side by side.
uint64_t limit_sha256_pairs(uint64_t pairs, uint8_t *memory, size_t size);
// Steps, and nodes of two blocks, in 32 lanes of AVX-512.
uint64_t limit_sha256_lanes(uint64_t steps, uint8_t *memory, size_t size);
uint64_t limit_sha256_lanes_pairs(uint64_t pairs, uint8_t *memory, size_t size);
// Bytes through one CBC chain; through 32 of them; bytes decrypted, 16 blocks side by side.
uint64_t limit_aes_cbc(uint64_t bytes, uint8_t *memory, size_t size);
uint64_t limit_aes_cbc_32(uint64_t bytes, uint8_t *memory, size_t size);
uint64_t limit_aes_decrypt(uint64_t bytes, uint8_t *memory, size_t size);
// Compressions of two blocks a message, eight messages side by side.
uint64_t limit_sha512_blocks(uint64_t messages, uint8_t *memory, size_t size);
// The field multiplications of one verification each, eight at a time.
uint64_t limit_ed25519_field(uint64_t signatures, uint8_t *memory, size_t size);
// Random slots of 32 bytes of `memory`, prefetched 32 ahead: read; read and written.
uint64_t limit_random_read(uint64_t slots, uint8_t *memory, size_t size);
uint64_t limit_random_update(uint64_t slots, uint8_t *memory, size_t size);
