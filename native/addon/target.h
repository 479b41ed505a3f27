// Compiling a stretch of code for instructions the build machine's default does not have.
//
// CAIRN_TARGET_BEGIN("sha,sse4.1") ... CAIRN_TARGET_END: every function between them may use those instructions, and must only be
// called after cpu.h said they are there. Include every header before BEGIN, so that nothing shared is compiled for them.
#pragma once

#define CAIRN_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define CAIRN_TARGET_BEGIN(features) \
  CAIRN_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define CAIRN_TARGET_END CAIRN_PRAGMA(clang attribute pop)
#else
#define CAIRN_TARGET_BEGIN(features) CAIRN_PRAGMA(GCC push_options) CAIRN_PRAGMA(GCC target(features))
#define CAIRN_TARGET_END CAIRN_PRAGMA(GCC pop_options)
#endif

#define CAIRN_INLINE static inline __attribute__((always_inline))
#define CAIRN_INLINE_MEMBER inline __attribute__((always_inline))
#define CAIRN_INLINE_LAMBDA __attribute__((always_inline))
