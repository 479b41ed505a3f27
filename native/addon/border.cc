// The border: every kernel as a JavaScript function. Checks lengths, calls the kernel, nothing else.
//
// open(mask) gives the kernels for the CPU features in mask, so that tests can run every path in one process; a kernel without a
// native path for that mask is absent, and the portable one serves.
#include <node_api.h>

#include "arguments.h"
#include "cpu.h"
#include "kernels.h"
#include "../limits/limits_border.h"
#include "table_border.h"
#include "table_memory.h"

namespace {

// Raised whenever a function here changes its arguments or results; binding.ts asks for exactly this one.
constexpr double BORDER_VERSION = 5;

struct Dispatch {
  Sha256Kernels sha256;
  AesKernels aes;
  EncodeKernel encode;
  Crc32cKernel crc32c;
  Ripemd160Kernel ripemd160;
  Ed25519Kernel ed25519;
  TableKernels table;
};

Dispatch dispatch_for(uint32_t mask) {
  Dispatch d = {};
  d.sha256 = !(mask & CPU_SHA) ? sha256_plain() : mask & CPU_AVX512 ? sha256_avx512() : sha256_ni();
  if (mask & CPU_AES) d.aes = mask & CPU_VAES ? aes_vaes() : aes_ni();
  if ((mask & CPU_AES) && (mask & CPU_SHA) && (mask & CPU_AVX512)) d.encode = encode_avx512();
  if (mask & CPU_SSE42) d.crc32c = crc32c_sse42();
  d.ripemd160 = mask & CPU_AVX512 ? ripemd160_avx512() : mask & CPU_AVX2 ? ripemd160_avx2() : ripemd160_plain();
  if (mask & CPU_IFMA) d.ed25519 = ed25519_ifma();
  d.table = mask & CPU_AVX512 ? table_avx512() : table_plain();
  return d;
}

const Dispatch &kernels(const Arguments &args) { return *static_cast<const Dispatch *>(args.context()); }

napi_value sha256(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  const auto data = args.bytes(0), out = args.bytes(1);
  args.require(out.length == 32);
  if (!args.ok()) return args.refuse("sha256");
  kernels(args).sha256.hash(data.data, data.length, out.data);
  return nullptr;
}

napi_value sha256_chain(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  const auto state = args.bytes(0);
  const uint32_t count = args.number(1);
  args.require(state.length == 32);
  if (!args.ok()) return args.refuse("sha256Chain");
  kernels(args).sha256.chain(state.data, count);
  return nullptr;
}

napi_value poh_verify(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 4);
  const auto hashes = args.bytes(0);
  const auto steps = args.words(1);
  const auto has_mixin = args.bytes(2), mixins = args.bytes(3);
  const size_t n = steps.length;
  args.require(hashes.length == 32 * (n + 1) && has_mixin.length == n && mixins.length == 32 * n);
  for (size_t i = 0; args.ok() && i < n; i++) args.require(steps.data[i] >= 1 && has_mixin.data[i] <= 1);
  if (!args.ok()) return args.refuse("pohVerify");
  const int64_t wrong = kernels(args).sha256.poh_verify(hashes.data, steps.data, has_mixin.data, mixins.data, n);
  return make_number(env, (double)wrong);
}

napi_value sha256_pairs(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 3);
  const uint32_t prefix = args.number(0);
  const auto pairs = args.bytes(1), out = args.bytes(2);
  args.require(prefix <= 255 && pairs.length % 64 == 0 && out.length == pairs.length / 2);
  if (!args.ok()) return args.refuse("sha256Pairs");
  kernels(args).sha256.pairs((uint8_t)prefix, pairs.data, pairs.length / 64, out.data);
  return nullptr;
}

napi_value sha256_leaves(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 4);
  const uint32_t prefix = args.number(0);
  const auto data = args.bytes(1);
  const size_t leaf = args.number(2);
  const auto out = args.bytes(3);
  args.require(prefix <= 255 && leaf > 0);
  const size_t n = leaf > 0 ? (data.length + leaf - 1) / leaf : 0;
  args.require(out.length == 32 * n);
  if (!args.ok()) return args.refuse("sha256Leaves");
  kernels(args).sha256.many((uint8_t)prefix, data.data, Ranges{nullptr, leaf, data.length}, n, out.data);
  return nullptr;
}

napi_value sha256_ragged(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 4);
  const uint32_t prefix = args.number(0);
  const auto data = args.bytes(1);
  const auto offsets = args.words(2);
  const auto out = args.bytes(3);
  const size_t n = out.length / 32;
  args.require(prefix <= 255 && out.length % 32 == 0 && ascending(offsets, n, data.length) && apart(out, offsets));
  if (!args.ok()) return args.refuse("sha256Ragged");
  kernels(args).sha256.many((uint8_t)prefix, data.data, Ranges{offsets.data, 0, 0}, n, out.data);
  return nullptr;
}

