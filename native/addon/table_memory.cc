// Memory for tables: zeroed pages of their own behind an external ArrayBuffer, huge ones where the system has them, because a random
// access that must also look up a small page's address takes half as long again.
//
// Invariants: `release` detaches the buffer first, so JavaScript sees length 0 and never freed memory. The memory lives until it is
// released or both its handle and its buffer are collected. It starts at a multiple of 64, so that a line of slots is a cache line.
#include "table_memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "arguments.h"

namespace {

constexpr size_t PAGE_BYTES = 4096;
constexpr size_t HUGE_PAGE_BYTES = (size_t)2 << 20;
constexpr size_t TABLE_BYTES_MAX = (size_t)1 << 30;
constexpr napi_type_tag MEMORY_TAG = {0x636169726e2d7462, 0x6c6d656d6f72792d};

struct Memory {
  void *base;  // null: released
  size_t size;
  int references;  // the handle and the buffer

  void unmap() {
    if (base) munmap(base, size);
    base = nullptr;
  }
};

void release(napi_env, void *, void *hint) {
  Memory *memory = static_cast<Memory *>(hint);
  if (--memory->references > 0) return;
  memory->unmap();
  delete memory;
}

// Zeroed memory, or null. From a huge page's size on it begins where such a page may.
void *allocate(size_t size) {
  const size_t slack = size >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 0;
  void *found = mmap(nullptr, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (found == MAP_FAILED) return nullptr;
  if (slack == 0) return found;
  uint8_t *const begin = static_cast<uint8_t *>(found);
  uint8_t *const base = reinterpret_cast<uint8_t *>((reinterpret_cast<uintptr_t>(begin) + slack - 1) & ~(uintptr_t)(slack - 1));
  if (base > begin) munmap(begin, (size_t)(base - begin));
  if (base < begin + slack) munmap(base + size, (size_t)(begin + slack - base));
  // A system without huge pages says no, and works all the same.
  madvise(base, size, MADV_HUGEPAGE);
  return base;
}

Memory *memory_of(napi_env env, napi_value handle) {
  bool ours = false;
  void *data = nullptr;
  if (napi_check_object_type_tag(env, handle, &MEMORY_TAG, &ours) != napi_ok || !ours) return nullptr;
  if (napi_get_value_external(env, handle, &data) != napi_ok) return nullptr;
  return static_cast<Memory *>(data);
}

napi_value make_result(napi_env env, Memory *memory) {
  napi_value result, buffer, handle;
  if (napi_create_external(env, memory, release, memory, &handle) != napi_ok) {
    memory->unmap();
    delete memory;
    return nullptr;
  }
  memory->references++;
  if (napi_type_tag_object(env, handle, &MEMORY_TAG) != napi_ok) return nullptr;
  if (napi_create_external_arraybuffer(env, memory->base, memory->size, release, memory, &buffer) != napi_ok) return nullptr;
  memory->references++;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "buffer", buffer);
  napi_set_named_property(env, result, "handle", handle);
  return result;
}

}  // namespace

// {buffer, handle}, or null when the system has no memory.
napi_value allocate_table(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 1);
  const size_t size = args.number(0);
  args.require(size >= PAGE_BYTES && (size & (size - 1)) == 0 && size <= TABLE_BYTES_MAX);
  if (!args.ok()) return args.refuse("allocateTable");
  void *base = allocate(size);
  napi_value nothing = nullptr;
  if (!base) return napi_get_null(env, &nothing) == napi_ok ? nothing : nullptr;
  return make_result(env, new Memory{base, size, 0});
}

napi_value release_table(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  Memory *memory = args.ok() ? memory_of(env, args.value(0)) : nullptr;
  if (!memory) return args.refuse("releaseTable");
  if (!memory->base) return nullptr;
  void *data = nullptr;
  size_t size = 0;
  // Only this memory's own buffer is detached, and nothing is unmapped while JavaScript could still reach it.
  if (napi_get_arraybuffer_info(env, args.value(1), &data, &size) != napi_ok || data != memory->base) return args.refuse("releaseTable");
  if (napi_detach_arraybuffer(env, args.value(1)) != napi_ok) return args.refuse("releaseTable");
  memory->unmap();
  return nullptr;
}
