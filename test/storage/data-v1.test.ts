/** A data directory as format version 1 wrote it (test/fixtures/data-v1): opened, verified and read by this version, and by every later one. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DurableRecord,
  diskFiles,
  encodeBatch,
  HistoryStore,
  inspectHistory,
  inspectLog,
  inspectTable,
  PendingBlocks,
  StateStore,
  type StateStoreOptions,
  verifyLog,
} from '../../storage/index.ts';
import { kernels } from './kernels-fixture.ts';

interface Expected {
  readonly chainId: string;
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
  readonly accounts: Readonly<Record<string, string>>;
  readonly records: Readonly<Record<string, string>>;
  readonly roots: readonly string[];
  readonly blocks: readonly {
    readonly height: number;
    readonly slot: number;
    readonly hash: string;
    readonly sha256: string;
    readonly transactions: readonly (readonly [string, number, number])[];
  }[];
  readonly segmentRoots: string;
  readonly streamLength: number;
  readonly pending: readonly {
    readonly height: number;
    readonly slot: number;
    readonly hash: string;
    readonly bytes: string;
  }[];
  readonly votes: string;
}

const fixture = fileURLToPath(new URL('../fixtures/data-v1', import.meta.url));
const expected = JSON.parse(readFileSync(`${fixture}.json`, 'utf8')) as Expected;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const files = diskFiles();
const { segmentSizeBytes, leafSizeBytes } = expected;
const last = expected.roots.length - 1;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-v1-'));
  cpSync(fixture, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const stateOptions = (): StateStoreOptions => ({
  directory: `${folder}/state`,
  kernels,
  chainId: bytesOf(expected.chainId),
  segmentSizeBytes,
});

function checkState(store: StateStore): void {
  for (const [address, balance] of Object.entries(expected.accounts))
    expect(store.balance(bytesOf(address)), address).toBe(BigInt(balance));
  expect(store.accountCount).toBe(Object.keys(expected.accounts).length);
  const records = [...store.records(new Uint8Array(0))].map(([key, value]) => [hex(key), hex(value)]);
  expect(Object.fromEntries(records)).toEqual(expected.records);
  expect(hex(store.tip.commitment.root)).toBe(expected.roots.at(-1));
}

describe('a data directory of format version 1', () => {
  it('is valid, and is what its figures say', async () => {
    const roots: string[] = [];
    const log = await verifyLog({
      files,
      kernels,
      directory: `${folder}/state/log`,
      onRoot: (_, root) => roots.push(hex(root)),
    });
    expect(log).toMatchObject({ height: last, clean: true, chainId: bytesOf(expected.chainId) });
    expect(roots).toEqual(expected.roots);
    expect(await inspectLog({ files, kernels, directory: `${folder}/state/log` })).toMatchObject({
      height: last,
      segmentSizeBytes,
      tornTail: undefined,
    });
    expect(await inspectTable({ files, kernels, stateDirectory: `${folder}/state` })).toMatchObject({
      state: 'clean',
      accounts: Object.keys(expected.accounts).length,
    });
    expect(await inspectHistory({ files, kernels, directory: `${folder}/history`, recompute: true })).toMatchObject({
      blocks: expected.blocks.length,
      length: expected.streamLength,
      unindexedBytes: 0,
      rootsChecked: 3,
    });
  });

  it('gives its whole state, with the table as it lies and rebuilt, and goes on', async () => {
    for (const rebuild of [false, true]) {
      const store = await StateStore.open({ ...stateOptions(), rebuild });
      expect(store.openReport.rebuilt).toBe(rebuild);
      checkState(store);
      await store.close();
    }
    const store = await StateStore.open(stateOptions());
    await store.append(encodeBatch({ height: last + 1, ops: [] }), last + 1);
    await store.close();
    expect(await verifyLog({ files, kernels, directory: `${folder}/state/log` })).toMatchObject({ height: last + 1 });
  });

  it('holds the very log that this version writes from the same batches', async () => {
    const old = await StateStore.open(stateOptions());
    const copy = await StateStore.open({ ...stateOptions(), directory: `${folder}/copy` });
    let height = 0;
    for await (const batch of old.readBatches(0)) await copy.append(batch, height++);
    await copy.close();
    await old.close();
    const segments = readdirSync(`${fixture}/state/log`).filter((name) => name.startsWith('segment-'));
    expect(segments.length).toBe(6);
    for (const name of segments)
      expect(readFileSync(`${folder}/copy/log/${name}`).equals(readFileSync(`${fixture}/state/log/${name}`))).toBe(
        true,
      );
  });

  it('gives its history, its pending blocks and its votes', async () => {
    const history = await HistoryStore.open({
      directory: `${folder}/history`,
      kernels,
      segmentSizeBytes,
      leafSizeBytes,
    });
    for (const { height, slot, hash, sha256, transactions } of expected.blocks) {
      expect(history.block(height)).toMatchObject({ height, slot, hash: bytesOf(hash) });
      expect(hex(kernels.sha256((await history.readBlock(height))!))).toBe(sha256);
      for (const [id, entry, index] of transactions)
        expect(history.transaction(bytesOf(id))).toEqual({ height, entry, index });
    }
    expect(history.tip?.height).toBe(expected.blocks.length);
    expect(hex(history.segmentRoots())).toBe(expected.segmentRoots);
    await history.close();
    const pending = await PendingBlocks.open({ directory: `${folder}/pending` });
    expect(
      pending.all().map(({ height, slot, hash, bytes }) => ({ height, slot, hash: hex(hash), bytes: hex(bytes) })),
    ).toEqual(expected.pending);
    await pending.close();
    const votes = await DurableRecord.open(`${folder}/votes`, { kernels });
    expect(hex(votes.read()!)).toBe(expected.votes);
    await votes.close();
  });
});
