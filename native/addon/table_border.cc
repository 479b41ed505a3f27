// The border of the table kernels. Every function begins with the same five arguments, a table: slot size, secret, the shards' tables (an
// empty one: the shard is held elsewhere, its keys are passed by), the tables they are moving out of (empty ones where they are not),
// and four words of state each. Sizes, powers of two, and everything that decides an address is checked here again; so is that nothing
// written lies in what is read: a kernel's own writes must not change the numbers and keys that it goes by.
// Results: 0 done, 1 full, 2 no empty slot.
#include "table_border.h"

#include "arguments.h"
#include "kernels.h"

namespace {

constexpr uint32_t SHARDS_MAX = 256;
constexpr size_t LINE_BYTES = 64;
constexpr size_t TABLE_BYTES_MIN = 2 * LINE_BYTES;
constexpr size_t TABLE_BYTES_MAX = (size_t)1 << 30;
constexpr size_t ADDRESS_BYTES = 20;
constexpr size_t POSITION_BYTES = 4;
constexpr uint32_t STATE_WORDS = sizeof(TableState) / 4;
constexpr uint32_t POSITION_MAX = 0xfffffffe;

bool is_table_size(size_t size) { return size >= TABLE_BYTES_MIN && size <= TABLE_BYTES_MAX && (size & (size - 1)) == 0; }

// Stands for a shard that is held elsewhere: always empty, and never written, because its limit is no slot at all.
alignas(LINE_BYTES) uint8_t nothing[TABLE_BYTES_MIN];

uint32_t shift_of(size_t size) { return 32 - (uint32_t)__builtin_ctzll(size / LINE_BYTES); }

class Table {
 public:
  TableShards set;
  size_t slot_bytes;

  explicit Table(Arguments &args) : args_(args) {
    slot_bytes = args.number(0);
    const auto secret = args.bytes(1);
    const uint32_t count = args.array_length(2);
    state_ = args.words(4);
    args.require((slot_bytes == 32 || slot_bytes == 64) && secret.length == 16);
    args.require(count >= 1 && count <= SHARDS_MAX && (count & (count - 1)) == 0);
    args.require(args.array_length(3) == count && state_.length == (size_t)count * STATE_WORDS);
    args.require(apart(state_, secret));
    set = {shards_, count - 1, false, secret.data};
    for (uint32_t i = 0; args.ok() && i < count; i++) add(i, reinterpret_cast<TableState *>(state_.data) + i);
  }

  // Keys from argument `i` on: bytes, stride, count. Each has `size` bytes. `written`: the kernel changes the tables meanwhile.
  TableKeys keys(size_t i, size_t size, bool written) {
    const auto bytes = args_.bytes(i);
    if (written) keep_apart(bytes);
    const size_t stride = args_.number(i + 1), count = args_.number(i + 2);
    args_.require(stride >= size && stride <= 1024 && (count == 0 || (bytes.length >= size && (bytes.length - size) / stride + 1 >= count)));
    return {bytes.data, stride, count};
  }

  // Requires that an array shares no byte with the tables and their state.
  template <typename Element>
  void keep_apart(Array<Element> array) {
    args_.require(apart(array, state_));
    for (uint32_t i = 0; args_.ok() && i <= set.mask; i++) {
      const TableShard &shard = shards_[i];
      args_.require(!in_table(array, shard.table, shard.table_end) && !in_table(array, shard.old, shard.old_end));
    }
  }

  // Which of a kernel's two forms serves.
  size_t form() const { return slot_bytes == 64; }
  const TableKernels &kernels() const { return *static_cast<const TableKernels *>(args_.context()); }

 private:
  template <typename Element>
  static bool in_table(Array<Element> array, const uint8_t *from, const uint8_t *to) {
    return !apart(array, Array<const uint8_t>{from, (size_t)(to - from)});
  }

