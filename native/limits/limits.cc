// The bare loops as JavaScript functions: name -> (units, memory) -> a number that depends on the work. Those this CPU cannot run are absent.
#include "limits.h"

#include "../addon/arguments.h"
#include "../addon/cpu.h"
#include "limits_border.h"

namespace {

struct Loop {
  const char *name;
  uint32_t needs;
  uint64_t (*run)(uint64_t units, uint8_t *memory, size_t size);
};

#if defined(__x86_64__)
constexpr Loop LOOPS[] = {
    {"sha256Chain", CPU_SHA, limit_sha256_chain},
    {"sha256FourChains", CPU_SHA, limit_sha256_four_chains},
    {"sha256Pairs", CPU_SHA, limit_sha256_pairs},
    {"sha256Lanes", CPU_AVX512, limit_sha256_lanes},
    {"sha256LanesPairs", CPU_AVX512, limit_sha256_lanes_pairs},
    {"aesCbc", CPU_AES, limit_aes_cbc},
    {"aesCbc32", CPU_VAES, limit_aes_cbc_32},
    {"aesDecrypt", CPU_AES, limit_aes_decrypt},
    {"sha512Blocks", CPU_AVX512, limit_sha512_blocks},
    {"ed25519Field", CPU_IFMA, limit_ed25519_field},
    {"randomRead", 0, limit_random_read},
    {"randomUpdate", 0, limit_random_update},
};
#else
constexpr Loop LOOPS[] = {{"randomRead", 0, limit_random_read}, {"randomUpdate", 0, limit_random_update}};
#endif

constexpr size_t MEMORY_BYTES_MIN = 16 << 10;

napi_value run(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 2);
  const uint32_t units = args.number(0);
  const auto memory = args.bytes(1);
  args.require(memory.length >= MEMORY_BYTES_MIN && (memory.length & (memory.length - 1)) == 0);
  if (!args.ok()) return args.refuse("limit");
  const Loop *loop = static_cast<const Loop *>(args.context());
  return make_number(env, (double)(loop->run(units, memory.data, memory.length) >> 11));
}

}  // namespace

napi_value make_limits(napi_env env) {
  napi_value limits;
  if (napi_create_object(env, &limits) != napi_ok) return nullptr;
  const uint32_t features = cpu_features();
  for (const Loop &loop : LOOPS) {
    napi_value function;
    if ((features & loop.needs) != loop.needs) continue;
    if (napi_create_function(env, loop.name, NAPI_AUTO_LENGTH, run, const_cast<Loop *>(&loop), &function) != napi_ok) continue;
    napi_set_named_property(env, limits, loop.name, function);
  }
  return limits;
}
