import { beforeAll, describe, expect, it } from 'vitest';
import { type Transport, TransportError } from '../../src/net/transport.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { StateService } from '../../src/node/serve/state-service.ts';
import { ANSWER_MS_MAX, fetchManifest, fetchPiece, type StateQuestions } from '../../src/node/sync/fetch-state.ts';
import { BUSY_PUT_OFF_MS, PeerPool, REFUSALS_MAX, STRIKES_MAX } from '../../src/node/sync/peer-pool.ts';
import { downloadState, IN_FLIGHT_MAX } from '../../src/node/sync/state-download.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { LiarList } from '../../storage/sync/liar-list.ts';
import { checkManifest } from '../../storage/sync/manifest.ts';
import { readPiece } from '../../storage/sync/piece.ts';
import { readPieceFrame, type StateSource } from '../../storage/sync/state-source.ts';
import { StateStage } from '../../storage/sync/state-stage.ts';
import { kernels } from '../storage/kernels-fixture.ts';
import { LogModel } from '../storage/log-model.ts';
import { honestSegments, MODEL_CHAIN, ModelSource, modelSource, segmentFiles } from '../storage/sync-source.ts';
import { type LieTools, lieOf, type Tamper, tamperOf } from './lies.ts';
import { VirtualNet } from './virtual-net.ts';
import { SILENT } from './world.ts';

const LIARS = 140;
const LIARS_A_RUN = 7;
const PIECE_OPS = 64;

const source = modelSource({ seed: 21, heights: 80, opsMax: 60 });
/** The same chain one block earlier: what it says is true, of another height. */
const earlier = ((): ModelSource => {
  const model = new LogModel(MODEL_CHAIN, 4096, 32);
  model.batches.push(...source.model.batches.slice(0, -1));
  return new ModelSource(model, source.tip.floor);
})();
const target = { height: source.height, root: source.root };
const check = { kernels, chainId: MODEL_CHAIN, target, segmentSizeBytes: 4096 };
const foreignSource = modelSource({ seed: 22, heights: 80, opsMax: 60 });
let segments: Map<string, string>;
let foreignFrames: Uint8Array[];
beforeAll(async () => {
  segments = await honestSegments(new SimulatedDisk(0), '/honest', source);
  const { firstOp, opCount } = foreignSource;
  foreignFrames = [await readPieceFrame(foreignSource, { from: firstOp, to: firstOp + PIECE_OPS }, opCount)];
});

type Peer = 'honest' | ((tools: LieTools) => Tamper);

class World {
  readonly net: VirtualNet = new VirtualNet();
  readonly disk: SimulatedDisk = new SimulatedDisk(1);
  readonly services: StateService[] = [];
  #lives = 0;

  /** Downloads from peers of these kinds into what there is. */
  async download(peers: readonly Peer[], whole = true): Promise<{ pool: PeerPool; mostWaiting: number; ms: number }> {
    const { net, disk } = this;
    const { timers } = net.network;
    const life = this.#lives++;
    const self = await net.peer(`self${life}`);
    await disk.makeDirectory('/q');
    const pool = new PeerPool({ transport: self, timers, liars: await LiarList.open(disk, '/q/liars'), log: SILENT });
    for (const [index, peer] of peers.entries()) {
      const name = `peer${life}-${index}`;
      await this.serve(name, peer, self.self);
      pool.add(await net.settle(self.dial(net.network.addressOf(name))), net.network.addressOf(name));
    }
    const stage = await this.stage();
    let mostWaiting = 0;
    const questions: StateQuestions = { transport: self, timers, check };
    const onPiece = (): void => {
      mostWaiting = Math.max(mostWaiting, stage.waitingBytes);
    };
    const startedMs = net.nowMs;
    await net.settle(downloadState({ ...questions, pool, stage, onPiece }));
    expect(stage.isWhole).toBe(whole);
    if (whole) await stage.finish();
    await stage.close();
    return { pool, mostWaiting, ms: net.nowMs - startedMs };
  }

