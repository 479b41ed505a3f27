/** The server around the methods: envelope, parameters, limits and metrics; and the methods of a replicator. */
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeBase58, formatAddress } from '../../src/codec/index.ts';
import { ApiError } from '../../src/rpc/api-error.ts';
import { replicatorMethods } from '../../src/rpc/methods/index.ts';
import { rpcMetrics } from '../../src/rpc/metrics.ts';
import { RpcServer } from '../../src/rpc/server.ts';
import { CHAIN, KEY } from './sample-block.ts';
import { type ServerRig, startServer } from './server-rig.ts';

const SELF = formatAddress(KEY.address);

describe('RPC envelope', () => {
  let rig: ServerRig;
  afterEach(() => rig.server.stop());

  it('answers batches in order, notifications not at all', async () => {
    rig = await startServer();
    const call = (id: unknown, method: string) => ({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method });
    const batch = [
      call('a', 'getHealth'),
      call(undefined, 'getHealth'),
      call(null, 'nope'),
      7,
      call(2, 'getGenesisHash'),
    ];
    const { json } = await rig.post(JSON.stringify(batch));
    expect(json).toMatchObject([
      { id: 'a', result: 'ok' },
      { id: null, error: { code: -32601 } },
      { id: null, error: { code: -32600 } },
      { id: 2, result: encodeBase58(CHAIN) },
    ]);
    expect(await rig.post(JSON.stringify(call(undefined, 'getHealth')))).toMatchObject({ status: 204, text: '' });
    expect(await rig.post(JSON.stringify([call(undefined, 'getHealth')]))).toMatchObject({ status: 204, text: '' });
    const waits = { ...call(3, 'cairn_waitFinalized'), params: [0, 10] };
    expect((await rig.post(JSON.stringify([waits]))).json).toMatchObject([{ error: { code: -32600 } }]);
  });

  it('names the parameter that is wrong', async () => {
    rig = await startServer();
    const cases: [string, unknown, RegExp][] = [
      ['getBalance', ['cairn1nope'], /parameter address: an address has 44 characters, found 10/],
      ['getBalance', [SELF.slice(0, -1) + (SELF.endsWith('q') ? 'p' : 'q')], /parameter address: .*mistyped/],
      ['getBalance', [], /parameter address/],
      ['getBalance', [5], /parameter address/],
      ['getBalance', [SELF, { commitment: 'maybe' }], /parameter config\.commitment/],
      ['getBalance', [SELF, {}, 1], /takes at most 2 parameters \(address, config\), got 3/],
      ['getBalance', { adress: SELF }, /adress/],
      ['getMultipleAccounts', [[SELF, 'x']], /parameter addresses\[1\]/],
      ['getMultipleAccounts', [new Array(1001).fill(SELF)], /parameter addresses/],
      ['getSignatureStatuses', [['0']], /parameter ids\[0\]/],
      ['sendTransaction', ['%%%'], /parameter transaction: is not base64/],
      ['sendTransaction', ['AAAA', { encoding: 'base58' }], /parameter config\.encoding/],
      ['cairn_sendTransactions', [new Array(513).fill('AAAA')], /parameter transactions/],
      ['cairn_sendTransactions', [[]], /parameter transactions/],
      ['cairn_getBlockBytes', [-1], /parameter height/],
      ['cairn_getBlockBytes', [1.5], /parameter height/],
      ['cairn_getBlockBytes', [2 ** 60], /parameter height/],
      ['cairn_waitFinalized', { afterHeight: 0, timeoutMs: 10 ** 9 }, /parameter timeoutMs/],
      ['getBlock', [{ height: 1, slot: 2 }], /parameter block/],
    ];
    for (const [method, params, message] of cases) {
      const { error } = await rig.call(method, params);
      expect([method, error?.code]).toEqual([method, -32602]);
      expect(error?.message).toMatch(message);
    }
  });

  it('keeps its inside to itself', async () => {
    rig = await startServer();
    rig.node.broken = new TypeError('secret: cannot read /home/x');
    expect((await rig.call('getSupply')).error).toEqual({ code: -32603, message: 'internal error' });
    expect(JSON.stringify(rig.errors)).toContain('secret');
    rig.node.broken = new ApiError('busy', 'the pool is full');
    expect((await rig.call('getSupply')).error).toEqual({
      code: -32020,
      message: 'the pool is full',
      data: { code: 'busy' },
    });
    rig.node.broken = 'a string';
    expect((await rig.call('getSupply')).error).toMatchObject({ code: -32603 });
  });

  it('counts calls in the registry it was given', async () => {
    const registry = new Registry();
    rig = await startServer({}, { metrics: registry, observe: await rpcMetrics(registry) });
    await rig.call('getHealth');
    await rig.call('getBalance', ['x']);
    await rig.call('no-such-method');
    const text = await (await fetch(`${rig.server.url}/metrics`)).text();
    expect(text).toContain('cairn_rpc_calls_total{method="getHealth",outcome="ok"} 1');
    expect(text).toContain('cairn_rpc_calls_total{method="getBalance",outcome="error"} 1');
    expect(text).not.toContain('no-such-method');
  });

  it('holds each remote address to its rate', async () => {
    rig = await startServer({ callsPerSecond: 1, callsBurst: 5, batchCallsMax: 5 });
    const health = { jsonrpc: '2.0', id: 1, method: 'getHealth' };
    const batch = (count: number) => rig.post(JSON.stringify(new Array(count).fill(health)));
    expect((await batch(4)).status).toBe(200);
    expect(await batch(4)).toMatchObject({ status: 429, json: { error: { code: -32021 } } });
    expect((await batch(1)).status).toBe(200);
  });

  it('holds waiting calls to their number', async () => {
    rig = await startServer({ waitsMax: 2, waitsPerRemoteMax: 2 });
    const wait = () => rig.call('cairn_waitFinalized', [0, 400]);
    const [a, b] = [wait(), wait()];
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await wait()).error).toMatchObject({ code: -32020 });
    expect(await Promise.all([a, b])).toMatchObject([{ result: { blocks: [] } }, { result: { blocks: [] } }]);
    expect((await wait()).result).toEqual({ blocks: [] });
  });

  it('answers an error instead of too large a response', async () => {
    rig = await startServer({ responseSizeBytesMax: 2_000 });
    expect((await rig.call('getBlock', [6])).error).toMatchObject({ code: -32022 });
    const small = { jsonrpc: '2.0', id: 1, method: 'getGenesisHash' };
    const { json } = await rig.post(JSON.stringify(new Array(60).fill(small)));
    const answers = json as { result?: string; error?: { code: number } }[];
    expect(answers.length).toBe(60);
    expect(answers[0]!.result).toBe(encodeBase58(CHAIN));
    expect(answers[59]!.error?.code).toBe(-32022);
  });
});

