// RIPEMD-160 of batches of 32-byte keys (addresses): 16 lanes with AVX-512, 8 with AVX2, else one.
#include "kernels.h"

#include <cstring>

#include "target.h"

namespace plain {
namespace {
#include "ripemd160_lanes.h"
void keys(const uint8_t *in, size_t n, uint8_t *out) { ripemd160_batch<uint32_t, 1>(in, n, out); }
}  // namespace
}  // namespace plain

Ripemd160Kernel ripemd160_plain() { return {"c++", plain::keys}; }

#if defined(__x86_64__)
CAIRN_TARGET_BEGIN("avx2")
namespace avx2 {
namespace {
#include "ripemd160_lanes.h"
typedef uint32_t Words __attribute__((vector_size(32)));
void keys(const uint8_t *in, size_t n, uint8_t *out) { ripemd160_batch<Words, 8>(in, n, out); }
}  // namespace
}  // namespace avx2
CAIRN_TARGET_END

CAIRN_TARGET_BEGIN("avx512f,avx512vl,avx512bw,avx512dq")
namespace avx512 {
namespace {
#include "ripemd160_lanes.h"
typedef uint32_t Words __attribute__((vector_size(64)));
void keys(const uint8_t *in, size_t n, uint8_t *out) { ripemd160_batch<Words, 16>(in, n, out); }
}  // namespace
}  // namespace avx512
CAIRN_TARGET_END

Ripemd160Kernel ripemd160_avx2() { return {"c++ avx2", avx2::keys}; }
Ripemd160Kernel ripemd160_avx512() { return {"c++ avx-512", avx512::keys}; }
#else
Ripemd160Kernel ripemd160_avx2() { return {}; }
Ripemd160Kernel ripemd160_avx512() { return {}; }
#endif
