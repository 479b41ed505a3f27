import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { decodeBlock } from '../../src/codec/index.ts';
import { canonicalGenesis } from '../../src/ledger/index.ts';
import { createLibp2pTransport } from '../../src/net/libp2p-transport.ts';
import { realTimers } from '../../src/net/timers.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import type { FastSyncProgress } from '../../src/node/sync/progress-meter.ts';
import { HistoryStore } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import type { Tamper } from './lies.ts';
import { SYNC_PROTOCOLS, serveOn } from './sync-peers.ts';
import {
  closeSyncWorld,
  early,
  expectNothingFalse,
  expectSynced,
  openSyncWorld,
  PIECE_OPS,
  source,
  sync,
  tip,
  world,
} from './sync-world.ts';
import { kernels } from './world.ts';

beforeAll(openSyncWorld);
afterAll(closeSyncWorld);

describe('fast sync', () => {
  it('makes a directory that a node goes on from', async () => {
    const { dataDirectory, result } = await sync(['honest'], join(await freshDirectory(), 'data'));
    const { height, hash, stateRoot } = await result;
    expect([height, byteKey(hash), byteKey(stateRoot)]).toEqual([
      14,
      byteKey(tip.header.hash),
      byteKey(tip.header.stateRoot),
    ]);
    await expectSynced(dataDirectory);
  });

  it('takes a directory that is empty, and none that holds something', async () => {
    const parent = await freshDirectory();
    await mkdir(join(parent, 'data'));
    const { dataDirectory, result } = await sync(['honest'], join(parent, 'data'), { onProgress: () => {} });
    await result;
    await expectSynced(dataDirectory);
    await expect((await sync(['honest'], dataDirectory)).result).rejects.toMatchObject({ code: 'not-empty' });
  });

  it('says so when nobody can be reached, and when nobody holds the trusted block', async () => {
    const directory = join(await freshDirectory(), 'data');
    await expect((await sync([], directory)).result).rejects.toMatchObject({ code: 'no-peer' });
    const trust = { height: 14, hash: early.header.hash };
    await expect((await sync(['honest', 'honest'], directory, { trust })).result).rejects.toMatchObject({
      code: 'no-honest-peer',
    });
    expect(existsSync(directory)).toBe(false);
  });

  it('two honest peers and three liars: the honest root, with all three banned and remembered until then', async () => {
    const liar = (protocol: string): Tamper =>
      async function* (asked, truth) {
        for await (const frame of truth)
          yield asked === protocol ? frame.with(frame.length - 1, frame.at(-1)! ^ 1) : frame;
      };
    const peers = [
      'honest',
      liar(PROTOCOL.backfill),
      liar(PROTOCOL.stateManifest),
      liar(PROTOCOL.statePiece),
      'honest',
    ] as const;
    const directory = join(await freshDirectory(), 'data');
    const { result } = await sync(peers, directory);
    const { stateRoot, verdicts } = await result;
    expect(byteKey(stateRoot)).toBe(byteKey(tip.header.stateRoot));
    expect(verdicts.map(({ peer, verdict }) => `${peer} ${verdict}`).sort()).toEqual([
      'peer1 banned',
      'peer2 banned',
      'peer3 banned',
    ]);
    await expectSynced(directory);
  });

  it('bans nobody for not having a block that does not exist, and liars once it is known to exist', async () => {
    const directory = join(await freshDirectory(), 'data');
    const trust = { height: 14, hash: early.header.hash };
    await expect((await sync(['honest', 'honest'], directory, { trust })).result).rejects.toMatchObject({
      code: 'no-honest-peer',
    });
    expect(existsSync(`${directory}.sync`)).toBe(false);
    await (await sync(['honest'], directory)).result;
    await expectSynced(directory);
  });

  it('goes on from what an interrupted attempt has kept, and asks its liars no more', async () => {
    const directory = join(await freshDirectory(), 'data');
    let answered = 0;
    const turncoat: Tamper = async function* (protocol, truth) {
      for await (const frame of truth) {
        if (protocol === PROTOCOL.statePiece) answered += 1;
        yield answered > 4 && protocol === PROTOCOL.statePiece ? frame.with(frame.length - 1, 77) : frame;
      }
    };
    await expect((await sync([turncoat], directory)).result).rejects.toMatchObject({ code: 'no-honest-peer' });
    await expectNothingFalse(directory);
    const asked = new Map<string, number>();
    const counting: Tamper = (protocol, truth) => {
      asked.set(protocol, (asked.get(protocol) ?? 0) + 1);
      return truth;
    };
    const progress: FastSyncProgress[] = [];
    const { result } = await sync([turncoat, counting], directory, { onProgress: (step) => progress.push(step) });
    const { verdicts } = await result;
    expect(verdicts).toEqual([{ peer: 'peer0', verdict: 'banned', why: expect.stringContaining('earlier attempt') }]);
    const { opCount } = source.opened.store.stateSource;
    expect(asked.get(PROTOCOL.statePiece)).toBe(Math.ceil(opCount / PIECE_OPS) - 4);
    expect(asked.has(PROTOCOL.backfill)).toBe(false);
    expect(progress.at(-1)).toMatchObject({ stage: 'state', done: opCount, total: opCount, peers: 1, banned: 1 });
    await expectSynced(directory);
  });

  it('says so when its peers leave before the end, or do not keep the state any more', async () => {
    const directory = join(await freshDirectory(), 'data');
    let answered = 0;
    const leaving: Tamper = async function* (protocol, truth) {
      if (protocol === PROTOCOL.statePiece) answered += 1;
      if (answered <= 3) yield* truth;
    };
    await expect((await sync([leaving], directory)).result).rejects.toMatchObject({ code: 'incomplete' });
    const pruned: Tamper = async function* (protocol, truth) {
      if (protocol === PROTOCOL.stateManifest) yield encodeMessage({ kind: 'pruned', first: 20, last: 90 });
      else yield* truth;
    };
    await expect((await sync([pruned], directory)).result).rejects.toMatchObject({ code: 'pruned' });
    await (await sync(['honest'], directory)).result;
    await expectSynced(directory);
  });

  it('an attempt that stopped in its history, for another target, is no hindrance', async () => {
    const directory = join(await freshDirectory(), 'data');
    const trust = { height: early.header.height, hash: early.header.hash };
    const failing = await sync(['honest'], directory, { trust, sizeBytesMax: 1 });
    await expect(failing.result).rejects.toMatchObject({ code: 'too-large' });
    const stale = await HistoryStore.open({
      directory: `${directory}.sync/history`,
      kernels,
      ...world.genesis.history,
    });
    const first = (await source.opened.store.finalBlock(1))!;
    const { header } = decodeBlock(kernels, first);
    await stale.append({ ...header, bytes: first, transactions: [] });
    await stale.close();
    const { result } = await sync(['honest'], directory);
    await result;
    await expectSynced(directory);
  });

  it('can be led to an older block as well, and from there on to a newer one', async () => {
    const trust = { height: early.header.height, hash: early.header.hash };
    const parent = await freshDirectory();
    const { dataDirectory, result } = await sync(['honest'], join(parent, 'data'), { trust });
    expect((await result).height).toBe(7);
    await expectSynced(dataDirectory, early);
  });

  it.each(SYNC_PROTOCOLS)('reads no endless answer to its end: %s', async (protocol) => {
    let sent = 0;
    const endless: Tamper = async function* (asked, truth) {
      let last = new Uint8Array(0);
      for await (const frame of truth) {
        last = Uint8Array.from(frame);
        if (asked !== protocol) yield frame;
      }
      if (asked !== protocol) return;
      for (;;) {
        sent += 1;
        yield sent % 2 === 0 ? last : new Uint8Array(0);
        if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const directory = join(await freshDirectory(), 'data');
    await expect((await sync([endless], directory)).result).rejects.toMatchObject({ code: 'no-honest-peer' });
    expect(sent).toBeLessThan(70_000);
    expect(existsSync(directory)).toBe(false);
  });

  it('killed at any moment, keeps nothing false, and goes on to the same state', async () => {
    const parent = await freshDirectory();
    const directory = join(parent, 'data');
    const genesisFile = join(parent, 'genesis.json');
    await writeFile(genesisFile, canonicalGenesis(world.genesis));
    const transport = await createLibp2pTransport({
      networkKeySeed: new Uint8Array(32).fill(9),
      listen: ['/ip4/127.0.0.1/tcp/0'],
    });
    let pieces = 0;
    const endLeases = serveOn(transport, source, realTimers, (protocol, truth) => {
      if (protocol === PROTOCOL.statePiece) pieces += 1;
      return truth;
    });
    await transport.start();
    const child = fileURLToPath(new URL('./sync-child.mjs', import.meta.url));
    const trusted = [String(tip.header.height), Buffer.from(tip.header.hash).toString('hex')];
    const args = [child, genesisFile, transport.addresses()[0]!, ...trusted, directory];
    /** Runs the sync, and kills it after so many steps. */
    const run = async (steps: number): Promise<boolean> => {
      const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const exit = once(process_, 'exit');
      let seen = 0;
      for await (const line of createInterface({ input: process_.stdout })) {
        seen += 1;
        if (seen === steps) process_.kill('SIGKILL');
        if (line === 'done') return true;
      }
      await exit;
      return false;
    };
    try {
      let kills = 0;
      // Blocks first, then state: a few steps further each time.
      for (let steps = 5; kills < 5 && !(await run(steps)); steps += 9) {
        kills += 1;
        if (existsSync(directory)) break;
        await expectNothingFalse(directory);
      }
      expect(kills).toBeGreaterThan(2);
      if (!existsSync(directory)) expect(await run(Number.POSITIVE_INFINITY)).toBe(true);
      await expectSynced(directory);
      // What was kept was not asked for again: but for a few pieces under way at each kill.
      const { opCount } = source.opened.store.stateSource;
      expect(pieces).toBeLessThan(opCount / 2 + 30 * kills);
    } finally {
      endLeases();
      await transport.stop();
    }
  }, 120_000);
});
