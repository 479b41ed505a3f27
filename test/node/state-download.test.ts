/** The download of a state from many peers, some of whom lie, trickle, are busy or hang up. */
import { describe, expect, it } from 'vitest';
import { TransportError } from '../../src/net/transport.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { ANSWER_MS_MAX, fetchManifest, fetchPiece } from '../../src/node/sync/fetch-state.ts';
import { BUSY_PUT_OFF_MS, PeerPool, REFUSALS_MAX, STRIKES_MAX } from '../../src/node/sync/peer-pool.ts';
import { IN_FLIGHT_MAX } from '../../src/node/sync/state-download.ts';
import { LiarList } from '../../storage/sync/liar-list.ts';
import { readPieceFrame, type StateSource } from '../../storage/sync/state-source.ts';
import type { ModelSource } from '../storage/sync-source.ts';
import { check, DownloadWorld, earlier, type Peer, PIECE_OPS, pieces, source, verdictsOf } from './download-world.ts';
import { type LieTools, lieOf, type Tamper, tamperOf } from './lies.ts';
import { SILENT } from './world.ts';

const LIARS = 140;
const LIARS_A_RUN = 7;

describe('the state download', () => {
  it('takes pieces from all peers side by side, of a log that begins late', async () => {
    expect(source.firstOp).toBeGreaterThan(0);
    let [open, most] = [0, 0];
    const asked = [0, 0, 0];
    const counting = (index: number): Peer =>
      pieces(async function* (truth) {
        asked[index]! += 1;
        open += 1;
        most = Math.max(most, open);
        yield* truth;
        open -= 1;
      });
    const world = new DownloadWorld();
    const { pool, mostWaiting } = await world.download([counting(0), counting(1), counting(2)]);
    await world.expectWhole();
    expect(Math.min(...asked)).toBeGreaterThan(3);
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(IN_FLIGHT_MAX);
    expect(mostWaiting).toBeLessThan(20_000 + 8_192);
    expect(pool.verdicts).toEqual([]);
  });

  it(`${LIARS} liars keep nobody from the honest state, leave nothing behind, and no honest peer is blamed`, async () => {
    let banned = 0;
    for (let seed = 0; seed < LIARS; seed += LIARS_A_RUN) {
      const liars = Array.from(
        { length: LIARS_A_RUN },
        (_, index): Peer =>
          (tools) =>
            tamperOf(lieOf(seed + index, [PROTOCOL.statePiece]), tools),
      );
      const world = new DownloadWorld();
      const { pool } = await world.download([...liars, 'honest']);
      await world.expectWhole();
      expect(verdictsOf(pool)).not.toContain(`${LIARS_A_RUN} banned`);
      banned += pool.bannedCount;
    }
    expect(banned).toBeGreaterThan(LIARS / 3);
  });

  it('keeps what is true when only liars are left, remembers them, and goes on with an honest peer', async () => {
    const turncoat: Peer = pieces(async function* (truth, asked) {
      for await (const frame of truth) yield asked < 4 ? frame : frame.with(frame.length - 1, frame.at(-1)! ^ 1);
    });
    const world = new DownloadWorld();
    const { pool } = await world.download([turncoat, turncoat, turncoat], false);
    expect(pool.bannedCount).toBe(3);
    await world.expectNothingFalse();
    const stage = await world.stage();
    expect(stage.resumedOps).toBeGreaterThan(3 * PIECE_OPS);
    await stage.close();
    const liars = await LiarList.open(world.disk, '/q/liars');
    expect([...liars.codes]).toEqual([0, 1, 2].map((index) => [`peer0-${index}`, 'wrong-proof']));
    const again = new PeerPool({
      transport: await world.net.peer('other'),
      timers: world.net.network.timers,
      liars,
      log: SILENT,
    });
    for (const name of ['peer0-0', 'peer9']) again.add(name, world.net.network.addressOf(name));
    expect(again.used.map(({ name }) => name)).toEqual(['peer9']);
    await world.download(['honest']);
    await world.expectWhole();
  });

  it('two honest peers and three liars: the honest state, and just the three banned', async () => {
    const world = new DownloadWorld();
    const flip: Peer = pieces(async function* (truth) {
      for await (const frame of truth) yield frame.with(frame.length - 9, frame.at(-9)! ^ 4);
    });
    const endless: Peer = pieces(async function* (truth) {
      for await (const frame of truth) for (;;) yield frame;
    });
    const ofOtherHeight: Peer = pieces(async function* () {
      const from = source.firstOp;
      yield await readPieceFrame(earlier, { from, to: from + PIECE_OPS }, earlier.opCount);
    });
    const { pool } = await world.download(['honest', flip, endless, 'honest', ofOtherHeight]);
    await world.expectWhole();
    expect(verdictsOf(pool)).toEqual(['1 banned', '2 banned', '4 banned']);
  });

  it('a peer that trickles, is silent or has nothing costs a bounded time, and is left, not banned', async () => {
    const world = new DownloadWorld();
    const silent: Peer = pieces(async function* () {
      await new Promise(() => {});
    });
    const nothing: Peer = pieces(async function* () {});
    const { pool, ms } = await world.download(['honest', silent, nothing]);
    await world.expectWhole();
    expect(pool.bannedCount).toBe(0);
    // The honest one was asked again for what the silent one did not send.
    expect(ms).toBeLessThan(ANSWER_MS_MAX);
    const alone = await new DownloadWorld().download([silent], false);
    expect(verdictsOf(alone.pool)).toEqual(['0 left']);
    expect(alone.ms).toBeLessThan((STRIKES_MAX + 1) * ANSWER_MS_MAX);
  });

  it('bans a peer that answers with less than was asked for', async () => {
    const world = new DownloadWorld();
    const { net } = world;
    const stingy: StateSource = {
      firstOp: source.firstOp,
      opCount: source.opCount,
      heights: () => source.heights(),
      manifest: (height) => source.manifest(height),
      heightOf: (op) => source.heightOf(op),
      readOps: (from) => source.readOps(from, from + 1),
      rangeProof: (from, to, size) => source.rangeProof(from, to, size),
      pin: () => source.pin(),
    };
    await world.serve('stingy', 'honest', 'asker', stingy);
    const self = await net.peer('asker');
    await net.settle(self.dial(net.network.addressOf('stingy')));
    const span = { from: source.firstOp, to: source.firstOp + 2 };
    const questions = { transport: self, timers: net.network.timers, check };
    const { signal } = new AbortController();
    await expect(net.settle(fetchPiece(questions, 'stingy', { tree: source.tip, span, signal }))).rejects.toMatchObject(
      { code: 'wrong-range' },
    );
  });

  it('waits for a peer that is busy for a while, and not for ever', async () => {
    const busyFor = (times: number): Peer => {
      let refused = 0;
      return () =>
        async function* (protocol, truth) {
          if (protocol === PROTOCOL.statePiece && refused++ < times) throw new TransportError('busy', 'later');
          yield* truth;
        };
    };
    const world = new DownloadWorld();
    const { pool, ms } = await world.download([busyFor(30)]);
    await world.expectWhole();
    expect(pool.verdicts).toEqual([]);
    expect(ms).toBeGreaterThan(5 * BUSY_PUT_OFF_MS);
    const never = await new DownloadWorld().download([busyFor(Number.POSITIVE_INFINITY)], false);
    expect(verdictsOf(never.pool)).toEqual(['0 left']);
    expect(never.ms).toBeLessThan((REFUSALS_MAX + 2) * BUSY_PUT_OFF_MS);
  });

  it('goes on with a peer whose connection breaks now and then', async () => {
    const flaky = (tools: LieTools): Tamper =>
      (() => {
        let asked = 0;
        return async function* (protocol, truth) {
          asked += 1;
          if (protocol === PROTOCOL.statePiece && asked % 5 === 0) tools.hangUp();
          yield* truth;
        };
      })();
    const world = new DownloadWorld();
    const { pool } = await world.download([flaky]);
    await world.expectWhole();
    expect(pool.verdicts).toEqual([]);
  });
});