  void add(uint32_t i, TableState *state) {
    const auto table = args_.element(2, i), old = args_.element(3, i);
    if (args_.ok() && table.length == 0 && old.length == 0) {
      args_.require_attached(2, i);
      shards_[i] = {nothing, nothing + sizeof nothing, nullptr, nullptr, shift_of(sizeof nothing), 31, 0, 0, 1, 0, state};
      return;
    }
    args_.require(apart(state_, table) && apart(state_, old) && apart(table, old));
    args_.require(is_table_size(table.length) && (old.length == 0 || (is_table_size(old.length) && old.length <= table.length)));
    if (!args_.ok()) return;
    const size_t holds = old.length == 0 ? table.length : old.length;
    TableShard &shard = shards_[i];
    shard = {table.data, table.data + table.length, nullptr, nullptr, shift_of(table.length), 31, 0, 0, 1, (uint32_t)(holds / slot_bytes / 2), state};
    if (old.length == 0) return;
    set.growing = true;
    shard.old = old.data, shard.old_end = old.data + old.length;
    shard.old_shift = shift_of(old.length), shard.old_mask = (uint32_t)(old.length / LINE_BYTES - 1);
    shard.start = state->start, shard.moved = state->moved;
    args_.require(shard.start <= shard.old_mask && shard.moved <= shard.old_mask);
  }

  Arguments &args_;
  Array<uint32_t> state_;
  TableShard shards_[SHARDS_MAX];
};

napi_value status_of(napi_env env, TableStatus status) { return make_number(env, (double)(int)status); }

}  // namespace

// (..., keys, stride, count, at, size, out)
napi_value table_read(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 11);
  Table table(args);
  const TableKeys keys = table.keys(5, ADDRESS_BYTES, false);
  const size_t at = args.number(8), size = args.number(9);
  const auto out = args.bytes(10);
  args.require(size >= 1 && size <= table.slot_bytes && at <= table.slot_bytes - size && out.length == keys.count * size);
  args.require(apart(out, args.bytes(5)) && apart(out, args.bytes(1)));
  table.keep_apart(out);
  if (!args.ok()) return args.refuse("tableRead");
  return status_of(env, table.kernels().read[table.form()](table.set, keys, at, size, out.data));
}

// (..., records, stride, count, position)
napi_value table_put(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 9);
  Table table(args);
  const TableKeys keys = table.keys(5, table.slot_bytes - POSITION_BYTES, true);
  const uint32_t position = args.number(8);
  args.require(position >= 1 && position <= POSITION_MAX);
  if (!args.ok()) return args.refuse("tablePut");
  return status_of(env, table.kernels().put[table.form()](table.set, keys, position));
}

// (..., keys, stride, count)
napi_value table_delete(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 8);
  Table table(args);
  const TableKeys keys = table.keys(5, ADDRESS_BYTES, true);
  if (!args.ok()) return args.refuse("tableDelete");
  return status_of(env, table.kernels().bury[table.form()](table.set, keys));
}

// (..., keys, stride, count, missing)
napi_value table_missing(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 9);
  Table table(args);
  const TableKeys keys = table.keys(5, ADDRESS_BYTES, false);
  const auto missing = args.words(8);
  args.require(missing.length == table.set.mask + (size_t)1 && apart(missing, args.bytes(5)) && apart(missing, args.bytes(1)));
  table.keep_apart(missing);
  if (!args.ok()) return args.refuse("tableMissing");
  return status_of(env, table.kernels().missing[table.form()](table.set, keys, missing.data));
}

// (..., shard, lines)
napi_value table_move(napi_env env, napi_callback_info info) {
  Arguments args(env, info, 7);
  Table table(args);
  const uint32_t shard = args.number(5), lines = args.number(6);
  args.require(shard <= table.set.mask);
  args.require(args.ok() && table.set.shards[shard].old != nullptr);
  if (!args.ok()) return args.refuse("tableMove");
  return status_of(env, table.kernels().move[table.form()](table.set, shard, lines));
}
