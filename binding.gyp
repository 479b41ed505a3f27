{
  "targets": [
    {
      "target_name": "cairn",
      "sources": [
        "native/addon/border.cc",
        "native/addon/cpu.cc",
        "native/addon/table_memory.cc",
        "native/addon/sha256_plain.cc",
        "native/addon/sha256_ni.cc",
        "native/addon/sha256_avx512.cc",
        "native/addon/aes_ni.cc",
        "native/addon/aes_vaes.cc",
        "native/addon/encrypt_leaves_avx512.cc",
        "native/addon/crc32c.cc",
        "native/addon/ripemd160.cc",
        "native/addon/table.cc",
        "native/addon/table_border.cc",
        "native/addon/table_avx512.cc",
        "native/addon/ed25519_ifma.cc",
        "native/limits/limits.cc",
        "native/limits/sha256_loops.cc",
        "native/limits/aes_loops.cc",
        "native/limits/sha512_loop.cc",
        "native/limits/ed25519_loop.cc",
        "native/limits/memory_loops.cc"
      ],
      "defines": ["NAPI_VERSION=8"],
      "cflags!": ["-O2"],
      "cflags": ["-O3", "-Wall", "-Wextra", "-Wno-maybe-uninitialized", "-Wno-uninitialized", "-fvisibility=hidden"],
      "cflags_cc!": ["-std=gnu++17"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti"]
    }
  ]
}
