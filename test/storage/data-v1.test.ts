/**
 * A data directory as format version 1 wrote it (test/fixtures/data-v1): opened, verified, rebuilt, read and gone on with by this version, and by
 * every later one (docs/adr/0008). Its batches stand beside it, so that a log written from them anew can be compared byte by byte.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address, amount, height } from '../../native/index.ts';
import { evictionLeafHashes } from '../../src/ledger/index.ts';
import { CertificateStore } from '../../src/node/chain/certificate-store.ts';
import { EvictionStore } from '../../src/node/evictions/eviction-store.ts';
import {
  DurableRecord,
  decodeStateProof,
  diskFiles,
  encodeBatch,
  encodeStateProof,
  Frontier,
  HistoryStore,
  inspectHistory,
  inspectLog,
  inspectTable,
  PendingBlocks,
  PrunedError,
  StateStore,
  type StateStoreOptions,
  verifyLog,
  verifyStateProof,
} from '../../storage/index.ts';
import { kernels } from './kernels-fixture.ts';

interface Expected {
  readonly chainId: string;
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
  readonly retainHeights: number;
  readonly state: {
    readonly opCount: number;
    readonly floor: number;
    readonly activeCount: number;
    readonly opsRoot: string;
    readonly firstOp: number;
    readonly firstHeight: number;
  };
  readonly accounts: Readonly<Record<string, string>>;
  /** Units, last vote, details. */
  readonly bonds: Readonly<Record<string, readonly [string, string, string]>>;
  readonly records: Readonly<Record<string, string>>;
  /** Of an account, a bond and a record at the tip. */
  readonly proofs: readonly string[];
  /** After every batch, genesis first. */
  readonly roots: readonly string[];
  readonly blocks: readonly {
    readonly height: number;
    readonly slot: number;
    readonly hash: string;
    readonly sha256: string;
    readonly transactions: readonly (readonly [string, number, number])[];
  }[];
  readonly pruned: { readonly startHeight: number; readonly prunedBytes: number };
  readonly segmentRoots: string;
  readonly streamLength: number;
  readonly pending: readonly {
    readonly height: number;
    readonly slot: number;
    readonly hash: string;
    readonly bytes: string;
  }[];
  readonly evictions: {
    readonly peaks: readonly string[];
    readonly leaves: readonly (readonly [address: string, balance: string, height: number])[];
    readonly paths: readonly string[];
  };
  readonly votes: string;
  readonly certificates: {
    readonly votes: readonly [string, string];
    readonly finality: readonly [string, string];
    readonly total: readonly [number, number];
  };
}

const fixture = fileURLToPath(new URL('../fixtures/data-v1', import.meta.url));
const expected = JSON.parse(readFileSync(`${fixture}.json`, 'utf8')) as Expected;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const files = diskFiles();
const { segmentSizeBytes, leafSizeBytes, retainHeights } = expected;
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
  retainHeights,
});

/** Every batch that the log was ever given. */
function allBatches(): Uint8Array[] {
  const bytes = readFileSync(`${fixture}.batches`);
  const batches: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const size = bytes.readUInt32LE(offset);
    batches.push(new Uint8Array(bytes.subarray(offset + 4, offset + 4 + size)));
    offset += 4 + size;
  }
  return batches;
}

const segmentsIn = (directory: string): [string, string][] =>
  readdirSync(directory)
    .filter((name) => name.startsWith('segment-'))
    .sort()
    .map((name) => [name, hex(readFileSync(`${directory}/${name}`))]);

function checkState(store: StateStore): void {
  for (const [account, balance] of Object.entries(expected.accounts))
    expect(store.balance(bytesOf(account)), account).toBe(BigInt(balance));
  expect(store.accountCount).toBe(Object.keys(expected.accounts).length);
  const bonds = [...store.bonds()].map(([owner, { bond, lastVote, details }]) => [
    hex(owner),
    [String(bond), String(lastVote), hex(details)],
  ]);
  expect(Object.fromEntries(bonds)).toEqual(expected.bonds);
  const records = [...store.records(new Uint8Array(0))].map(([key, value]) => [hex(key), hex(value)]);
  expect(Object.fromEntries(records)).toEqual(expected.records);
  const { opCount, floor, activeCount, opsRoot, root } = store.tip.commitment;
  const { firstOp } = store;
  const firstHeight = store.heightOf(firstOp);
  expect({ opCount, floor, activeCount, opsRoot: hex(opsRoot), firstOp, firstHeight }).toEqual(expected.state);
  expect(hex(root)).toBe(expected.roots.at(-1));
}

