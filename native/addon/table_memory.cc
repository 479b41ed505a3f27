// Memory for tables: zeroed pages of their own behind an external ArrayBuffer, huge ones where the system has them, because a random
// access that must also look up a small page's address takes half as long again.
//
// Invariants: `release` detaches the buffer first, so JavaScript sees length 0 and never freed memory. The memory lives until it is
// released or both its handle and its buffer are collected. It starts at a multiple of 64, so that a line of slots is a cache line.
// One thread has it at a time: `give` detaches it and leaves it here under a number, `take` (of any thread) attaches it, once.
#include "table_memory.h"

#include <sys/mman.h>

#include <mutex>

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

// Memory on its way between threads.
struct Given {
  double number;
  void *base;
  size_t size;
  Given *next;
};

std::mutex given_lock;
Given *given_first = nullptr;
double given_last = 0;

double leave(void *base, size_t size) {
  const std::lock_guard<std::mutex> held(given_lock);
  given_first = new Given{++given_last, base, size, given_first};
  return given_last;
}

// What was left under a number, or nothing: base null.
Given fetch(double number) {
  const std::lock_guard<std::mutex> held(given_lock);
  for (Given **at = &given_first; *at; at = &(*at)->next) {
    if ((*at)->number != number) continue;
    Given *const found = *at;
    const Given copy = *found;
    *at = found->next;
    delete found;
    return copy;
  }
  return {};
}

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

// Only the memory's own buffer is detached, so that nothing is unmapped or given away while JavaScript can still reach it here.
bool detach(napi_env env, Memory *memory, napi_value buffer) {
  void *data = nullptr;
  size_t size = 0;
  if (napi_get_arraybuffer_info(env, buffer, &data, &size) != napi_ok || data != memory->base) return false;
  return napi_detach_arraybuffer(env, buffer) == napi_ok;
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

// (handle, buffer)
napi_value release_table(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  Memory *memory = args.ok() ? memory_of(env, args.value(0)) : nullptr;
  if (!memory) return args.refuse("releaseTable");
  if (!memory->base) return nullptr;
  if (!detach(env, memory, args.value(1))) return args.refuse("releaseTable");
  memory->unmap();
  return nullptr;
}

// (handle, buffer): the number under which the memory waits for `takeTable`. It waits for ever: whoever gives it sees to it that it is taken.
napi_value give_table(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  Memory *memory = args.ok() ? memory_of(env, args.value(0)) : nullptr;
  if (!memory || !memory->base || !detach(env, memory, args.value(1))) return args.refuse("giveTable");
  const double number = leave(memory->base, memory->size);
  memory->base = nullptr;
  return make_number(env, number);
}

// (number): {buffer, handle}. Refuses a number under which nothing waits.
napi_value take_table(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 1);
  double number = 0;
  args.require(args.ok() && napi_get_value_double(env, args.value(0), &number) == napi_ok);
  const Given given = args.ok() ? fetch(number) : Given{};
  if (!given.base) return args.refuse("takeTable");
  return make_result(env, new Memory{given.base, given.size, 0});
}