napi_value aes_cbc(napi_env env, napi_callback_info info, bool encrypt) {
  Arguments args(env, info, 4);
  const auto key = args.bytes(0), chain = args.bytes(1), in = args.bytes(2), out = args.bytes(3);
  args.require(key.length == 32 && chain.length == 16 && in.length % 16 == 0 && out.length == in.length);
  if (!args.ok()) return args.refuse("aesCbc");
  const AesKernels &aes = kernels(args).aes;
  (encrypt ? aes.encrypt : aes.decrypt)(key.data, chain.data, in.data, in.length / 16, out.data);
  return nullptr;
}

napi_value aes_cbc_encrypt(napi_env env, napi_callback_info info) { return aes_cbc(env, info, true); }
napi_value aes_cbc_decrypt(napi_env env, napi_callback_info info) { return aes_cbc(env, info, false); }

napi_value aes_cbc_encrypt_many(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 4);
  const auto keys = args.bytes(0), chains = args.bytes(1), in = args.bytes(2), out = args.bytes(3);
  const size_t n = keys.length / 32;
  args.require(keys.length % 32 == 0 && chains.length == 16 * n && in.length % 16 == 0 && out.length == n * in.length);
  if (!args.ok()) return args.refuse("aesCbcEncryptMany");
  kernels(args).aes.encrypt_many(keys.data, chains.data, n, in.data, in.length / 16, out.data);
  return nullptr;
}

napi_value aes_cbc_sample_many(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 5);
  const auto keys = args.bytes(0), chains = args.bytes(1), in = args.bytes(2);
  const auto wanted = args.words(3);
  const auto out = args.bytes(4);
  const size_t n = keys.length / 32, blocks = in.length / 16, count = wanted.length / 2;
  args.require(keys.length % 32 == 0 && chains.length == 16 * n && in.length % 16 == 0 && wanted.length % 2 == 0 && out.length == 16 * count);
  const Samples samples = {wanted.data, count};
  for (size_t i = 0; args.ok() && i < count; i++)
    args.require(samples.block(i) < blocks && samples.lane(i) < n && (i == 0 || samples.block(i - 1) <= samples.block(i)));
  args.require(apart(out, wanted) && apart(chains, wanted));
  if (!args.ok()) return args.refuse("aesCbcSampleMany");
  kernels(args).aes.sample_many(keys.data, chains.data, n, in.data, blocks, samples, out.data);
  return nullptr;
}

constexpr size_t ENCODE_LANES_MAX = 16;

napi_value aes_cbc_encrypt_leaves(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 8);
  const uint32_t n = args.array_length(2);
  args.require(n <= ENCODE_LANES_MAX);
  napi_value inputs[ENCODE_LANES_MAX], outputs[ENCODE_LANES_MAX];
  args.gather(2, n, inputs);
  args.gather(3, n, outputs);
  const auto keys = args.bytes(0), chains = args.bytes(1);
  args.require(keys.length == (size_t)32 * n && chains.length == (size_t)16 * n);
  const uint32_t prefix = args.number(4);
  const size_t leaf = args.number(5);
  const auto in_hashes = args.bytes(6), out_hashes = args.bytes(7);
  args.require(prefix <= 255 && leaf > 0 && leaf % 16 == 0);
  const size_t size = args.ok() && n > 0 ? args.bytes_of(inputs[0]).length : 0, hashes = args.ok() ? size / leaf * 32 : 0;
  args.require(args.ok() && size % leaf == 0 && in_hashes.length == n * hashes && out_hashes.length == n * hashes);
  EncodeLane lanes[ENCODE_LANES_MAX];
  for (size_t i = 0; args.ok() && i < n; i++) {
    const auto in = args.bytes_of(inputs[i]), out = args.bytes_of(outputs[i]);
    args.require(in.length == size && out.length == size);
    lanes[i] = {keys.data + 32 * i, chains.data + 16 * i, in.data, out.data, in_hashes.data + hashes * i, out_hashes.data + hashes * i};
  }
  if (!args.ok()) return args.refuse("aesCbcEncryptLeaves");
  kernels(args).encode.encrypt(lanes, n, size, (uint8_t)prefix, leaf);
  return nullptr;
}

napi_value crc32c(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  const auto data = args.bytes(0);
  const uint32_t seed = args.number(1);
  if (!args.ok()) return args.refuse("crc32c");
  return make_number(env, kernels(args).crc32c.update(seed, data.data, data.length));
}

napi_value ripemd160_keys(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  const auto keys = args.bytes(0), out = args.bytes(1);
  args.require(keys.length % 32 == 0 && out.length == keys.length / 32 * 20);
  if (!args.ok()) return args.refuse("ripemd160Keys");
  kernels(args).ripemd160.keys(keys.data, keys.length / 32, out.data);
  return nullptr;
}

napi_value ed25519_verify(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 5);
  const auto keys = args.bytes(0), signatures = args.bytes(1), messages = args.bytes(2);
  const auto offsets = args.words(3);
  const auto verdicts = args.bytes(4);
  const size_t n = verdicts.length;
  args.require(keys.length == 32 * n && signatures.length == 64 * n && ascending(offsets, n, messages.length) && apart(verdicts, offsets));
  if (!args.ok()) return args.refuse("ed25519Verify");
  kernels(args).ed25519.verify(keys.data, signatures.data, messages.data, offsets.data, n, verdicts.data);
  return nullptr;
}

