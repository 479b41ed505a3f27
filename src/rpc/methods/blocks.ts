/**
 * Methods about finalized blocks: reading them, their bytes and certificates, and waiting for the next ones.
 */
import { z } from 'zod';
import { blockTransactions } from '../../codec/block.ts';
import { encodeCertificate } from '../../codec/certificate.ts';
import type { Block } from '../../codec/model.ts';
import { type MethodTable, method } from '../method.ts';
import type { NodeApi } from '../node-api.ts';
import { hashParameter, heightParameter, slotParameter } from '../parameters.ts';
import { transactionJson } from '../transaction-json.ts';
import { type BlockSelector, WAIT_TIMEOUT_MS_MAX } from '../views/blocks.ts';
import { base64Text, hashText, toWire } from '../wire.ts';

/** A number is a slot, as in Solana; an object says which it is. */
const selector: z.ZodType<BlockSelector> = z.union([
  slotParameter.transform((slot) => ({ slot })),
  z.strictObject({ height: heightParameter }),
  z.strictObject({ slot: slotParameter }),
  z.strictObject({ hash: hashParameter }),
]);

const blockConfig = z
  .object({
    transactionDetails: z.enum(['full', 'signatures', 'none']).default('full'),
    encoding: z.enum(['json', 'base64']).default('json'),
  })
  .default({ transactionDetails: 'full', encoding: 'json' });

export function blockMethods(api: NodeApi): MethodTable {
  return {
    getBlock: method({ block: selector, config: blockConfig }, async ({ block, config }) =>
      blockJson(await api.block(block), config),
    ),
    getFirstAvailableBlock: method({}, () => api.firstAvailableSlot()),
    cairn_getBlockBytes: method({ height: heightParameter }, async ({ height }) =>
      base64Text(await api.blockBytes(height)),
    ),
    cairn_getCertificate: method({ height: heightParameter }, async ({ height }) => {
      const certificate = await api.certificate(height);
      return {
        height: certificate.header.height,
        slot: certificate.header.slot,
        hash: hashText(certificate.header.hash),
        votes: certificate.votes.length,
        certificate: base64Text(encodeCertificate(certificate)),
      };
    }),
    cairn_waitFinalized: method(
      {
        afterHeight: heightParameter,
        timeoutMs: z.int().nonnegative().max(WAIT_TIMEOUT_MS_MAX).default(WAIT_TIMEOUT_MS_MAX),
      },
      async ({ afterHeight, timeoutMs }, { signal }) => ({
        blocks: toWire(await api.waitFinalized(afterHeight, timeoutMs, signal)),
      }),
      { waits: true },
    ),
  };
}

function blockJson(block: Block, config: z.output<typeof blockConfig>): object {
  const { header } = block;
  const transactions = blockTransactions(block.entries);
  const head = {
    blockhash: hashText(header.hash),
    previousBlockhash: hashText(header.parentHash),
    blockHeight: header.height,
    slot: header.slot,
    blockTime: null,
    pohCount: header.pohCount,
    pohHash: hashText(header.pohHash),
    stateRoot: hashText(header.stateRoot),
    entriesRoot: hashText(header.entriesRoot),
    leader: toWire(header.leader),
    historyLength: header.historyLength,
    segmentCount: header.segmentCount,
    segmentsRoot: hashText(header.segmentsRoot),
    transactionCount: transactions.length,
  };
  if (config.transactionDetails === 'none') return head;
  if (config.transactionDetails === 'signatures')
    return { ...head, signatures: transactions.map((transaction) => hashText(transaction.id)) };
  const body =
    config.encoding === 'base64'
      ? transactions.map((transaction) => [base64Text(transaction.bytes), 'base64'])
      : transactions.map(transactionJson);
  return { ...head, transactions: body };
}
