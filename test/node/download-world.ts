/** Downloads of one state from honest peers and liars, and what may and must be on disk afterwards. */
import { expect } from 'vitest';
import type { Transport } from '../../src/net/transport.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { StateService } from '../../src/node/serve/state-service.ts';
import type { StateQuestions } from '../../src/node/sync/fetch-state.ts';
import { PeerPool } from '../../src/node/sync/peer-pool.ts';
import { downloadState } from '../../src/node/sync/state-download.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { LiarList } from '../../storage/sync/liar-list.ts';
import { checkManifest } from '../../storage/sync/manifest.ts';
import { readPiece } from '../../storage/sync/piece.ts';
import { readPieceFrame, type StateSource } from '../../storage/sync/state-source.ts';
import { StateStage } from '../../storage/sync/state-stage.ts';
import { kernels } from '../storage/kernels-fixture.ts';
import { LogModel } from '../storage/log-model.ts';
import { honestSegments, MODEL_CHAIN, ModelSource, modelSource, segmentFiles } from '../storage/sync-source.ts';
import type { LieTools, Tamper } from './lies.ts';
import { VirtualNet } from './virtual-net.ts';
import { SILENT } from './world.ts';

export const PIECE_OPS = 64;

/** What every honest peer serves. */
export const source: ModelSource = modelSource({ seed: 21, heights: 80, opsMax: 60 });
/** The same chain one block earlier: what it says is true, of another height. */
export const earlier: ModelSource = (() => {
  const model = new LogModel(MODEL_CHAIN, 4096, 32);
  model.batches.push(...source.model.batches.slice(0, -1));
  return new ModelSource(model, source.tip.floor);
})();
const target = { height: source.height, root: source.root };
/** What a state is checked against: this chain, at this height. */
export const check: StateQuestions['check'] = { kernels, chainId: MODEL_CHAIN, target, segmentSizeBytes: 4096 };
const foreignSource = modelSource({ seed: 22, heights: 80, opsMax: 60 });
const segments = await honestSegments(new SimulatedDisk(0), '/honest', source);
/** A true piece of another chain. */
const foreignFrames = [
  await readPieceFrame(
    foreignSource,
    { from: foreignSource.firstOp, to: foreignSource.firstOp + PIECE_OPS },
    foreignSource.opCount,
  ),
];

/** One that serves the state as it is, or lies. */
export type Peer = 'honest' | ((tools: LieTools) => Tamper);

/** A virtual network of peers that serve a state, and the disk it is downloaded to. */
export class DownloadWorld {
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

/** Of a first download: number of each peer judged, and the verdict. */
export const verdictsOf = (pool: PeerPool): string[] =>
  pool.verdicts.map(({ peer, verdict }) => `${peer.split('-')[1]} ${verdict}`).sort();

/** Tampers with answers of pieces only. */
export const pieces =
  (
    change: (frames: AsyncIterable<Uint8Array>, asked: number) => AsyncIterable<Uint8Array>,
  ): ((tools: LieTools) => Tamper) =>
  () => {
    let asked = 0;
    return (protocol, truth) => (protocol === PROTOCOL.statePiece ? change(truth, asked++) : truth);
  };
