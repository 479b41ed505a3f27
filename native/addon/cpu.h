// What this CPU (and its operating system) can do. One bit a group of instructions that a kernel needs together.
#pragma once
#include <cstdint>

enum CpuFeature : uint32_t {
  CPU_SHA = 1u << 0,     // SHA-NI with SSE4.1
  CPU_SSE42 = 1u << 1,   // crc32 instruction
  CPU_AES = 1u << 2,     // AES-NI
  CPU_VAES = 1u << 3,    // VAES on 512-bit vectors
  CPU_AVX2 = 1u << 4,    // 8 lanes of 32 bits
  CPU_AVX512 = 1u << 5,  // F, VL, BW, DQ: 16 lanes of 32 bits
  CPU_IFMA = 1u << 6,    // 52-bit multiply-add on 512-bit vectors
};

// The features present, as a mask. Reads CPUID; call once and keep the answer.
uint32_t cpu_features();
