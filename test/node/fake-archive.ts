/** A peer that keeps a chain in memory and answers light clients and replicators; a test changes what it says. */
import type { Certificate, Transaction } from '../../src/codec/index.ts';
import { decodeTransaction, encodeCertificate } from '../../src/codec/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import {
  decodeMessage,
  encodeMessage,
  HandOversRequest,
  PROTOCOL,
  RangeRequest,
  type ReplicasAnswer,
  SegmentRequest,
  type StandingsAnswer,
  type StatusMessage,
} from '../../src/node/protocols.ts';
import { unframeTransactions } from '../../src/node/relay/submissions.ts';
import { frameBlock, segmentRootOf } from '../../storage/index.ts';
import { kernels, voteFor, type World } from './world.ts';

/** What is answered instead of the truth. */
export type Lie = (truth: Uint8Array[], request: Uint8Array) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export class FakeArchive {
  readonly world: World;
  readonly blocks: readonly ChainBlock[];
  readonly transport: MemoryTransport;
  /** Transactions that were handed in. */
  readonly taken: Transaction[] = [];
  /** Height whose finality is told. */
  finalHeight = 0;
  /** What each protocol answers instead of the truth. */
  readonly lies: Map<string, Lie> = new Map();
  records: ReplicasAnswer = {
    ...{
      slot: 0,
      registered: true,
      leaving: false,
      balance: '1000000',
      deposit: '1000000',
      locked: '0',
      accepted: 0,
      fakes: 0,
    },
    replicas: [],
  };
  standings: StandingsAnswer = { slot: 0, target: 4, identities: 1, standings: [] };
  handOvers: readonly { readonly epoch: number; readonly bytes: Uint8Array }[] = [];
  requests = 0;

  /** @param blocks from height 1 on */
  constructor(world: World, blocks: readonly ChainBlock[], transport: MemoryTransport) {
    this.world = world;
    this.blocks = blocks;
    this.transport = transport;
    this.#serve(PROTOCOL.finality, () => this.finality());
    this.#serve(PROTOCOL.handOvers, (request) => {
      const { fromEpoch } = decodeMessage(HandOversRequest, request, '', '');
      return this.handOvers.filter(({ epoch }) => epoch >= fromEpoch).map(({ bytes }) => bytes);
    });
    this.#serve(PROTOCOL.headers, (request) => {
      const { from, countMax } = decodeMessage(RangeRequest, request, '', '');
      return blocks.slice(Math.max(0, from - 1), from - 1 + countMax).map(({ header }) => header.bytes);
    });
    this.#serve(PROTOCOL.segmentRoots, (request) => {
      const { from, countMax } = decodeMessage(RangeRequest, request, '', '');
      return [
        Buffer.concat(
          this.segments()
            .slice(from, from + countMax)
            .map((bytes) => this.rootOf(bytes)),
        ),
      ];
    });
    this.#serve(PROTOCOL.segment, (request) => {
      const { index, offset } = decodeMessage(SegmentRequest, request, '', '');
      const bytes = this.segments()[index]?.slice(offset);
      return bytes === undefined ? [] : [bytes.slice(0, 1000), bytes.slice(1000)];
    });
    this.#serve(PROTOCOL.standings, () => [encodeMessage({ ...this.standings })]);
    this.#serve(PROTOCOL.replicas, () => [encodeMessage({ ...this.records })]);
    this.#serve(PROTOCOL.submit, (request) => {
      this.taken.push(...unframeTransactions(request, '').map((bytes) => decodeTransaction(kernels, bytes)));
      return [Uint8Array.of(0)];
    });
    this.#serve(PROTOCOL.status, () => [encodeMessage({ ...this.status() })]);
  }

  status(): StatusMessage {
    return {
      chainId: this.world.check.rules.chainId,
      role: 'archive',
      startHeight: 1,
      finalizedHeight: this.finalHeight,
      bestHeight: this.finalHeight,
      publicKey: null,
      keyProof: null,
      rpc: null,
      version: 'test',
    };
  }

  /** Header and certificate of the final height: votes of all validators. */
  finality(height: number = this.finalHeight): Uint8Array[] {
    const final = this.blocks[height - 1];
    const child = this.blocks[height];
    if (final === undefined || child === undefined) return [];
    return [final.header.bytes, encodeCertificate(this.certificate(height))];
  }

  certificate(height: number = this.finalHeight): Certificate {
    const [final, child] = [this.blocks[height - 1]!.header, this.blocks[height]!.header];
    return { header: child, votes: this.world.validators.map((key) => voteFor(key, final, child)) };
  }

  /** The complete segments of the history before the final block. */
  segments(): Uint8Array[] {
    const { segmentSizeBytes } = this.world.genesis.history;
    const stream = Buffer.concat(
      this.blocks.slice(0, Math.max(0, this.finalHeight - 1)).map(({ block }) => frameBlock(block!.bytes)),
    );
    return Array.from({ length: Math.floor(stream.length / segmentSizeBytes) }, (_, index) =>
      Uint8Array.from(stream.subarray(index * segmentSizeBytes, (index + 1) * segmentSizeBytes)),
    );
  }

  rootOf(segment: Uint8Array): Uint8Array {
    return segmentRootOf(kernels, this.world.genesis.history, segment);
  }

  #serve(protocol: string, answer: (request: Uint8Array) => Uint8Array[]): void {
    this.transport.handle(protocol, (_, request) => this.#answer(protocol, request, answer(request)));
  }

  async *#answer(protocol: string, request: Uint8Array, truth: Uint8Array[]): AsyncGenerator<Uint8Array> {
    this.requests += 1;
    const lie = this.lies.get(protocol);
    yield* lie === undefined ? truth : lie(truth, request);
  }
}
