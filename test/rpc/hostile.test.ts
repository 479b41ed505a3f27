import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type ServerRig, startServer } from './server-rig.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('RPC server against hostile callers', () => {
  let rig: ServerRig;
  afterEach(async () => {
    const { result } = await rig.call('getHealth');
    expect(result).toBe('ok');
    expect(rig.errors).toEqual([]);
    await rig.server.stop();
  });

  it('refuses other paths, verbs and content types with a reason', async () => {
    rig = await startServer();
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getHealth' });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonx',
      '',
    ])
      expect(await rig.post(body, { 'content-type': type })).toMatchObject({ status: 415, json: { error: {} } });
    expect((await rig.post(Buffer.from(body), {})).status).toBe(415);
    expect((await rig.post(body, { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(200);
    expect((await fetch(rig.server.url)).status).toBe(405);
    expect((await fetch(`${rig.server.url}/etc/passwd`)).status).toBe(404);
    expect((await fetch(`${rig.server.url}/metrics`)).status).toBe(404);
    expect((await fetch(`${rig.server.url}/health`, { method: 'DELETE' })).status).toBe(404);
  });

  it('serves loopback only under loopback names', async () => {
    rig = await startServer();
    const ask = (host: string) =>
      rig.raw(`GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, { keepOpen: true });
    for (const host of ['localhost:8899', '127.0.0.1', '[::1]:1', 'LOCALHOST'])
      expect(await ask(host)).toMatch(/^HTTP\/1.1 200/);
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1', ''])
      expect(await ask(host)).toMatch(/^HTTP\/1.1 403/);
  });

  it('refuses bodies that are too large, with and without an announced length', async () => {
    rig = await startServer({ bodySizeBytesMax: 10_000 });
    expect(await rig.post('x'.repeat(10_001))).toMatchObject({ status: 413, json: { error: { code: -32600 } } });
    expect((await rig.post('x'.repeat(10_000))).json).toMatchObject({ error: { code: -32700 } });
    const head = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    expect(await rig.raw(`${head}Content-Length: 99999999999\r\n\r\n`, { keepOpen: true })).toMatch(/^HTTP\/1.1 413/);
    const chunk = `1000\r\n${'y'.repeat(4096)}\r\n`;
    expect(await rig.raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(4)}0\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 413/,
    );
    expect(await rig.raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(200)}`, { keepOpen: true })).toMatch(
      /^(HTTP\/1.1 413|$)/,
    );
  });

  it('closes slow headers and slow bodies', async () => {
    rig = await startServer({ headersTimeoutMs: 200, requestTimeoutMs: 400 });
    const slowHead = await rig.raw('POST / HTTP/1.1\r\nHost: localh', { keepOpen: true });
    expect(slowHead).toMatch(/^HTTP\/1.1 408/);
    const head = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n';
    expect(await rig.raw(`${head}{"jsonrpc"`, { keepOpen: true })).toMatch(/^(HTTP\/1.1 408|$)/);
    expect(await rig.raw(head, { closeAfterMs: 20, keepOpen: true })).toBe('');
  });

  it('refuses what is not HTTP', async () => {
    rig = await startServer();
    expect(await rig.raw('\x16\x03\x01\x02\x00\x01\x00\x01')).toMatch(/^HTTP\/1.1 400/);
    expect(await rig.raw(`GET / HTTP/1.1\r\n${'a: b\r\n'.repeat(5000)}\r\n`)).toMatch(/^HTTP\/1.1 (431|400)/);
  });

  it('refuses batches that are too long, nested or empty', async () => {
    rig = await startServer();
    const call = '{"jsonrpc":"2.0","id":1,"method":"getHealth"}';
    expect((await rig.post(`[${new Array(101).fill(call).join()}]`)).json).toMatchObject({ error: { code: -32600 } });
    expect((await rig.post('[]')).json).toMatchObject({ error: { code: -32600 } });
    expect((await rig.post(`[[${call}]]`)).json).toMatchObject([{ error: { code: -32600 } }]);
    expect((await rig.post(`[${'1,'.repeat(400_000)}1]`)).json).toMatchObject({ error: { code: -32600 } });
  });

  it('survives deep nesting, huge numbers, odd keys and broken UTF-8', async () => {
    rig = await startServer();
    const deep = (open: string, close: string, count: number) => open.repeat(count) + close.repeat(count);
    const call = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"getBalance","params":${params}}`;
    const bodies = [
      deep('[', ']', 200_000),
      call(deep('[', ']', 200_000)),
      call(`{"address":${deep('{"a":', '}', 100_000).replace('}', '1}')}}`),
      call('[1e999999]'),
      call('{"__proto__":{"address":"x"}}'),
      call('{"constructor":{"prototype":{}}}'),
      call('null'),
      call('"text"'),
      '{"jsonrpc":"2.0","id":{"a":1},"method":"getHealth"}',
      `{"jsonrpc":"2.0","id":"${'i'.repeat(300)}","method":"getHealth"}`,
      `{"jsonrpc":"2.0","id":1,"method":"${'m'.repeat(300)}"}`,
      '{"jsonrpc":"2.0","id":1,"method":"__proto__"}',
      '{"jsonrpc":"2.0","id":1,"method":"constructor"}',
      '{"jsonrpc":"1.0","id":1,"method":"getHealth"}',
      '{"id":1,"method":"getHealth"}',
      '{"jsonrpc":"2.0","id":1}',
      'null',
      '"text"',
      '12',
      '',
      '{',
      '\u0000',
    ];
    for (const body of bodies) {
      const { status, json } = await rig.post(body);
      expect([body.slice(0, 60), status]).toEqual([body.slice(0, 60), 200]);
      const answer = (Array.isArray(json) ? json[0] : json) as { error?: { code: number } };
      expect([body.slice(0, 60), typeof answer.error?.code]).toEqual([body.slice(0, 60), 'number']);
    }
    expect(await rig.post(Uint8Array.of(0x22, 0xff, 0xfe, 0x22), JSON_TYPE)).toMatchObject({ status: 400 });
  });

  it('answers every random call with a result or an error, and never with 500', async () => {
    rig = await startServer({ callsPerSecond: 1e6, callsBurst: 1e6 });
    const methods = [
      'getBalance',
      'getMultipleAccounts',
      'getSlot',
      'sendTransaction',
      'cairn_sendTransactions',
      'getSignatureStatuses',
      'getTransaction',
      'getBlock',
      'cairn_getReplication',
      'cairn_getCertificate',
      'cairn_getTimestampProof',
      'toString',
    ];
    const params = fc.oneof(
      fc.array(fc.jsonValue(), { maxLength: 4 }),
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.jsonValue(),
    );
    const call = fc.record(
      {
        jsonrpc: fc.constant('2.0'),
        id: fc.oneof(fc.integer(), fc.string()),
        method: fc.constantFrom(...methods),
        params,
      },
      { requiredKeys: ['jsonrpc', 'id', 'method'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 20 }), async (calls) => {
        const { status, json } = await rig.post(JSON.stringify(calls));
        expect(status).toBe(200);
        const answers = json as { id: unknown; result?: unknown; error?: { code: number; message: string } }[];
        expect(answers.length).toBe(calls.length);
        for (const answer of answers) {
          expect('result' in answer !== 'error' in answer).toBe(true);
          expect(answer.error?.code).not.toBe(-32603);
          expect(answer.error?.message ?? '').not.toMatch(/\bat .*\.ts/);
        }
      }),
      { numRuns: 150, seed: 42 },
    );
  });

  it('answers random bytes as bodies', async () => {
    rig = await startServer({ callsPerSecond: 1e6, callsBurst: 1e6 });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (body) => {
        const { status, json } = await rig.post(body, JSON_TYPE);
        expect([200, 400]).toContain(status);
        expect(json).toHaveProperty('error');
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  it('refuses connections and requests over their number, then serves again', async () => {
    rig = await startServer({ requestsMax: 2 });
    const waits = [0, 1].map(() => rig.call('cairn_waitFinalized', [0, 300]));
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(await rig.post('{}')).toMatchObject({ status: 503, json: { error: { code: -32020 } } });
    await Promise.all(waits);
  });
});
