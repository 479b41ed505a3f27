/**
 * The argument checks in front of both twins: exact lengths, integer ranges, ascending offsets, no detached or misplaced buffers.
 *
 * Invariants: a wrong argument is a `TypeError` naming it, what was found and what is wanted; nothing is written before
 * every check passed; a raw kernel behind these checks never sees a length it must doubt.
 */
import {
  apart,
  bytes,
  fail,
  integer,
  items,
  overlap,
  partlyOverlap,
  ranges,
  sized,
  unshared,
  words,
} from './argument-checks.ts';
import type { KernelPath, Kernels, TableShards } from './kernels.ts';
import type { RawKernels } from './raw-kernels.ts';

const COUNT_MAX = 2 ** 31 - 1;
/** Chains encrypted side by side in one call. */
const LANES_MAX = 16;
const SHARDS_MAX = 256;
const TABLE_BYTES_MIN = 128;
const TABLE_BYTES_MAX = 2 ** 30;
const LINE_BYTES = 64;
const ADDRESS_BYTES = 20;
const STRIDE_BYTES_MAX = 1024;
const POSITION_MAX = 2 ** 32 - 2;
const PAGE_BYTES = 4096;

function checkPoh(hashes: Uint8Array, steps: Uint32Array, hasMixin: Uint8Array, mixins: Uint8Array): void {
  if (!(steps instanceof Uint32Array)) fail('steps', 'a Uint32Array', typeof steps);
  unshared(steps, 'steps');
  const n = steps.length;
  sized(hashes, (n + 1) * 32, 'hashes');
  sized(hasMixin, n, 'hasMixin');
  sized(mixins, n * 32, 'mixins');
  unshared(hasMixin, 'hasMixin');
  for (let i = 0; i < n; i++) {
    if (steps[i]! < 1 || steps[i]! > COUNT_MAX) fail(`steps[${i}]`, `within 1 .. ${COUNT_MAX}`, steps[i]);
    if (hasMixin[i]! > 1) fail(`hasMixin[${i}]`, '0 or 1', hasMixin[i]);
  }
}

function checkCbc(key: Uint8Array, chain: Uint8Array, input: Uint8Array, output: Uint8Array): void {
  sized(key, 32, 'key');
  sized(chain, 16, 'chain');
  items(input, 16, 'input');
  sized(output, input.length, 'output');
  if (partlyOverlap(input, output)) fail('output', 'the input itself or apart from it', 'a partial overlap');
  for (const other of [key, input, output])
    if (overlap(chain, other)) fail('chain', 'apart from the others', 'an overlap');
  if (overlap(key, output)) fail('output', 'apart from the key', 'an overlap');
}

/** An own copy of a list of byte arrays: a getter in it gives each but once. */
function lanes(value: readonly Uint8Array[], what: string): Uint8Array[] {
  if (!Array.isArray(value) || value.length > LANES_MAX) fail(what, `an array of at most ${LANES_MAX}`, typeof value);
  return Array.from(value as readonly Uint8Array[]);
}

/** Inputs and outputs of one length, with a key and a chain each. */
function checkLanes(keys: Uint8Array, chains: Uint8Array, inputs: Uint8Array[], outputs: Uint8Array[]): void {
  sized(keys, 32 * inputs.length, 'keys');
  sized(chains, 16 * inputs.length, 'chains');
  if (outputs.length !== inputs.length) fail('outputs', `${inputs.length} of them`, outputs.length);
  inputs.forEach((input, i) => {
    bytes(input, `inputs[${i}]`);
    sized(input, inputs[0]!.length, `inputs[${i}]`);
    sized(outputs[i]!, input.length, `outputs[${i}]`);
  });
}

const isPowerOfTwo = (value: number): boolean => value > 0 && 2 ** Math.round(Math.log2(value)) === value;

function checkTable(value: Uint8Array, sizeBytesMax: number, what: string): void {
  const found = bytes(value, what);
  if (!isPowerOfTwo(found) || found < TABLE_BYTES_MIN || found > sizeBytesMax)
    fail(what, `a power of two of bytes within ${TABLE_BYTES_MIN} .. ${sizeBytesMax}`, found);
  if (value.byteOffset % 4 !== 0) fail(what, 'aligned to 4 bytes', value.byteOffset);
}

