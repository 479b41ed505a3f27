// The table kernels as JavaScript functions; their context is a TableKernels.
#pragma once
#include <node_api.h>

napi_value table_read(napi_env env, napi_callback_info info);
napi_value table_put(napi_env env, napi_callback_info info);
napi_value table_delete(napi_env env, napi_callback_info info);
napi_value table_missing(napi_env env, napi_callback_info info);
napi_value table_move(napi_env env, napi_callback_info info);
