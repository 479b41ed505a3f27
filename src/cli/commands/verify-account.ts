/** `cairn verify account`: checks, offline, what balance an account had after a block that the caller trusts. */
import type { Command } from 'commander';
import { loadKernels } from '../../../native/index.ts';
import {
  ACCOUNT_PROOF_SIZE_BYTES_MAX,
  encodeBase58,
  formatAddress,
  parseHash,
  verifyAccountProof,
} from '../../codec/index.ts';
import { trustedBlock } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed } from '../failure.ts';
import { readInput } from './read-input.ts';

interface Options extends CommonOptions {
  readonly trust: { readonly height: number; readonly hash: string };
}

export function verifyAccountCommand(): Command {
  return newCommand('account', 'check the proof of a balance offline, against a block you trust', [
    [
      'cairn verify account cairn1....cairn-account --trust 1234:HASH',
      'HEIGHT:HASH: from a node or a friend you trust',
    ],
  ])
    .argument('<proof>', 'the proof made by cairn prove account')
    .requiredOption('--trust <height:hash>', 'height and hash (base58) of the block', trustedBlock)
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const { height, hash } = options.trust;
  const trusted = { height, hash: parseHash(hash, '--trust') };
  const bytes = await readInput(file, ACCOUNT_PROOF_SIZE_BYTES_MAX);
  const verdict = verifyAccountProof(loadKernels(), bytes, trusted);
  if (!verdict.holds) throw failed(`invalid: ${verdict.message}`);
  const { balance, header } = verdict;
  const address = formatAddress(verdict.address);
  const stateRoot = encodeBase58(header.stateRoot);
  printResult(options, { valid: true, address, balance, height: header.height, slot: header.slot, stateRoot }, [
    `valid: ${address} held ${balance} units after block ${header.height} (slot ${header.slot})`,
  ]);
}
