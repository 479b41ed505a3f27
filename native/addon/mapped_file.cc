// Files mapped into memory: MAP_SHARED behind an external ArrayBuffer.
//
// Invariants: the blocks are allocated before they are mapped, because writing to a hole of a full disk kills the process (SIGBUS);
// the file is never shorter than its mapping when mapped; `close` detaches the buffer first, so JavaScript sees length 0 and never
// freed memory. A mapping lives until it is closed or both its handle and its buffer are collected.
#include "mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "arguments.h"

namespace {

constexpr size_t PAGE_BYTES = 4096;
constexpr size_t MAP_BYTES_MAX = (size_t)1 << 30;
constexpr size_t PATH_BYTES_MAX = 4096;
constexpr napi_type_tag MAPPING_TAG = {0x636169726e2d6d61, 0x7070696e672d7631};

struct Mapping {
  void *base;  // null: closed
  size_t size;
  int references;  // the handle and the buffer

  void unmap() {
    if (base) munmap(base, size);
    base = nullptr;
  }
};

void release(napi_env, void *, void *hint) {
  Mapping *mapping = static_cast<Mapping *>(hint);
  if (--mapping->references > 0) return;
  mapping->unmap();
  delete mapping;
}

// Makes a new file's name durable.
int sync_directory(const char *path) {
  char copy[PATH_BYTES_MAX];
  strncpy(copy, path, sizeof copy - 1);
  copy[sizeof copy - 1] = 0;
  const int directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -errno;
  const int result = fsync(directory) == 0 ? 0 : -errno;
  close(directory);
  return result;
}

// Brings an open file to its size, with every block allocated. 0 or a negative errno; *found is the size it had.
int allocate(int file, const char *path, size_t size, bool create, size_t *found) {
  struct stat info;
  if (fstat(file, &info) != 0) return -errno;
  *found = (size_t)info.st_size;
  if (*found < size && !create) return -EINVAL;
  const int error = posix_fallocate(file, 0, (off_t)size);
  if (error != 0) return -error;
  if (*found >= size) return 0;
  if (fsync(file) != 0) return -errno;
  return sync_directory(path);
}

// 0 or a negative errno.
int map(const char *path, size_t size, bool create, void **base, size_t *found) {
  const int file = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
  if (file < 0) return -errno;
  int result = allocate(file, path, size, create, found);
  if (result == 0) {
    *base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (*base == MAP_FAILED) result = -errno;
  }
  close(file);
  return result;
}

Mapping *mapping_of(napi_env env, napi_value handle) {
  bool ours = false;
  void *data = nullptr;
  if (napi_check_object_type_tag(env, handle, &MAPPING_TAG, &ours) != napi_ok || !ours) return nullptr;
  if (napi_get_value_external(env, handle, &data) != napi_ok) return nullptr;
  return static_cast<Mapping *>(data);
}

napi_value make_result(napi_env env, Mapping *mapping) {
  napi_value result, buffer, handle;
  if (napi_create_external(env, mapping, release, mapping, &handle) != napi_ok) {
    mapping->unmap();
    delete mapping;
    return nullptr;
  }
  mapping->references++;
  if (napi_type_tag_object(env, handle, &MAPPING_TAG) != napi_ok) return nullptr;
  if (napi_create_external_arraybuffer(env, mapping->base, mapping->size, release, mapping, &buffer) != napi_ok) return nullptr;
  mapping->references++;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "buffer", buffer);
  napi_set_named_property(env, result, "handle", handle);
  return result;
}

}  // namespace

napi_value map_file(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 3);
  char path[PATH_BYTES_MAX];
  size_t length = 0;
  bool create = false;
  args.require(napi_get_value_string_utf8(env, args.value(0), path, sizeof path, &length) == napi_ok);
  const size_t size = args.number(1);
  args.require(napi_get_value_bool(env, args.value(2), &create) == napi_ok);
  args.require(size > 0 && size % PAGE_BYTES == 0 && size <= MAP_BYTES_MAX);
  if (!args.ok()) return args.refuse("mapFile");
  if (length >= sizeof path - 1) return make_number(env, -ENAMETOOLONG);
  void *base = nullptr;
  size_t found = 0;
  const int error = map(path, size, create, &base, &found);
  if (error != 0) return make_number(env, error);
  return make_result(env, new Mapping{base, size, 0});
}

napi_value sync_mapping(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 1);
  Mapping *mapping = args.ok() ? mapping_of(env, args.value(0)) : nullptr;
  if (!mapping) return args.refuse("syncMapping");
  if (!mapping->base) return make_number(env, -EBADF);
  return make_number(env, msync(mapping->base, mapping->size, MS_SYNC) == 0 ? 0 : -errno);
}

napi_value close_mapping(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  Mapping *mapping = args.ok() ? mapping_of(env, args.value(0)) : nullptr;
  if (!mapping) return args.refuse("closeMapping");
  if (!mapping->base) return nullptr;
  void *data = nullptr;
  size_t size = 0;
  // Only this mapping's own buffer is detached, and nothing is unmapped while JavaScript could still reach it.
  if (napi_get_arraybuffer_info(env, args.value(1), &data, &size) != napi_ok || data != mapping->base) return args.refuse("closeMapping");
  if (napi_detach_arraybuffer(env, args.value(1)) != napi_ok) return args.refuse("closeMapping");
  mapping->unmap();
  return nullptr;
}
