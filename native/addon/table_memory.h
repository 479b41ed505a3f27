// Memory for tables, as JavaScript functions.
#pragma once
#include <node_api.h>

napi_value allocate_table(napi_env env, napi_callback_info info);
napi_value release_table(napi_env env, napi_callback_info info);
napi_value give_table(napi_env env, napi_callback_info info);
napi_value take_table(napi_env env, napi_callback_info info);
