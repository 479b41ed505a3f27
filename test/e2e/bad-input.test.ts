/** Bad input over the network: every refusal has its reason, the same on every node, and no node is any the worse for it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BlockhashView, buildTransfer, type CairnClient } from '../../src/rpc/client.ts';
import { allFinal, Cluster, eventually, FEE, TEST_GENESIS, WALLET_BALANCE } from './cluster.ts';
import { edited, hostilePeerCases } from './hostile-cases.ts';

/** Order of the Ed25519 group. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

let cluster: Cluster;
let clients: CairnClient[];
/** Taken at the start: stale by the time it is used. */
let oldest: BlockhashView;
beforeAll(async () => {
  cluster = await Cluster.start({ validators: 2, archives: 1 });
  clients = cluster.chainNodes.map((node) => cluster.client(node));
  await allFinal(cluster, cluster.chainNodes, 1);
  oldest = await clients[0]!.fetchBlockhash();
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

let counter = 1_000n;
interface Changes {
  readonly amount?: bigint;
  readonly fee?: bigint;
  readonly blockhash?: Pick<BlockhashView, 'pohHash' | 'pohCount'>;
}
async function transfer({ amount = 1n, fee = FEE, blockhash }: Changes = {}): Promise<Uint8Array> {
  counter += 1n;
  const { key } = cluster.wallet;
  const recent = blockhash ?? (await clients[0]!.fetchBlockhash());
  return buildTransfer({ key, to: key.address, amount, fee, counter, blockhash: recent }).bytes;
}

/** What each node says to a packet. */
async function answers(packet: Uint8Array): Promise<{ code: string; message: string }[]> {
  const results = await Promise.all(clients.map((client) => client.submitMany([packet])));
  return results.map(([result]) => {
    if (result === undefined || result.ok) throw new RangeError('the packet was accepted');
    return { code: result.code, message: result.message };
  });
}

async function expectRefused(packet: Uint8Array, code: string, message: RegExp): Promise<void> {
  const said = await answers(packet);
  expect(said.map((each) => each.code)).toEqual(clients.map(() => code));
  for (const each of said) expect(each.message).toMatch(message);
}

/** S + L in place of S: the same point equation, another encoding. */
function withLargerS(packet: Uint8Array): Uint8Array {
  return edited(packet, (copy) => {
    const at = copy.length - 32;
    let s = GROUP_ORDER;
    for (let index = 31, power = 2n ** 248n; index >= 0; index -= 1, power >>= 8n)
      s += BigInt(copy[at + index]!) * power;
    for (let index = 0; index < 32; index += 1, s >>= 8n) copy[at + index] = Number(s & 0xffn);
  });
}

describe('a transfer is refused by every node for the same reason', () => {
  it('without funds', async () => {
    await expectRefused(await transfer({ amount: WALLET_BALANCE }), 'insufficient-funds', /holds|balance|funds/);
  });

  it('with a fee below the minimum', async () => {
    await expectRefused(await transfer({ fee: FEE - 1n }), 'fee-too-low', /fee/);
  });

  it('with an unknown last valid hash', async () => {
    const { pohCount } = await clients[0]!.fetchBlockhash();
    const blockhash = { pohHash: new Uint8Array(32).fill(5), pohCount };
    await expectRefused(
      await transfer({ blockhash }),
      'unknown-last-valid-hash',
      /no block of this chain .* with this hash/,
    );
  });

  it('with a signature that is not canonical', async () => {
    const packet = await transfer();
    await expectRefused(withLargerS(packet), 'bad-signature', /signature/);
    // The packet itself is good, so it was the encoding.
    expect((await clients[0]!.submitMany([packet]))[0]).toMatchObject({ ok: true });
  });

  it('with a byte changed after signing', async () => {
    const packet = await transfer();
    await expectRefused(
      edited(packet, (copy) => (copy[60]! ^= 1)),
      'bad-signature',
      /signature/,
    );
  });

  it('of the wrong length or kind', async () => {
    const packet = await transfer();
    await expectRefused(packet.subarray(0, 175), 'malformed', /byte|length|end/);
    await expectRefused(Uint8Array.from([...packet, 0]), 'malformed', /byte/);
    await expectRefused(
      edited(packet, (copy) => (copy[29] = 200)),
      'malformed',
      /transaction\.kind: .*found 200/,
    );
    await expectRefused(
      edited(packet, (copy) => (copy[28] = 9)),
      'malformed',
      /transaction\.version: .*found 9/,
    );
    await expectRefused(
      edited(packet, (copy) => (copy[30] = 1)),
      'malformed',
      /transaction\.flags/,
    );
  });

  it('when it is final already', async () => {
    const packet = await transfer();
    const id = await clients[1]!.submit(packet);
    const { height } = await clients[1]!.waitForFinality(id, { timeoutMs: 20_000 });
    await allFinal(cluster, cluster.chainNodes, height);
    await expectRefused(packet, 'replayed', /already|applied/);
  });
});

describe('JSON-RPC that makes no sense', () => {
  const post = async (body: string): Promise<{ status: number; code: number | undefined; message: string }> => {
    const response = await fetch(clients[0]!.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const answer = (await response.json()) as { error?: { code: number; message: string } };
    return { status: response.status, code: answer.error?.code, message: answer.error?.message ?? '' };
  };
  const call = (method: string, params: unknown) => post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));

  it('is answered with what is wrong, and the node answers on', async () => {
    expect((await post('{"jsonrpc"')).code).toBe(-32700);
    expect((await post('[]')).code).toBe(-32600);
    expect((await post('{"id":1}')).message).toMatch(/jsonrpc must be "2.0"/);
    expect((await call('getEverything', [])).code).toBe(-32601);
    expect(await call('getBalance', ['cairn1nonsense'])).toMatchObject({
      code: -32602,
      message: expect.stringContaining('address'),
    });
    expect(await call('sendTransaction', ['%%%'])).toMatchObject({
      code: -32602,
      message: expect.stringContaining('base64'),
    });
    expect(await call('cairn_waitFinalized', { afterHeight: -1, timeoutMs: 1e9 })).toMatchObject({ code: -32602 });
    expect(await call('cairn_getBlockBytes', [10_000_000])).toMatchObject({
      message: expect.stringMatching(/above the final height/),
    });
    const huge = await post(`"${'x'.repeat(3 * 1024 * 1024)}"`);
    expect([huge.status, huge.message]).toEqual([413, expect.stringMatching(/a body may have \d+ bytes/)]);
    expect(await clients[0]!.blockHeight()).toBeGreaterThan(0);
  });
});

hostilePeerCases(() => ({ cluster, clients, transfer }));

/** Last, so that the window has passed without much waiting. */
describe('a transfer signed long ago', () => {
  it('is refused by every node as stale', async () => {
    const { recencyWindowSlots } = TEST_GENESIS.transactions;
    await eventually('the window has passed', 40_000, async () =>
      (await Promise.all(clients.map((client) => client.slot()))).every(
        (slot) => slot > oldest.slot + recencyWindowSlots,
      )
        ? true
        : null,
    );
    await expectRefused(await transfer({ blockhash: oldest }), 'stale-last-valid-hash', /sign again with a later hash/);
  });
});
