// CPUID, behind the compiler's own check of what the operating system saves and restores.
#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>

// GCC 12's __builtin_cpu_supports does not know "sha"; leaf 7, EBX bit 29 says it.
static bool has_sha_ni() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && ((b >> 29) & 1);
}

// Leaf 7, ECX bit 9.
static bool has_vaes() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && ((c >> 9) & 1);
}

uint32_t cpu_features() {
  __builtin_cpu_init();
  uint32_t mask = 0;
  const bool sse41 = __builtin_cpu_supports("sse4.1");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  if (sse41 && has_sha_ni()) mask |= CPU_SHA;
  if (__builtin_cpu_supports("sse4.2")) mask |= CPU_SSE42;
  if (sse41 && __builtin_cpu_supports("aes")) mask |= CPU_AES;
  if (avx512 && (mask & CPU_AES) && has_vaes()) mask |= CPU_VAES;
  if (__builtin_cpu_supports("avx2")) mask |= CPU_AVX2;
  if (avx512) mask |= CPU_AVX512;
  if (avx512 && __builtin_cpu_supports("avx512ifma")) mask |= CPU_IFMA;
  return mask;
}
#else
uint32_t cpu_features() { return 0; }
#endif
