import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  buildRevive,
  buildTransfer,
  CairnClient,
  ClientError,
  decodeTransaction,
  encodeBase58,
  formatAddress,
  ReplicatorClient,
} from '../../src/rpc/client.ts';
import { BLOCK, hasher, KEY, OTHER, POH, TRANSACTIONS } from './sample-block.ts';
import { type ServerRig, startServer } from './server-rig.ts';

describe('CairnClient against a server', () => {
  let rig: ServerRig;
  let client: CairnClient;
  beforeEach(async () => {
    rig = await startServer();
    client = new CairnClient(rig.server.url);
  });
  afterEach(() => rig.server.stop());

  it('reads everything the server offers', async () => {
    await client.health();
    expect((await client.version()).version).toBe('0.1.0');
    expect(await client.genesisHash()).toBe(encodeBase58(rig.node.genesisHash()));
    expect((await client.identity()).role).toBe('validator');
    expect(await client.slot({ commitment: 'processed' })).toBe(3);
    expect(await client.blockHeight()).toBe(0);
    expect(await client.firstAvailableBlock()).toBe(6);
    expect(await client.balance(KEY.address)).toBe(18_446_744_073_709_551_615n);
    expect(await client.balances([formatAddress(OTHER.address), KEY.address])).toEqual([0n, rig.node.balance]);
    expect(await client.blockBytes(4)).toEqual(BLOCK.bytes);
    expect((await client.block({ slot: 6 })).blockHeight).toBe(4);
    expect((await client.certificate(4)).length).toBe(8 + 336 + 2 * 264);
    expect((await client.transaction(TRANSACTIONS[0]!.id))?.pohCount).toBe(250_500);
    expect(await client.transaction(POH)).toBe(null);
    expect(await client.timestampProof(TRANSACTIONS[1]!.id)).toEqual(Uint8Array.of(1, 2, 3));
    expect((await client.voteAccounts()).map((one) => [one.bond, one.current])).toEqual([
      [100n, true],
      [50n, false],
    ]);
    expect(await client.supply()).toEqual({
      slot: 6,
      total: 1000n,
      deposits: 100n,
      bonds: 150n,
      evicted: 30n,
      rewardPool: 50n,
    });
    expect((await client.clusterNodes()).length).toBe(2);
    expect((await client.status()).finalized.height).toBe(4);
    expect((await client.replication({ segment: 3 })).replicas[0]?.proof).toBe('accepted');
    expect(await client.waitFinalized(0, { timeoutMs: 5 })).toEqual([]);
  });

  it('reads all pages of evictions, and makes a revival of one', async () => {
    const { evictions, keptFrom } = await client.evictions(KEY.address);
    expect(keptFrom).toBe(3);
    expect(evictions.map(({ index, balance, height, revived }) => [index, balance, height, revived])).toEqual([
      [3, 300n, 4, false],
      [8, 800n, 9, true],
      [21, 2100n, 22, false],
    ]);
    expect(Buffer.from(evictions[2]!.path)).toEqual(Buffer.concat(rig.node.evicted[2]!.path));
    expect((await client.evictions(formatAddress(OTHER.address))).evictions).toEqual([]);
    const order = { key: KEY, eviction: evictions[2]!, fee: 9n, counter: 3n };
    const { payload, bytes } = decodeTransaction(
      hasher,
      buildRevive({ ...order, blockhash: await client.latestBlockhash() }).bytes,
    );
    expect(payload).toEqual({ kind: 'revive', index: 21, balance: 2100n, height: 22, path: evictions[2]!.path });
    expect(bytes.length).toBe(148 + 28 + 64);
  });

  it('keeps the recent block for a while, one request for many callers', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => client.latestBlockhash()));
    expect(all.every((one) => one === all[0])).toBe(true);
    expect(rig.node.blockhashCalls).toBe(1);
    expect(all[0]!.pohHash).toEqual(new Uint8Array(POH));
    await client.latestBlockhash(-1);
    expect(rig.node.blockhashCalls).toBe(2);
  });

  it('builds, submits and follows a transfer to finality', async () => {
    const order = { key: KEY, to: formatAddress(OTHER.address), amount: 5n, fee: 9n, counter: 3n };
    const transfer = buildTransfer({ ...order, blockhash: await client.latestBlockhash() });
    expect(transfer.bytes.length).toBe(176);
    expect(decodeTransaction(hasher, transfer.bytes).lastValidHash).toEqual(new Uint8Array(POH.subarray(0, 20)));
    const id = await client.submit(transfer.bytes);
    expect(id).toBe(encodeBase58(transfer.id));
    expect((await client.statuses([id, encodeBase58(POH)])).map((row) => row?.state)).toEqual(['pending', undefined]);
    await expect(client.waitForFinality(id, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'timeout' });
    setTimeout(() => rig.node.finalize([]), 30);
    setTimeout(() => rig.node.finalize([transfer.id]), 60);
    expect(await client.waitForFinality(id, { timeoutMs: 5_000 })).toEqual({ height: 2, slot: 2 });
    expect(rig.node.statusCalls).toBeLessThan(12);
  });

  it('says why a transaction was refused or dropped', async () => {
    const order = { key: KEY, to: OTHER.address, amount: 5n, fee: 0n, counter: 3n };
    const free = buildTransfer({ ...order, blockhash: await client.latestBlockhash() });
    await expect(client.submit(free.bytes)).rejects.toMatchObject({
      code: 'rpc',
      reason: 'fee-too-low',
      rpcCode: -32002,
    });
    const good = buildTransfer({ ...order, fee: 1n, blockhash: await client.latestBlockhash() });
    expect(await client.submitMany([free.bytes, good.bytes, new Uint8Array(3)])).toMatchObject([
      { ok: false, code: 'fee-too-low', id: encodeBase58(free.id) },
      { ok: true, id: encodeBase58(good.id) },
      { ok: false, code: 'truncated', id: null },
    ]);
    expect(await client.submitMany([])).toEqual([]);
    rig.node.status_.set(Buffer.from(good.id).toString('hex'), {
      state: 'dropped',
      code: 'expired',
      message: 'too old',
    });
    await expect(client.waitForFinality(good.id, { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'dropped',
      reason: 'expired',
    });
  });
});