function checkOld(shards: TableShards, index: number): void {
  const old = shards.olds[index]!;
  if (bytes(old, `olds[${index}]`) === 0) return;
  checkTable(old, shards.tables[index]!.length, `olds[${index}]`);
  apart(old, shards.tables[index]!, `olds[${index}]`);
}

function checkProgress({ olds, state }: TableShards, index: number): void {
  const lines = olds[index]!.length / LINE_BYTES;
  integer(state[4 * index + 2]!, 0, lines - 1, `state: first line moved of shard ${index}`);
  integer(state[4 * index + 3]!, 0, lines - 1, `state: lines moved of shard ${index}`);
}

/** Tables seen before: only what changes is checked again. The addon checks all of it for itself. */
const knownShards = new WeakSet<TableShards>();

function checkShards(shards: TableShards): void {
  if (typeof shards !== 'object' || shards === null) fail('shards', 'a TableShards', typeof shards);
  if (!knownShards.has(shards)) checkTables(shards);
  for (let index = 0; index < shards.olds.length; index++)
    if (shards.olds[index]!.length > 0) checkProgress(shards, index);
}

function checkTables(shards: TableShards): void {
  const { slotSizeBytes, secret, tables, olds, state } = shards;
  if (slotSizeBytes !== 32 && slotSizeBytes !== 64) fail('slotSizeBytes', '32 or 64', slotSizeBytes);
  sized(secret, 16, 'secret');
  if (!Array.isArray(tables) || !isPowerOfTwo(tables.length) || tables.length > SHARDS_MAX)
    fail('tables', `an array of a power of two of tables, at most ${SHARDS_MAX}`, typeof tables);
  if (!Array.isArray(olds) || olds.length !== tables.length) fail('olds', 'as long as tables', typeof olds);
  words(state, 4 * tables.length, 'state');
  apart(state, secret, 'state');
  for (let index = 0; index < tables.length; index++) {
    // An empty one: the shard is held elsewhere.
    if (bytes(tables[index]!, `tables[${index}]`) > 0) checkTable(tables[index]!, TABLE_BYTES_MAX, `tables[${index}]`);
    apart(state, tables[index]!, 'state');
    checkOld(shards, index);
    apart(state, olds[index]!, 'state');
  }
  knownShards.add(shards);
}

/** Keys (or records of `sizeBytes`) that a table kernel reads. */
function checkKeys(keys: Uint8Array, sizeBytes: number, strideBytes: number, count: number): void {
  integer(strideBytes, sizeBytes, STRIDE_BYTES_MAX, 'strideBytes');
  if (strideBytes % 4 !== 0) fail('strideBytes', 'a multiple of 4', strideBytes);
  integer(count, 0, COUNT_MAX, 'count');
  const needed = count === 0 ? 0 : (count - 1) * strideBytes + sizeBytes;
  if (bytes(keys, 'keys') < needed) fail('keys', `at least ${needed} bytes`, keys.length);
}

/** What a table kernel writes must not be what it reads. */
function apartFromTables(shards: TableShards, value: ArrayBufferView, what: string): void {
  apart(value, shards.state, what);
  for (const table of shards.tables) apart(value, table, what);
  for (const old of shards.olds) apart(value, old, what);
}

type Hashing = Pick<
  Kernels,
  'sha256' | 'sha256Chain' | 'pohVerify' | 'sha256Pairs' | 'sha256Leaves' | 'sha256Ragged' | 'crc32c' | 'ripemd160Keys'
>;