describe('replicator RPC', () => {
  it('serves status, history and, if allowed, a corruption', async () => {
    const methods = replicatorMethods({
      health: () => ({ ok: true, reason: '' }),
      status: () => {
        throw new ApiError('busy', 'starting');
      },
      readHistory: (segment, offset, sizeBytes) => new Uint8Array(sizeBytes).fill(segment + offset),
      injectCorruption: (segment) => {
        if (segment === null) throw new ApiError('not-supported', 'faults are not allowed by the configuration');
        return { segment, offset: 5 };
      },
    });
    const server = new RpcServer({ methods, health: () => ({ ok: true, reason: '' }) });
    await server.start();
    const call = async (method: string, params: unknown) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
      const headers = { 'content-type': 'application/json' };
      return (await (await fetch(server.url, { method: 'POST', body, headers })).json()) as object;
    };
    expect(await call('cairn_readHistory', [1, 2, 3])).toMatchObject({ result: 'AwMD' });
    expect(await call('cairn_readHistory', [1, 2, 2 ** 21])).toMatchObject({ error: { code: -32602 } });
    expect(await call('cairn_injectCorruption', [4])).toMatchObject({ result: { segment: 4, offset: 5 } });
    expect(await call('cairn_injectCorruption', [])).toMatchObject({ error: { data: { code: 'not-supported' } } });
    expect(await call('cairn_getStatus', [])).toMatchObject({ error: { message: 'starting' } });
    await server.stop();
    await server.stop();
  });
});