  async serve(name: string, peer: Peer, self: string, of: StateSource = source): Promise<void> {
    const { net } = this;
    const transport = await net.peer(name);
    const tools = {
      foreign: () => foreignFrames,
      hangUp: () => net.network.sever(self, name),
      sleep: (ms: number) => new Promise<void>((resolve) => void net.network.timers.after(ms, resolve)),
    };
    const tamper = peer === 'honest' ? undefined : peer(tools);
    const handle: Transport['handle'] = (protocol, handler) =>
      transport.handle(protocol, (from, request) => {
        const frames = handler(from, request);
        return tamper === undefined ? frames : tamper(protocol, frames);
      });
    this.services.push(new StateService({ transport: { handle }, source: of, timers: net.network.timers }));
  }

  async stage(): Promise<StateStage> {
    const start = await readPieceFrame(source, { from: source.firstOp, to: source.firstOp + 1 }, source.opCount);
    return StateStage.open({
      directory: '/q',
      files: this.disk,
      kernels,
      chainId: MODEL_CHAIN,
      checked: checkManifest(check, source.tip, start),
      sizeBytesMax: 1e7,
      segmentSizeBytes: 4096,
      heldSizeBytesMax: 20_000,
      pieceOps: PIECE_OPS,
    });
  }

  /** Nothing but true pieces and the honest log's beginning is kept. */
  async expectNothingFalse(): Promise<void> {
    for (const [name, bytes] of await segmentFiles(this.disk, '/q/state/log'))
      expect(segments.get(name)?.startsWith(bytes)).toBe(true);
    for (const name of await this.disk.list('/q/pieces')) {
      const file = await this.disk.open(`/q/pieces/${name}`, 'read');
      const frame = new Uint8Array(await file.sizeBytes());
      await file.read(0, frame);
      await file.close();
      readPiece(kernels, frame, Number(name.slice(6)), source.tip);
    }
  }

  async expectWhole(): Promise<void> {
    expect(await segmentFiles(this.disk, '/q/state/log')).toEqual(segments);
    expect(await this.disk.list('/q/pieces')).toEqual([]);
  }
}

const verdictsOf = (pool: PeerPool): string[] =>
  pool.verdicts.map(({ peer, verdict }) => `${peer.split('-')[1]} ${verdict}`).sort();

/** Tampers with answers of pieces only. */
const pieces =
  (
    change: (frames: AsyncIterable<Uint8Array>, asked: number) => AsyncIterable<Uint8Array>,
  ): ((tools: LieTools) => Tamper) =>
  () => {
    let asked = 0;
    return (protocol, truth) => (protocol === PROTOCOL.statePiece ? change(truth, asked++) : truth);
  };

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
    const world = new World();
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
      const world = new World();
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
    const world = new World();
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
    const world = new World();
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
    const world = new World();
    const silent: Peer = pieces(async function* () {
      await new Promise(() => {});
    });
    const nothing: Peer = pieces(async function* () {});
    const { pool, ms } = await world.download(['honest', silent, nothing]);
    await world.expectWhole();
    expect(pool.bannedCount).toBe(0);
    // The honest one was asked again for what the silent one did not send.
    expect(ms).toBeLessThan(ANSWER_MS_MAX);
    const alone = await new World().download([silent], false);
    expect(verdictsOf(alone.pool)).toEqual(['0 left']);
    expect(alone.ms).toBeLessThan((STRIKES_MAX + 1) * ANSWER_MS_MAX);
  });

  it('bans a peer that answers with less than was asked for', async () => {
    const world = new World();
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
    const world = new World();
    const { pool, ms } = await world.download([busyFor(30)]);
    await world.expectWhole();
    expect(pool.verdicts).toEqual([]);
    expect(ms).toBeGreaterThan(5 * BUSY_PUT_OFF_MS);
    const never = await new World().download([busyFor(Number.POSITIVE_INFINITY)], false);
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
    const world = new World();
    const { pool } = await world.download([flaky]);
    await world.expectWhole();
    expect(pool.verdicts).toEqual([]);
  });
});

describe('questions for manifests', () => {
  const ask = async (peer: Peer, of: ModelSource = source): ReturnType<typeof fetchManifest> => {
    const world = new World();
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
    const world = new World();
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