describe('questions for manifests', () => {
  const ask = async (peer: Peer, of: ModelSource = source): ReturnType<typeof fetchManifest> => {
    const world = new DownloadWorld();
    const { net } = world;
    const self = await net.peer('self');
    await world.serve('peer', peer, 'self', of);
    await net.settle(self.dial(net.network.addressOf('peer')));
    return net.settle(fetchManifest({ transport: self, timers: net.network.timers, check }, 'peer'));
  };

  it('are answered with the manifest, or with the heights that are kept', async () => {
    expect(await ask('honest')).toMatchObject({ manifest: source.tip });
    expect(await ask('honest', earlier)).toEqual({ pruned: { first: earlier.height, last: earlier.height } });
  });

  it('are proof against every lie', async () => {
    let refused = 0;
    for (let seed = 0; seed < 120; seed += 1) {
      const liar: Peer = (tools) => tamperOf(lieOf(seed, [PROTOCOL.stateManifest]), tools);
      const found = await ask(liar).catch((error: unknown) => {
        expect(error).toHaveProperty('code');
        refused += 1;
        return undefined;
      });
      if (found !== undefined) expect(found).toMatchObject({ manifest: source.tip });
    }
    expect(refused).toBeGreaterThan(60);
  });

  it('a piece can be given up', async () => {
    const world = new DownloadWorld();
    const { net } = world;
    const self = await net.peer('self');
    await world.serve(
      'peer',
      () =>
        async function* () {
          await new Promise(() => {});
        },
      'self',
    );
    await net.settle(self.dial(net.network.addressOf('peer')));
    const aborting = new AbortController();
    const span = { from: source.firstOp, to: source.firstOp + 1 };
    const questions = { transport: self, timers: net.network.timers, check };
    const given = fetchPiece(questions, 'peer', { tree: source.tip, span, signal: aborting.signal });
    aborting.abort();
    await expect(net.settle(given)).rejects.toMatchObject({ code: 'aborted' });
    const late = fetchPiece(questions, 'peer', { tree: source.tip, span, signal: new AbortController().signal });
    await expect(net.settle(late)).rejects.toMatchObject({ code: 'timeout' });
    expect(net.nowMs).toBeGreaterThanOrEqual(ANSWER_MS_MAX);
  });
});