describe('CairnClient against bad servers', () => {
  let server: Server;
  let seen: string[];
  let client: CairnClient;
  /** Answers the n-th request with the n-th line (the last one again and again); `hang` never answers, `cut` closes the socket. */
  const serve = async (...answers: string[]): Promise<void> => {
    seen = [];
    server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { id, method } = JSON.parse(Buffer.concat(parts).toString()) as { id: number; method: string };
        const answer = answers[Math.min(seen.length, answers.length - 1)]!;
        seen.push(method);
        if (answer === 'hang') return;
        if (answer === 'cut') request.socket.destroy();
        else response.end(answer.replace('ID', String(id)));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new CairnClient({ url, timeoutMs: 300, responseSizeBytesMax: 10_000 });
  };
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('retries reads over broken connections, submissions never', async () => {
    await serve('cut', '{"error":{"code":-32021,"message":"slow down"}}', '{"id":ID,"result":7}');
    expect(await client.slot()).toBe(7);
    expect(seen.length).toBe(3);
    await serve('cut');
    await expect(client.submit(new Uint8Array(4))).rejects.toMatchObject({ code: 'network' });
    expect(seen).toEqual(['sendTransaction']);
    await expect(client.slot()).rejects.toMatchObject({ code: 'network' });
    expect(seen.length).toBe(4);
  });

  it('gives up on a server that hangs, and when the caller says so', async () => {
    await serve('hang');
    await expect(client.slot()).rejects.toMatchObject({ code: 'timeout' });
    expect(seen.length).toBe(1);
    await expect(client.slot({ signal: AbortSignal.timeout(30) })).rejects.toMatchObject({ code: 'aborted' });
  });

  it('refuses answers that are not what was asked', async () => {
    const cases: [string, RegExp][] = [
      ['not json', /not JSON/],
      ['null', /not an object/],
      ['{"id":ID}', /no result/],
      ['{"id":12345,"result":1}', /id 12345/],
      ['{"id":ID,"result":"text"}', /whole number/],
      ['{"id":ID,"result":-1}', /whole number/],
      ['{"error":"x"}', /no code or message/],
      [`{"id":ID,"result":"${'x'.repeat(20_000)}"}`, /over 10000 bytes/],
    ];
    for (const [answer, message] of cases) {
      await serve(answer);
      const error = await client.slot().catch((e: unknown) => e);
      expect(error).toBeInstanceOf(ClientError);
      expect([(error as ClientError).code, (error as Error).message]).toEqual([
        'bad-response',
        expect.stringMatching(message),
      ]);
      server.closeAllConnections();
      server.close();
    }
    await serve('{"id":ID,"result":{"value":"-5"}}');
    await expect(client.balance(KEY.address)).rejects.toMatchObject({ code: 'bad-response' });
    await expect(client.submitMany([new Uint8Array(1)])).rejects.toMatchObject({ code: 'bad-response' });
    await expect(new ReplicatorClient(client.url).readHistory(1, 2, 3)).rejects.toMatchObject({ code: 'bad-response' });
  });
});