function checkedHashing(raw: RawKernels): Hashing {
  return {
    sha256: (data) => {
      bytes(data, 'data');
      return raw.sha256(data);
    },
    sha256Chain: (state, count) => {
      sized(state, 32, 'state');
      integer(count, 0, COUNT_MAX, 'count');
      raw.sha256Chain(state, count);
    },
    pohVerify: (hashes, steps, hasMixin, mixins) => {
      checkPoh(hashes, steps, hasMixin, mixins);
      return raw.pohVerify(hashes, steps, hasMixin, mixins);
    },
    sha256Pairs: (prefix, pairs, out) => {
      integer(prefix, 0, 255, 'prefix');
      sized(out, items(pairs, 64, 'pairs') * 32, 'out');
      apart(out, pairs, 'out');
      raw.sha256Pairs(prefix, pairs, out);
    },
    sha256Leaves: (prefix, data, leafSizeBytes, out) => {
      integer(prefix, 0, 255, 'prefix');
      integer(leafSizeBytes, 1, COUNT_MAX, 'leafSizeBytes');
      sized(out, Math.ceil(bytes(data, 'data') / leafSizeBytes) * 32, 'out');
      apart(out, data, 'out');
      raw.sha256Leaves(prefix, data, leafSizeBytes, out);
    },
    sha256Ragged: (prefix, data, offsets, out) => {
      integer(prefix, 0, 255, 'prefix');
      sized(out, ranges(offsets, bytes(data, 'data')) * 32, 'out');
      apart(out, data, 'out');
      apart(out, offsets, 'out');
      raw.sha256Ragged(prefix, data, offsets, out);
    },
    crc32c: (data, seed = 0) => {
      bytes(data, 'data');
      integer(seed, 0, 0xffff_ffff, 'seed');
      return raw.crc32c(data, seed);
    },
    ripemd160Keys: (keys, out) => {
      sized(out, items(keys, 32, 'keys') * 20, 'out');
      apart(out, keys, 'out');
      raw.ripemd160Keys(keys, out);
    },
  };
}

/** Pairs of a block and an identity, blocks ascending. */
function checkWanted(wanted: Uint32Array, blocks: number, n: number): void {
  words(wanted, wanted.length, 'wanted');
  unshared(wanted, 'wanted');
  if (wanted.length % 2 !== 0) fail('wanted', 'pairs', wanted.length);
  for (let i = 0; i < wanted.length; i += 2) {
    integer(wanted[i]!, i === 0 ? 0 : wanted[i - 2]!, blocks - 1, `wanted[${i}]`);
    integer(wanted[i + 1]!, 0, n - 1, `wanted[${i + 1}]`);
  }
}

type Ciphers = Pick<
  Kernels,
  'ed25519Verify' | 'aesCbcEncrypt' | 'aesCbcDecrypt' | 'aesCbcEncryptMany' | 'aesCbcEncryptLeaves' | 'aesCbcSampleMany'
>;

function checkedCiphers(raw: RawKernels): Ciphers {
  return {
    ed25519Verify: (publicKeys, signatures, messages, offsets, verdicts) => {
      const n = ranges(offsets, bytes(messages, 'messages'));
      sized(publicKeys, n * 32, 'publicKeys');
      sized(signatures, n * 64, 'signatures');
      sized(verdicts, n, 'verdicts');
      for (const input of [publicKeys, signatures, messages, offsets]) apart(verdicts, input, 'verdicts');
      raw.ed25519Verify(publicKeys, signatures, messages, offsets, verdicts);
    },
    aesCbcEncrypt: (key, chain, input, output) => {
      checkCbc(key, chain, input, output);
      raw.aesCbcEncrypt(key, chain, input, output);
    },
    aesCbcDecrypt: (key, chain, input, output) => {
      checkCbc(key, chain, input, output);
      raw.aesCbcDecrypt(key, chain, input, output);
    },
    aesCbcEncryptLeaves: (keys, chains, inputs, outputs, prefix, leafSizeBytes, inputHashes, outputHashes) => {
      const [ins, outs] = [lanes(inputs, 'inputs'), lanes(outputs, 'outputs')];
      integer(prefix, 0, 255, 'prefix');
      integer(leafSizeBytes, 16, COUNT_MAX, 'leafSizeBytes');
      if (leafSizeBytes % 16 !== 0) fail('leafSizeBytes', 'a multiple of 16', leafSizeBytes);
      checkLanes(keys, chains, ins, outs);
      const n = ins.reduce((sum, input, i) => sum + items(input, leafSizeBytes, `inputs[${i}]`), 0);
      sized(inputHashes, n * 32, 'inputHashes');
      sized(outputHashes, n * 32, 'outputHashes');
      const written = [chains, ...outs, inputHashes, outputHashes];
      written.forEach((output, i) => {
        for (const other of [keys, ...ins, ...written.slice(0, i)]) apart(output, other, 'what is written');
      });
      raw.aesCbcEncryptLeaves(keys, chains, ins, outs, prefix, leafSizeBytes, inputHashes, outputHashes);
    },
    aesCbcSampleMany: (keys, chains, input, wanted, out) => {
      const n = items(keys, 32, 'keys');
      sized(chains, n * 16, 'chains');
      const blocks = items(input, 16, 'input');
      checkWanted(wanted, blocks, n);
      sized(out, wanted.length * 8, 'out');
      for (const other of [keys, chains, input, wanted]) apart(out, other, 'out');
      for (const other of [keys, input, wanted]) apart(chains, other, 'chains');
      raw.aesCbcSampleMany(keys, chains, input, wanted, out);
    },
    aesCbcEncryptMany: (keys, chains, input, outputs) => {
      const n = items(keys, 32, 'keys');
      sized(chains, n * 16, 'chains');
      items(input, 16, 'input');
      sized(outputs, n * input.length, 'outputs');
      for (const other of [keys, chains, input]) apart(outputs, other, 'outputs');
      for (const other of [keys, input]) apart(chains, other, 'chains');
      raw.aesCbcEncryptMany(keys, chains, input, outputs);
    },
  };
}

