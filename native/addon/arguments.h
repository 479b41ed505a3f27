// Reading a call's arguments on the C++ side of the border. The TypeScript side has checked them; this side checks whatever would make a
// wrong memory access, because here a mistake is a crash and not an error.
#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>

// The bytes of a typed array. `ok` is false when the argument was not one of the wanted type.
template <typename Element>
struct Array {
  Element *data;
  size_t length;
};

class Arguments {
 public:
  static constexpr size_t MAX = 12;

  Arguments(napi_env env, napi_callback_info info, size_t wanted) : env_(env) {
    size_t count = MAX;
    ok_ = napi_get_cb_info(env, info, &count, values_, nullptr, &context_) == napi_ok && count >= wanted;
  }

  bool ok() const { return ok_; }
  void *context() const { return context_; }
  napi_value value(size_t i) const { return values_[i]; }

  Array<uint8_t> bytes(size_t i) { return array<uint8_t>(i, napi_uint8_array); }
  Array<uint32_t> words(size_t i) { return array<uint32_t>(i, napi_uint32_array); }
  Array<int32_t> integers(size_t i) { return array<int32_t>(i, napi_int32_array); }

  uint32_t number(size_t i) {
    uint32_t x = 0;
    if (ok_ && napi_get_value_uint32(env_, values_[i], &x) != napi_ok) ok_ = false;
    return x;
  }

  // The bytes of element `index` of an array of byte arrays.
  Array<uint8_t> element(size_t i, uint32_t index) {
    napi_value value = nullptr;
    if (!ok_ || napi_get_element(env_, values_[i], index, &value) != napi_ok) {
      ok_ = false;
      return {nullptr, 0};
    }
    return array<uint8_t>(value, napi_uint8_array);
  }

  // The n elements of a JavaScript array. It may have getters, which may do anything: gather before any memory is looked at.
  void gather(size_t i, uint32_t n, napi_value *elements) {
    require(array_length(i) == n);
    for (uint32_t index = 0; ok_ && index < n; index++) require(napi_get_element(env_, values_[i], index, &elements[index]) == napi_ok);
  }

  // The bytes of a gathered element.
  Array<uint8_t> bytes_of(napi_value value) { return array<uint8_t>(value, napi_uint8_array); }

  // Requires that element `index` of an array of byte arrays has its buffer still: without, it would look empty.
  void require_attached(size_t i, uint32_t index) {
    napi_value value = nullptr, buffer = nullptr;
    bool detached = true;
    if (!ok_ || napi_get_element(env_, values_[i], index, &value) != napi_ok ||
        napi_get_typedarray_info(env_, value, nullptr, nullptr, nullptr, &buffer, nullptr) != napi_ok ||
        napi_is_detached_arraybuffer(env_, buffer, &detached) != napi_ok || detached)
      ok_ = false;
  }

  // Elements of a JavaScript array.
  uint32_t array_length(size_t i) {
    uint32_t length = 0;
    bool is_array = false;
    if (ok_ && (napi_is_array(env_, values_[i], &is_array) != napi_ok || !is_array || napi_get_array_length(env_, values_[i], &length) != napi_ok)) ok_ = false;
    return length;
  }

  // Notes that something must hold.
  void require(bool condition) { ok_ = ok_ && condition; }

  // Throws the TypeError of a call whose arguments did not fit.
  napi_value refuse(const char *kernel) {
    bool pending = false;
    napi_is_exception_pending(env_, &pending);
    if (!pending) napi_throw_type_error(env_, "ERR_INVALID_ARG_VALUE", kernel);
    return nullptr;
  }

 private:
  template <typename Element>
  Array<Element> array(size_t i, napi_typedarray_type wanted) {
    return array<Element>(values_[i], wanted);
  }

  template <typename Element>
  Array<Element> array(napi_value value, napi_typedarray_type wanted) {
    if (!ok_) return {nullptr, 0};
    napi_typedarray_type type = napi_int8_array;
    size_t length = 0;
    void *data = nullptr;
    // A value that is no typed array at all gives napi_invalid_arg.
    if (napi_get_typedarray_info(env_, value, &type, &length, &data, nullptr, nullptr) != napi_ok || type != wanted) {
      ok_ = false;
      return {nullptr, 0};
    }
    if (data == nullptr) length = 0;  // detached
    return {static_cast<Element *>(data), length};
  }

  napi_env env_;
  napi_value values_[MAX];
  void *context_ = nullptr;
  bool ok_;
};

inline napi_value make_number(napi_env env, double x) {
  napi_value value = nullptr;
  napi_create_double(env, x, &value);
  return value;
}

// Whether two arrays share no byte. Numbers that were checked must not be written while they are used.
template <typename A, typename B>
bool apart(Array<A> a, Array<B> b) {
  const uintptr_t a_start = (uintptr_t)a.data, b_start = (uintptr_t)b.data;
  return a.length == 0 || b.length == 0 || a_start + a.length * sizeof(A) <= b_start || b_start + b.length * sizeof(B) <= a_start;
}

// n + 1 ascending offsets, the last at most `limit`.
inline bool ascending(Array<uint32_t> offsets, size_t n, size_t limit) {
  if (offsets.length != n + 1) return false;
  for (size_t i = 0; i < n; i++)
    if (offsets.data[i] > offsets.data[i + 1]) return false;
  return offsets.data[n] <= limit;
}