describe('a data directory of format version 1', () => {
  it('is valid, and is what its figures say', async () => {
    const { opCount, floor, activeCount, opsRoot, firstOp, firstHeight } = expected.state;
    expect(firstOp).toBeGreaterThan(0);
    const directory = `${folder}/state/log`;
    const log = await verifyLog({ files, kernels, directory, withState: true });
    const state = { root: bytesOf(expected.roots.at(-1)!), floor, activeCount };
    expect(log).toMatchObject({ firstHeight, height: last, firstOp, opCount, clean: true, state });
    expect(log).toMatchObject({ chainId: bytesOf(expected.chainId), opsRoot: bytesOf(opsRoot) });
    expect(await inspectLog({ files, kernels, directory })).toMatchObject({
      height: last,
      segmentSizeBytes,
      tornTail: undefined,
    });
    expect(await inspectTable({ files, kernels, stateDirectory: `${folder}/state` })).toMatchObject({
      state: 'clean',
      entries: Object.keys(expected.accounts).length,
    });
    for (const [name, startHeight] of [
      ['archive', 1],
      ['history', expected.pruned.startHeight],
    ] as const)
      expect(await inspectHistory({ files, kernels, directory: `${folder}/${name}`, recompute: true })).toMatchObject({
        blocks: expected.blocks.length - startHeight + 1,
        length: expected.streamLength,
        unindexedBytes: 0,
      });
  });

  it('gives its whole state, with the tables as they lie and rebuilt, and goes on', async () => {
    for (const rebuild of [false, true, false]) {
      const store = await StateStore.open({ ...stateOptions(), rebuild });
      expect(store.openReport.rebuilt).toBe(rebuild);
      checkState(store);
      await store.close();
    }
    const store = await StateStore.open(stateOptions());
    await store.append(encodeBatch(store.commitment.place, []));
    await store.close();
    expect(await verifyLog({ files, kernels, directory: `${folder}/state/log` })).toMatchObject({ height: last + 1 });
  });

  it('proves its accounts, bonds and records as it did then', async () => {
    const root = bytesOf(expected.roots.at(-1)!);
    const store = await StateStore.open(stateOptions());
    for (const [index, kind] of (['account', 'bond', 'record'] as const).entries()) {
      const bytes = bytesOf(expected.proofs[index]!);
      const proof = decodeStateProof(bytes);
      const verdict = verifyStateProof(kernels, proof, root);
      if (!('entry' in verdict)) return expect.unreachable(JSON.stringify(verdict));
      const { entry } = verdict;
      const key = 'key' in entry ? entry.key : entry.address;
      expect(hex(encodeStateProof(store.prove(kind, key, proof.header)!))).toBe(expected.proofs[index]);
    }
    await store.close();
  });

  it('holds the very log that this version writes from the same batches, with the same roots', async () => {
    const copy = await StateStore.open({ ...stateOptions(), directory: `${folder}/copy` });
    for (const [at, batch] of allBatches().entries()) {
      await copy.append(batch);
      expect(hex(copy.tip.commitment.root)).toBe(expected.roots[at]);
    }
    checkState(copy);
    await copy.close();
    const segments = segmentsIn(`${fixture}/state/log`);
    expect(segments.length).toBeGreaterThan(3);
    expect(segmentsIn(`${folder}/copy/log`)).toEqual(segments);
  });

  it('gives its history, whole and pruned', async () => {
    for (const [name, startHeight, prunedBytes] of [
      ['archive', 1, 0],
      ['history', expected.pruned.startHeight, expected.pruned.prunedBytes],
    ] as const) {
      const directory = `${folder}/${name}`;
      const history = await HistoryStore.open({ directory, kernels, segmentSizeBytes, leafSizeBytes });
      expect([history.startHeight, history.prunedBytes]).toEqual([startHeight, prunedBytes]);
      for (const block of expected.blocks) {
        if (block.height < startHeight) {
          await expect(history.readBlock(block.height)).rejects.toBeInstanceOf(PrunedError);
          continue;
        }
        expect(history.block(block.height)).toMatchObject({ slot: block.slot, hash: bytesOf(block.hash) });
        expect(hex(kernels.sha256((await history.readBlock(block.height))!))).toBe(block.sha256);
        for (const [id, entry, index] of block.transactions)
          expect(history.transaction(bytesOf(id))).toEqual({ height: block.height, entry, index });
      }
      expect(history.tip?.height).toBe(expected.blocks.length);
      expect(hex(history.segmentRoots())).toBe(expected.segmentRoots);
      await history.close();
    }
  });

  it('gives its pending blocks, its evictions, its certificates and its votes', async () => {
    const pending = await PendingBlocks.open({ directory: `${folder}/pending` });
    const blocks = pending.all().map((each) => ({ ...each, hash: hex(each.hash), bytes: hex(each.bytes) }));
    expect(blocks).toEqual(expected.pending);
    await pending.close();

    const { leaves, paths, peaks } = expected.evictions;
    const evictions = leaves.map(([owner, balance, at]) => ({
      address: address(bytesOf(owner)),
      balance: amount(BigInt(balance)),
      height: height(at),
    }));
    const range = Frontier.empty.appendMany(kernels, evictionLeafHashes(kernels, evictions));
    expect(range.peaks.map(hex)).toEqual(peaks);
    const store = await EvictionStore.open(`${folder}/evictions`, kernels, range);
    expect(paths.map((_, index) => hex(store.path(index, leaves.length)!))).toEqual(paths);
    expect(store.byAddress(evictions[1]!.address, 0, leaves.length, 9).rows.map(({ index }) => index)).toEqual([
      1, 5, 9,
    ]);
    await store.close();

    const certificates = await CertificateStore.open(`${folder}/certificates`);
    const { votes, finality, total } = expected.certificates;
    expect(hex(certificates.votes(bytesOf(votes[0])))).toBe(votes[1]);
    const { header, certificate } = certificates.finality!;
    expect([hex(header), hex(certificate)]).toEqual(finality);
    expect(certificates.transactionsUpTo(total[0])).toBe(total[1]);
    await certificates.close();

    const record = await DurableRecord.open(`${folder}/votes`, { kernels });
    expect(hex(record.read()!)).toBe(expected.votes);
    await record.close();
  });
});