type Tables = Pick<Kernels, 'tableRead' | 'tablePut' | 'tableDelete' | 'tableMissing' | 'tableMove' | 'tableArena'>;

function checkedTables(raw: RawKernels): Tables {
  return {
    tableRead: (shards, keys, strideBytes, at, sizeBytes, out) => {
      checkShards(shards);
      integer(sizeBytes, 4, shards.slotSizeBytes, 'sizeBytes');
      integer(at, 0, shards.slotSizeBytes - sizeBytes, 'at');
      if ((at | sizeBytes) % 4 !== 0) fail('at and sizeBytes', 'multiples of 4', `${at}, ${sizeBytes}`);
      const n = items(out, sizeBytes, 'out');
      checkKeys(keys, ADDRESS_BYTES, strideBytes, n);
      for (const input of [keys, shards.secret]) apart(out, input, 'out');
      apartFromTables(shards, out, 'out');
      if (n > 0) raw.tableRead(shards, keys, strideBytes, at, sizeBytes, out);
    },
    tablePut: (shards, records, strideBytes, count, position) => {
      checkShards(shards);
      checkKeys(records, shards.slotSizeBytes - 4, strideBytes, count);
      integer(position, 1, POSITION_MAX, 'position');
      apartFromTables(shards, records, 'records');
      raw.tablePut(shards, records, strideBytes, count, position);
    },
    tableDelete: (shards, keys, strideBytes, count) => {
      checkShards(shards);
      checkKeys(keys, ADDRESS_BYTES, strideBytes, count);
      apartFromTables(shards, keys, 'keys');
      raw.tableDelete(shards, keys, strideBytes, count);
    },
    tableMissing: (shards, keys, strideBytes, count, missing) => {
      checkShards(shards);
      checkKeys(keys, ADDRESS_BYTES, strideBytes, count);
      words(missing, shards.tables.length, 'missing');
      for (const input of [keys, shards.secret]) apart(missing, input, 'missing');
      apartFromTables(shards, missing, 'missing');
      raw.tableMissing(shards, keys, strideBytes, count, missing);
    },
    tableMove: (shards, shard, lines) => {
      checkShards(shards);
      integer(shard, 0, shards.tables.length - 1, 'shard');
      integer(lines, 0, COUNT_MAX, 'lines');
      if (shards.olds[shard]!.length === 0) fail('shard', 'one that moves', shard);
      return raw.tableMove(shards, shard, lines);
    },
    tableArena: () => {
      const arena = raw.tableArena();
      return {
        ...arena,
        allocate: (sizeBytes) => {
          integer(sizeBytes, PAGE_BYTES, TABLE_BYTES_MAX, 'sizeBytes');
          if (!isPowerOfTwo(sizeBytes)) fail('sizeBytes', 'a power of two', sizeBytes);
          return arena.allocate(sizeBytes);
        },
      };
    },
  };
}

/** Puts the argument checks in front of a twin. */
export function checkedKernels(name: Kernels['name'], paths: readonly KernelPath[], raw: RawKernels): Kernels {
  return { name, paths, ...checkedHashing(raw), ...checkedCiphers(raw), ...checkedTables(raw) };
}
