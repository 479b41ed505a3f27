#pragma once
#include <node_api.h>

// { name: (units, memory: Uint8Array of a power of two, at least 16 KiB) => number }
napi_value make_limits(napi_env env);