// SHA-512(R || A || message) of each signature, 64 bytes each.
napi_value ed25519_challenges(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 5);
  const auto keys = args.bytes(0), signatures = args.bytes(1), messages = args.bytes(2);
  const auto offsets = args.words(3);
  const auto out = args.bytes(4);
  const size_t n = out.length / 64;
  args.require(out.length % 64 == 0 && keys.length == 32 * n && signatures.length == 64 * n && ascending(offsets, n, messages.length));
  args.require(apart(out, offsets));
  if (!args.ok()) return args.refuse("ed25519Challenges");
  kernels(args).ed25519.challenges(keys.data, signatures.data, messages.data, offsets.data, n, out.data);
  return nullptr;
}

void set_function(napi_env env, napi_value target, const char *name, napi_callback callback, const void *context) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, const_cast<void *>(context), &function) == napi_ok)
    napi_set_named_property(env, target, name, function);
}

void set_string(napi_env env, napi_value target, const char *name, const char *text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) napi_set_named_property(env, target, name, value);
}

// Names the path that serves each group.
napi_value make_paths(napi_env env, const Dispatch &d) {
  napi_value paths;
  napi_create_object(env, &paths);
  set_string(env, paths, "sha256", d.sha256.path);
  if (d.aes.path) set_string(env, paths, "aes-cbc", d.aes.path);
  if (d.ed25519.path) set_string(env, paths, "ed25519", d.ed25519.path);
  if (d.crc32c.path) set_string(env, paths, "crc32c", d.crc32c.path);
  set_string(env, paths, "ripemd160", d.ripemd160.path);
  set_string(env, paths, "table", d.table.path);
  set_string(env, paths, "table-memory", "mmap, huge pages");
  return paths;
}

void free_dispatch(void *data) { delete static_cast<Dispatch *>(data); }

// open(mask): features the CPU lacks are ignored.
napi_value open_kernels(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 1);
  const uint32_t mask = args.number(0) & cpu_features();
  if (!args.ok()) return args.refuse("open");
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok) return nullptr;
  Dispatch *d = new Dispatch(dispatch_for(mask));
  // The functions hold a bare pointer to d, and may outlive the object that lists them: it lives as long as the environment.
  napi_add_env_cleanup_hook(env, free_dispatch, d);
  set_function(env, result, "sha256", sha256, d);
  set_function(env, result, "sha256Chain", sha256_chain, d);
  set_function(env, result, "pohVerify", poh_verify, d);
  set_function(env, result, "sha256Pairs", sha256_pairs, d);
  set_function(env, result, "sha256Leaves", sha256_leaves, d);
  set_function(env, result, "sha256Ragged", sha256_ragged, d);
  if (d->aes.path) {
    set_function(env, result, "aesCbcEncrypt", aes_cbc_encrypt, d);
    set_function(env, result, "aesCbcDecrypt", aes_cbc_decrypt, d);
    set_function(env, result, "aesCbcEncryptMany", aes_cbc_encrypt_many, d);
  }
  if (d->aes.sample_many) set_function(env, result, "aesCbcSampleMany", aes_cbc_sample_many, d);
  if (d->encode.path) set_function(env, result, "aesCbcEncryptLeaves", aes_cbc_encrypt_leaves, d);
  if (d->ed25519.path) {
    set_function(env, result, "ed25519Verify", ed25519_verify, d);
    set_function(env, result, "ed25519Challenges", ed25519_challenges, d);
  }
  if (d->crc32c.path) set_function(env, result, "crc32c", crc32c, d);
  set_function(env, result, "ripemd160Keys", ripemd160_keys, d);
  set_function(env, result, "tableRead", table_read, &d->table);
  set_function(env, result, "tablePut", table_put, &d->table);
  set_function(env, result, "tableDelete", table_delete, &d->table);
  set_function(env, result, "tableMissing", table_missing, &d->table);
  set_function(env, result, "tableMove", table_move, &d->table);
  set_function(env, result, "allocateTable", allocate_table, d);
  set_function(env, result, "releaseTable", release_table, d);
  set_function(env, result, "giveTable", give_table, d);
  set_function(env, result, "takeTable", take_table, d);
  napi_set_named_property(env, result, "paths", make_paths(env, *d));
  return result;
}

napi_value start(napi_env env, napi_value exports) {
  set_function(env, exports, "open", open_kernels, nullptr);
  napi_set_named_property(env, exports, "version", make_number(env, BORDER_VERSION));
  napi_set_named_property(env, exports, "features", make_number(env, cpu_features()));
  if (napi_value limits = make_limits(env)) napi_set_named_property(env, exports, "limits", limits);
  return exports;
}

}  // namespace

NAPI_MODULE(cairn, start)
