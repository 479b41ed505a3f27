/**
 * `cairn verify proof`: checks a storage proof offline against the history of the verifier's own (stopped) node: the blocks that designate the
 * rotation's and the period's hash, and the segment's root. Mode `stream` takes the segment itself, which is encrypted again; mode `open` takes
 * the identity's commitment, which is looked for in the blocks up to the period's.
 */
import type { Command } from 'commander';
import { type Kernels, loadKernels, publicKey, sameBytes } from '../../../native/index.ts';
import {
  type DesignatedBlock,
  decodeOpenFile,
  decodeProofFile,
  layerCount,
  OPEN_FILE_SIZE_BYTES_MAX,
  type OpenContext,
  type OpenParameters,
  type OpenStorageProof,
  type OpenVerdict,
  PROOF_FILE_SIZE_BYTES,
  type ProofContext,
  type ProofVerdict,
  proofFileMode,
  type StorageProof,
  verifyOpenFile,
  verifyProofFile,
} from '../../../replicator/index.ts';
import type { HistoryStore, SegmentReader } from '../../../storage/index.ts';
import { addressOf, blockTransactions, decodeBlock, formatAddress } from '../../codec/index.ts';
import { chainIdOf, type Genesis } from '../../ledger/index.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed, unusable } from '../failure.ts';
import { designatedBlock } from './designated-block.ts';
import { withHistory } from './open-history.ts';
import { readGenesis, readInput } from './read-input.ts';

interface Options extends CommonOptions {
  readonly genesis: string;
  readonly data: string;
  readonly layers?: number;
  readonly samples?: number;
  readonly checks?: number;
}

const CHUNK_SIZE_BYTES = 1024 * 1024;
const DRAWS_MAX = 65_536;

export function verifyProofCommand(): Command {
  return newCommand('proof', "check a storage proof against your own node's history", [
    [
      'cairn verify proof replica.proof --genesis net/genesis.json --data net/archive-1/data',
      'the node must be stopped',
    ],
    ['cairn verify proof open.proof --genesis g.json --data DIR --samples 541', 'mode open, with fewer draws'],
  ])
    .argument('<file>', 'a proof file, of mode stream or open')
    .requiredOption('--genesis <file>', "the network's genesis.json")
    .requiredOption('--data <directory>', "data directory of a node that keeps the proof's segment")
    .option('--layers <count>', 'how often replicas are encrypted: 1, 2 or 4 (default: genesis)', wholeNumber(1, 4))
    .option('--samples <count>', 'mode open: leaves a proof must draw (default: genesis)', wholeNumber(1, DRAWS_MAX))
    .option('--checks <count>', 'mode open: encodings a proof must show (default: genesis)', wholeNumber(0, DRAWS_MAX))
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const kernels = loadKernels();
  const bytes = await readInput(file, OPEN_FILE_SIZE_BYTES_MAX);
  const mode = proofFileMode(bytes) ?? 'stream';
  const proof = decode(kernels, file, bytes, mode);
  const genesis = await readGenesis(options.genesis);
  const verdict = await withHistory(kernels, genesis, options.data, async (history) => {
    const segment = history.segment(proof.segment);
    if (segment === undefined) throw unusable(`segment ${proof.segment} is not in this history: nothing can be said`);
    const context = await contextOf(kernels, genesis, history, proof, segment, options);
    return 'body' in proof
      ? checkOpen(kernels, history, proof, context, drawsOf(genesis, options))
      : verifyProofFile(kernels, proof, context, bytesOf(segment));
  });
  if (!verdict.valid) throw failed(`invalid (${verdict.reason}): ${verdict.message}`);
  const { segment, rotation, period } = proof;
  const identity = formatAddress(addressOf(publicKey(proof.identity)));
  printResult(options, { valid: true, mode, identity, segment, rotation, period }, [
    `valid: ${identity} stored segment ${segment} in period ${period} (rotation ${rotation}, mode ${mode})`,
  ]);
}

function decode(
  kernels: Kernels,
  file: string,
  bytes: Uint8Array,
  mode: 'stream' | 'open',
): StorageProof | OpenStorageProof {
  try {
    if (mode === 'open') return decodeOpenFile(kernels, bytes);
    if (bytes.length > PROOF_FILE_SIZE_BYTES) throw unusable(`it has ${bytes.length} bytes`);
    return decodeProofFile(kernels, bytes);
  } catch (error) {
    throw unusable(`${file} is not a storage proof: ${(error as Error).message}`);
  }
}

async function contextOf(
  kernels: Kernels,
  genesis: Genesis,
  history: HistoryStore,
  proof: Pick<StorageProof, 'rotation' | 'period'>,
  segment: SegmentReader,
  options: Options,
): Promise<ProofContext> {
  const { sampleBlockSizeBytes, slotsPerPeriod, periodsPerRotation } = genesis.replication;
  const { segmentSizeBytes, leafSizeBytes } = genesis.history;
  const layers = layerCount(options.layers ?? genesis.replication.layers);
  if (layers === undefined) throw unusable(`--layers must be 1, 2 or 4, got ${options.layers}`);
  const designated = (period: number): Promise<DesignatedBlock> =>
    designatedBlock(kernels, genesis, history, period * slotsPerPeriod);
  return {
    chainId: chainIdOf(kernels, genesis),
    geometry: { segmentSizeBytes, leafSizeBytes },
    sampleBlockSizeBytes,
    layers,
    schedule: { slotsPerPeriod, periodsPerRotation },
    rotationBlock: await designated(proof.rotation * periodsPerRotation),
    periodBlock: await designated(proof.period),
    segmentRoot: segment.root,
  };
}

/** How much a proof must open: as genesis says, unless told otherwise. */
function drawsOf({ replication }: Genesis, { samples, checks }: Options): OpenParameters {
  return { sampleCount: samples ?? replication.samplesPerProof, checkCount: checks ?? replication.checksPerProof };
}

async function checkOpen(
  kernels: Kernels,
  history: HistoryStore,
  proof: OpenStorageProof,
  { sampleBlockSizeBytes: _, layers = 1, ...context }: ProofContext,
  parameters: OpenParameters,
): Promise<ProofVerdict | OpenVerdict> {
  const trusted: OpenContext = { ...context, layers, parameters };
  const committedRoot = await committedIn(
    kernels,
    history,
    proof,
    context.rotationBlock.height,
    context.periodBlock.height,
  );
  return verifyOpenFile(kernels, proof, { ...trusted, committedRoot });
}

/** The replica root of the identity's last commitment for the proof's segment and rotation, in blocks after `from` and up to `to`. */
async function committedIn(
  kernels: Kernels,
  history: HistoryStore,
  { identity, segment, rotation }: OpenStorageProof,
  from: number,
  to: number,
): Promise<Uint8Array | undefined> {
  for (let height = to; height > from; height -= 1) {
    const bytes = await history.readBlock(height);
    if (bytes === undefined) throw unusable(`block ${height}, which may hold the commitment, is not in this history`);
    for (const { from: sender, payload } of blockTransactions(decodeBlock(kernels, bytes).entries).toReversed()) {
      const isIt = payload.kind === 'commit' && payload.segment === segment && payload.rotation === rotation;
      if (isIt && sameBytes(sender, identity)) return payload.replicaRoot;
    }
  }
  return undefined;
}

async function* bytesOf(segment: SegmentReader): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < segment.sizeBytes; ) {
    const piece = await segment.read(offset, CHUNK_SIZE_BYTES);
    if (piece.length === 0) return;
    offset += piece.length;
    yield piece;
  }
}
