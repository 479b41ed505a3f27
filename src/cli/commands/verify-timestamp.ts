/** `cairn verify timestamp`: checks, offline, that a file existed before a PoH count of a block the caller trusts. */
import type { Command } from 'commander';
import { loadKernels } from '../../../native/index.ts';
import { encodeBase58, parseHash } from '../../codec/index.ts';
import { decodeTimestampProof, type TimestampFault, type TimestampProof, verifyTimestamp } from '../../poh/index.ts';
import { walletHasher } from '../../rpc/build-transfer.ts';
import { hashText } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed, unusable } from '../failure.ts';
import { fileDigest } from './file-digest.ts';
import { readInput } from './read-input.ts';

interface Options extends CommonOptions {
  readonly trust: string;
}

const PROOF_SIZE_BYTES_MAX = 64 * 1024;
const REASONS: Readonly<Record<TimestampFault, string>> = {
  'block-hash': 'the proof leads to another block than the trusted one',
  'not-a-timestamp': 'the transaction in the proof is not a timestamp',
  digest: 'the proof is for another file: the SHA-256 differs',
  'entries-root': "the path does not lead to the block's entries root",
  'header-signature': "the leader's signature of the block is not valid",
  'transaction-signature': "the transaction's signature is not valid",
};

export function verifyTimestampCommand(): Command {
  return newCommand('timestamp', 'check a timestamp proof offline, against a block hash you trust', [
    [
      'cairn verify timestamp thesis.pdf thesis.pdf.cairn-proof --trust HASH',
      'HASH: from a node or a friend you trust',
    ],
  ])
    .argument('<file>', 'the file that was timestamped')
    .argument('<proof>', 'the proof made by cairn timestamp')
    .requiredOption('--trust <hash>', 'hash of the block, base58', hashText)
    .action(run);
}

async function run(file: string, proofFile: string, options: Options): Promise<void> {
  const kernels = loadKernels();
  const proof = decode(proofFile, await readInput(proofFile, PROOF_SIZE_BYTES_MAX));
  const digest = await fileDigest(file);
  const result = verifyTimestamp(kernels, proof, parseHash(options.trust, '--trust'), digest);
  if (!result.ok) throw failed(`invalid: ${REASONS[result.fault]}`);
  const { height, slot } = result.header;
  const from = encodeBase58(result.transaction.from);
  printResult(options, { valid: true, pohCount: result.count, height, slot, from }, [
    `valid: ${file} existed before PoH count ${result.count} (height ${height}, slot ${slot}), submitted by ${from}`,
  ]);
}

function decode(file: string, bytes: Uint8Array): TimestampProof {
  try {
    return decodeTimestampProof(walletHasher, bytes);
  } catch (error) {
    throw unusable(`${file} is not a timestamp proof: ${(error as Error).message}`);
  }
}
