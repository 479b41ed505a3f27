/**
 * `cairn verify proof`: checks a storage proof offline against the history of the verifier's own (stopped) node: the blocks that designate the
 * rotation's and the period's hash, the segment's root, and the segment itself, which is encrypted again.
 */
import type { Command } from 'commander';
import type { Kernels } from '../../../native/index.ts';
import { loadKernels, publicKey } from '../../../native/index.ts';
import {
  type DesignatedBlock,
  decodeProofFile,
  PROOF_FILE_SIZE_BYTES,
  type ProofContext,
  type StorageProof,
  verifyProofFile,
} from '../../../replicator/index.ts';
import type { HistoryStore, SegmentReader } from '../../../storage/index.ts';
import { addressOf, decodeBlock, formatAddress } from '../../codec/index.ts';
import { chainIdOf, type Genesis } from '../../ledger/index.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed, unusable } from '../failure.ts';
import { genesisBlockHeader } from './chain-start.ts';
import { withHistory } from './open-history.ts';
import { readGenesis, readInput } from './read-input.ts';

interface Options extends CommonOptions {
  readonly genesis: string;
  readonly data: string;
}

const CHUNK_SIZE_BYTES = 1024 * 1024;

export function verifyProofCommand(): Command {
  return newCommand('proof', "check a storage proof against your own node's history", [
    [
      'cairn verify proof replica.proof --genesis net/genesis.json --data net/archive-1/data',
      'the node must be stopped',
    ],
  ])
    .argument('<file>', 'a proof file (544 bytes)')
    .requiredOption('--genesis <file>', "the network's genesis.json")
    .requiredOption('--data <directory>', "data directory of a node that keeps the proof's segment")
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const kernels = loadKernels();
  const proof = decode(kernels, file, await readInput(file, PROOF_FILE_SIZE_BYTES));
  const genesis = await readGenesis(options.genesis);
  const verdict = await withHistory(kernels, genesis, options.data, async (history) => {
    const segment = history.segment(proof.segment);
    if (segment === undefined) throw unusable(`segment ${proof.segment} is not in this history: nothing can be said`);
    return verifyProofFile(
      kernels,
      proof,
      await contextOf(kernels, genesis, history, proof, segment),
      bytesOf(segment),
    );
  });
  if (!verdict.valid) throw failed(`invalid (${verdict.reason}): ${verdict.message}`);
  const { segment, rotation, period } = proof;
  const identity = formatAddress(addressOf(publicKey(proof.identity)));
  printResult(options, { valid: true, identity, segment, rotation, period }, [
    `valid: ${identity} stored segment ${segment} in period ${period} (rotation ${rotation})`,
  ]);
}

function decode(kernels: Kernels, file: string, bytes: Uint8Array): StorageProof {
  try {
    return decodeProofFile(kernels, bytes);
  } catch (error) {
    throw unusable(`${file} is not a storage proof: ${(error as Error).message}`);
  }
}

async function contextOf(
  kernels: Kernels,
  genesis: Genesis,
  history: HistoryStore,
  proof: StorageProof,
  segment: SegmentReader,
): Promise<ProofContext> {
  const { sampleBlockSizeBytes, slotsPerPeriod, periodsPerRotation } = genesis.replication;
  const { segmentSizeBytes, leafSizeBytes } = genesis.history;
  const designated = (period: number): Promise<DesignatedBlock> =>
    designatedBlock(kernels, genesis, history, period * slotsPerPeriod);
  return {
    chainId: chainIdOf(kernels, genesis),
    geometry: { segmentSizeBytes, leafSizeBytes },
    sampleBlockSizeBytes,
    schedule: { slotsPerPeriod, periodsPerRotation },
    rotationBlock: await designated(proof.rotation * periodsPerRotation),
    periodBlock: await designated(proof.period),
    segmentRoot: segment.root,
  };
}

/** The final block with the greatest slot up to `slotMax`: binary search, as slots ascend with heights. */
async function designatedBlock(
  kernels: Kernels,
  genesis: Genesis,
  history: HistoryStore,
  slotMax: number,
): Promise<DesignatedBlock> {
  const slotOf = (height: number): number => history.block(height)?.slot ?? 0;
  const tip = history.tip?.height ?? 0;
  if (slotOf(tip) < slotMax) throw unusable(`this history ends before slot ${slotMax}, which the proof refers to`);
  let [low, high] = [history.startHeight - 1, tip];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (slotOf(middle) <= slotMax) low = middle;
    else high = middle - 1;
  }
  if (low === 0) return pointOf(genesisBlockHeader(kernels, genesis));
  const bytes = low < history.startHeight ? undefined : await history.readBlock(low);
  if (bytes === undefined) throw unusable(`block ${low}, which the proof refers to, is not in this history`);
  return pointOf(decodeBlock(kernels, bytes).header);
}

function pointOf(header: {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly pohHash: Uint8Array;
}): DesignatedBlock {
  return { height: header.height, blockHash: header.hash, pohHash: header.pohHash };
}

async function* bytesOf(segment: SegmentReader): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < segment.sizeBytes; ) {
    const piece = await segment.read(offset, CHUNK_SIZE_BYTES);
    if (piece.length === 0) return;
    offset += piece.length;
    yield piece;
  }
}
