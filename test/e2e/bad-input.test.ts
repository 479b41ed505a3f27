/** Bad input over the network: every refusal has its reason, the same on every node, and no node is any the worse for it. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseHash } from '../../src/codec/index.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import { type BlockhashView, buildTransfer, type CairnClient } from '../../src/rpc/client.ts';
import { allFinal, Cluster, eventually, FEE, finalHeight, TEST_GENESIS, WALLET_BALANCE } from './cluster.ts';
import { HostilePeer, sendBareTcp } from './hostile-peer.ts';

/** Order of the Ed25519 group. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** docs/format/packets.md */
const HEADER_HEIGHT_OFFSET = 40;

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
  expect(cluster?.unexpectedExits).toEqual([]);
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

const edited = (bytes: Uint8Array, edit: (copy: Uint8Array) => void): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  edit(copy);
  return copy;
};

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

describe('a peer that sends rubbish is dropped, and the node lives on', () => {
  /** Two validators of two are needed for finality: heights grow only while both live. */
  async function expectAlive(): Promise<void> {
    const height = await finalHeight(cluster, cluster.chainNodes);
    await allFinal(cluster, cluster.chainNodes, height + 2);
  }

  async function attack(
    what: string,
    misbehave: (peer: HostilePeer, attempt: number) => Promise<void> | void,
  ): Promise<void> {
    const peer = await HostilePeer.connect(cluster.ready(cluster.folders.validators[0]!).peer);
    try {
      expect(peer.connected).toBe(true);
      await peer.untilDropped(what, (attempt) => misbehave(peer, attempt));
      expect(await peer.isLetIn()).toBe(false);
    } finally {
      await peer.stop();
    }
  }

  /** Connections that never speak libp2p: closed by the node's own patience, some seconds on, so they run beside the rest. */
  let bareConnections: Promise<unknown>;
  beforeAll(() => {
    const port = Number(/\/tcp\/(\d+)\//.exec(cluster.ready(cluster.folders.validators[0]!).peer)?.[1]);
    const messages = [new Uint8Array(randomBytes(4_096)), new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')];
    bareConnections = Promise.allSettled(messages.map((bytes) => sendBareTcp(port, bytes, 20_000)));
  });

  it('a stranger with good manners is let in', async () => {
    const peer = await HostilePeer.connect(cluster.ready(cluster.folders.validators[0]!).peer);
    try {
      expect(await peer.isLetIn()).toBe(true);
    } finally {
      await peer.stop();
    }
  });

  it('blocks that are none', async () => {
    const real = await clients[0]!.blockBytes(1);
    await attack('garbage blocks', (peer) => peer.ask(PROTOCOL.blocks, new Uint8Array(randomBytes(2_000))));
    await attack('cut blocks', (peer) => peer.ask(PROTOCOL.blocks, real.subarray(0, real.length - 1)));
    await expectAlive();
  });

  it('a block with a forged signature', async () => {
    const real = await clients[0]!.blockBytes(await finalHeight(cluster, cluster.chainNodes));
    // Of a height far from final, so that it is of interest; another one each time.
    await attack('forged blocks', (peer, attempt) =>
      peer.ask(
        PROTOCOL.blocks,
        edited(real, (copy) => new DataView(copy.buffer).setUint32(HEADER_HEIGHT_OFFSET, 100_000 + attempt, true)),
      ),
    );
    await expectAlive();
  });

  it('votes that are none', async () => {
    const topic = `cairn/${(await clients[0]!.genesisHash()).slice(0, 8)}/votes`;
    await attack('garbage votes', async (peer) => {
      peer.transport.publish(topic, new Uint8Array(randomBytes(200)));
      await sleep(100);
    });
    await expectAlive();
  });

  it('requests that are no messages, on every protocol', async () => {
    const protocols = [
      PROTOCOL.status,
      PROTOCOL.block,
      PROTOCOL.range,
      PROTOCOL.headers,
      PROTOCOL.batches,
      PROTOCOL.segment,
    ];
    await attack('garbage msgpack', (peer, attempt) =>
      peer.ask(protocols[attempt % protocols.length]!, new Uint8Array(randomBytes(100))),
    );
    await attack('wrong fields', (peer) => peer.ask(PROTOCOL.range, encodeMessage({ from: -1, countMax: 'many' })));
    await attack('another chain', (peer) =>
      peer.ask(
        PROTOCOL.status,
        encodeMessage({
          chainId: new Uint8Array(32),
          role: 'validator',
          startHeight: 1,
          finalizedHeight: 1,
          bestHeight: 1,
          publicKey: null,
          rpc: null,
          version: '1',
        }),
      ),
    );
    await attack('garbage transactions', (peer) => peer.ask(PROTOCOL.submit, Uint8Array.of(3, 0, 1, 2, 3)));
    await expectAlive();
  });

  it('frames that are too large, and bytes that are no frames', async () => {
    await attack('oversized frame', (peer) => peer.askRaw(PROTOCOL.blocks, new Uint8Array(64).fill(0xff)));
    await expectAlive();
  });

  it('answers that are none, of a peer that promises a long chain', async () => {
    const chainId = parseHash(await clients[0]!.genesisHash(), 'chain');
    const promise = encodeMessage({
      chainId,
      role: 'validator',
      startHeight: 1,
      finalizedHeight: 1_000_000,
      bestHeight: 1_000_000,
      publicKey: null,
      rpc: null,
      version: '1',
    });
    let asked = 0;
    const rubbish = (): Uint8Array[] => {
      asked += 1;
      return [new Uint8Array(randomBytes(500)), new Uint8Array(0)];
    };
    const peer = await HostilePeer.connect(cluster.ready(cluster.folders.validators[0]!).peer, {
      [PROTOCOL.status]: () => [promise],
      [PROTOCOL.range]: rubbish,
      [PROTOCOL.block]: rubbish,
    });
    try {
      await peer.untilDropped('garbage answers', () => peer.ask(PROTOCOL.status, promise).then(() => sleep(250)));
      expect(asked).toBeGreaterThan(0);
      expect(await peer.isLetIn()).toBe(false);
    } finally {
      await peer.stop();
    }
    await expectAlive();
  });

  it('connections that speak no libp2p are closed', async () => {
    expect(await bareConnections).toEqual([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
  });

  it('none of it was a mistake of ours by the log, and honest nodes still trust each other', async () => {
    for (const { name } of cluster.nodes) {
      const log = readFileSync(`${cluster.folders.logDirectory}/${name}.log`, 'utf8');
      const errors = log.split('\n').filter((line) => line.includes('"level":50') || line.includes('"level":60'));
      expect(errors).toEqual([]);
    }
    for (const client of clients)
      expect((await client.clusterNodes()).length).toBeGreaterThanOrEqual(cluster.nodes.length);
  });
});

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
