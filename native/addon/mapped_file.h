// mapFile, and what belongs to it, on N-API.
#pragma once
#include <node_api.h>

// mapFile(path, sizeBytes, create) -> { buffer: ArrayBuffer, handle } or a negative errno.
napi_value map_file(napi_env env, napi_callback_info info);
// syncMapping(handle) -> 0 or a negative errno.
napi_value sync_mapping(napi_env env, napi_callback_info info);
// closeMapping(handle, buffer): unmaps, and detaches the buffer so that nothing can touch it any more.
napi_value close_mapping(napi_env env, napi_callback_info info);
