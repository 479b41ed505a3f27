/** Every method of a node over HTTP: what it answers about the fake node, and what it says when it cannot. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeCertificate, encodeBase58, formatAddress } from '../../src/codec/index.ts';
import { BLOCK, CHAIN, hasher, KEY, OTHER, POH, TRANSACTIONS, transaction } from './sample-block.ts';
import { type ServerRig, startServer } from './server-rig.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const SELF = formatAddress(KEY.address);

describe('RPC methods', () => {
  let rig: ServerRig;
  beforeEach(async () => {
    rig = await startServer();
  });
  afterEach(() => rig.server.stop());
  const result = async (method: string, params?: unknown): Promise<unknown> => {
    const { result, error } = await rig.call(method, params);
    expect(error).toBeUndefined();
    return result;
  };

  it('answers about the node and the chain', async () => {
    expect(await result('getHealth')).toBe('ok');
    expect(await result('getVersion')).toEqual({ 'cairn-core': '0.1.0', kernels: 'portable' });
    expect(await result('getGenesisHash')).toBe(encodeBase58(CHAIN));
    expect(await result('getIdentity')).toMatchObject({ identity: encodeBase58(KEY.publicKey), role: 'validator' });
    expect(await result('getSlot')).toBe(1);
    expect(await result('getSlot', [{ commitment: 'processed' }])).toBe(3);
    expect(await result('getBlockHeight', { config: { commitment: 'confirmed' } })).toBe(1);
    expect(await result('getClusterNodes')).toMatchObject([
      { pubkey: encodeBase58(KEY.publicKey), gossip: '/ip4/127.0.0.1/tcp/9/p2p/12D3KooWTest', finalizedHeight: 4 },
      { publicKey: null, self: false },
    ]);
    expect(await result('getVoteAccounts')).toEqual({
      current: [
        {
          votePubkey: encodeBase58(KEY.publicKey),
          nodePubkey: encodeBase58(KEY.publicKey),
          activatedStake: '100',
          lastVote: 6,
        },
      ],
      delinquent: [expect.objectContaining({ activatedStake: '50', lastVote: null })],
    });
    expect(await result('getSupply')).toMatchObject({
      context: { slot: 6 },
      value: { total: '1000', circulating: '670', nonCirculating: '330', bonds: '150', evicted: '30' },
    });
    expect(await result('cairn_getStatus')).toMatchObject({
      role: 'validator',
      chainId: encodeBase58(CHAIN),
      finalized: { height: 4, stateRoot: encodeBase58(BLOCK.header.stateRoot) },
      poh: { count: 300_000 },
    });
  });

  it('gives evictions with their paths, page by page', async () => {
    const first = (await result('cairn_getEvictions', [SELF])) as { evictions: object[]; next: number };
    expect(first).toMatchObject({ slot: 6, keptFrom: 3, next: 21 });
    expect(first.evictions[0]).toEqual({
      index: 3,
      balance: '300',
      height: 4,
      revived: false,
      path: rig.node.evicted[0]!.path.map((step) => encodeBase58(step)),
    });
    expect(await result('cairn_getEvictions', [SELF, 21])).toMatchObject({ evictions: [{ index: 21 }], next: null });
    expect((await rig.call('cairn_getEvictions', [SELF, -1])).error).toMatchObject({ code: -32602 });
  });

  it('says that it is unhealthy, in RPC and over GET', async () => {
    const health = () => fetch(`${rig.server.url}/health`);
    expect(await (await health()).text()).toBe('ok');
    rig.node.healthy = false;
    expect((await rig.call('getHealth')).error).toMatchObject({ code: -32005 });
    const sick = await health();
    expect([sick.status, await sick.text()]).toEqual([503, 'finality is 41 slots behind']);
  });

  it('gives balances as decimal strings, and null for what does not exist', async () => {
    expect(await result('getBalance', [SELF])).toEqual({ context: { slot: 6 }, value: '18446744073709551615' });
    expect(await result('getMultipleAccounts', [[SELF, formatAddress(OTHER.address)]])).toEqual({
      context: { slot: 6 },
      value: [{ balance: '18446744073709551615' }, null],
    });
  });

  it('gives a recent block to sign over', async () => {
    expect(await result('getLatestBlockhash')).toEqual({
      context: { slot: 6 },
      value: { blockhash: encodeBase58(POH), pohCount: 300_000, lastValidSlot: 306, lastValidBlockHeight: 304 },
    });
  });

  it('takes transactions one by one and many at once, and says why it refuses', async () => {
    const good = transaction({ kind: 'register', deposit: TRANSACTIONS[2]!.fee }, 77n);
    expect(await result('sendTransaction', [base64(good.bytes), { encoding: 'base64', skipPreflight: true }])).toBe(
      encodeBase58(good.id),
    );
    expect(rig.node.submitted).toEqual([good.bytes]);
    const cut = good.bytes.subarray(0, 100);
    expect((await rig.call('sendTransaction', [base64(cut)])).error).toMatchObject({
      code: -32002,
      data: { code: 'transaction-refused', reason: 'truncated' },
    });
    expect(await result('cairn_sendTransactions', [[base64(good.bytes), base64(cut)]])).toMatchObject([
      { id: encodeBase58(good.id) },
      { error: { code: 'truncated' } },
    ]);
  });

  it('follows transactions by id', async () => {
    const [first, second, third] = TRANSACTIONS.map((one) => one.id);
    rig.node.finalize([first!]);
    rig.node.status_.set(Buffer.from(second!).toString('hex'), {
      state: 'dropped',
      code: 'expired',
      message: 'too old',
    });
    const ids = [first!, second!, third!].map(encodeBase58);
    expect(await result('getSignatureStatuses', [ids, { searchTransactionHistory: true }])).toMatchObject({
      value: [
        { confirmationStatus: 'finalized', slot: 1, confirmations: null, err: null, state: 'finalized' },
        { confirmationStatus: null, err: { code: 'expired' }, state: 'dropped' },
        null,
      ],
    });
    for (const one of TRANSACTIONS) {
      expect(await result('getTransaction', [encodeBase58(one.id)])).toMatchObject({
        slot: 6,
        height: 4,
        transaction: { id: encodeBase58(one.id), kind: one.payload.kind, fromAddress: SELF, fee: '5' },
        meta: { err: null, fee: '5' },
      });
      expect(await result('getTransaction', [encodeBase58(one.id), { encoding: 'base64' }])).toMatchObject({
        transaction: [base64(one.bytes), 'base64'],
      });
    }
    expect(await result('getTransaction', [encodeBase58(CHAIN)])).toBe(null);
    expect(await result('cairn_getTimestampProof', [ids[1]])).toBe('AQID');
    expect((await rig.call('cairn_getTimestampProof', [ids[0]])).error).toMatchObject({ code: -32004 });
  });

  it('gives blocks by slot, height and hash, their bytes and certificates', async () => {
    const bySlot = await result('getBlock', [6]);
    expect(bySlot).toMatchObject({ blockHeight: 4, transactionCount: 6, leader: encodeBase58(KEY.publicKey) });
    expect(await result('getBlock', [{ height: 4 }])).toEqual(bySlot);
    expect(await result('getBlock', [{ hash: encodeBase58(BLOCK.header.hash) }])).toEqual(bySlot);
    expect(await result('getBlock', [6, { transactionDetails: 'signatures' }])).toMatchObject({
      signatures: TRANSACTIONS.map((one) => encodeBase58(one.id)),
    });
    expect(await result('getBlock', [6, { transactionDetails: 'none' }])).not.toHaveProperty('transactions');
    expect((await rig.call('getBlock', [7])).error).toMatchObject({ code: -32004, message: 'there is no such block' });
    expect((await rig.call('getBlock', [{ height: 1 }])).error).toMatchObject({ code: -32001 });
    expect(await result('getFirstAvailableBlock')).toBe(6);
    expect(await result('cairn_getBlockBytes', [4])).toBe(base64(BLOCK.bytes));
    const certificate = (await result('cairn_getCertificate', [4])) as { certificate: string; votes: number };
    const decoded = decodeCertificate(hasher, Buffer.from(certificate.certificate, 'base64'));
    expect([certificate.votes, decoded.votes.length, decoded.header.height]).toEqual([2, 2, 4]);
  });

  it('shows replication, filtered', async () => {
    expect(await result('cairn_getReplication')).toMatchObject({
      identities: [{ address: formatAddress(OTHER.address), deposit: '1000' }],
      replicas: [{ segment: 3, proof: 'accepted', accepted: 5 }],
      truncated: false,
    });
    expect(await result('cairn_getReplication', [{ segment: 9 }])).toMatchObject({ replicas: [] });
    expect((await rig.call('cairn_getReplication', [{ segmnt: 9 }])).error).toMatchObject({ code: -32602 });
  });

  it('shows how segments stand against the target, in pages', async () => {
    expect(await result('cairn_getStandings')).toMatchObject({
      ...{ target: 4, belowTarget: 3, atRisk: 1 },
      standings: [{ segment: 0, proven: 0, isAtRisk: true }, { segment: 1 }, { segment: 2, isAtRisk: false }],
    });
    expect(await result('cairn_getStandings', [1, 1])).toMatchObject({ standings: [{ segment: 1, proven: 1 }] });
    expect((await rig.call('cairn_getStandings', [0, 1e6])).error).toMatchObject({ code: -32602 });
  });

  it('waits for finalized blocks, and ends waiting when the caller goes or the server stops', async () => {
    expect(await result('cairn_waitFinalized', { afterHeight: 0, timeoutMs: 10 })).toEqual({ blocks: [] });
    const waiting = result('cairn_waitFinalized', { afterHeight: 0, timeoutMs: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    rig.node.finalize([TRANSACTIONS[0]!.id]);
    expect(await waiting).toMatchObject({ blocks: [{ height: 1, ids: [encodeBase58(TRANSACTIONS[0]!.id)] }] });
    const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'cairn_waitFinalized', params: [9, 20_000] });
    const gone = new AbortController();
    const headers = { 'content-type': 'application/json' };
    const left = fetch(rig.server.url, { method: 'POST', body: call, headers, signal: gone.signal }).catch(
      () => 'gone',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone.abort();
    expect(await left).toBe('gone');
    await expect.poll(() => rig.node.aborted).toBe(1);
    const cut = rig.post(call).catch(() => 'closed');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await rig.server.stop();
    expect(await cut).not.toBe(undefined);
    expect(rig.node.aborted).toBe(2);
  });
});
