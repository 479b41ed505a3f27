/**
 * The parameter types shared by the methods: text from a caller, checked and turned into the ports' types.
 *
 * Invariant: lengths are bounded before anything is decoded.
 */
import { z } from 'zod';
import { type Address, type Hash, type Height, height, type Slot, slot } from '../../native/index.ts';
import { CodecError } from '../codec/codec-error.ts';
import { parseAddress, parseHash } from '../codec/text.ts';
import { TRANSACTION_SIZE_BYTES_MAX } from '../codec/transaction.ts';
import type { Commitment } from './views/blocks.ts';

function parsed<T>(parse: (text: string) => T): (text: string, context: z.core.$RefinementCtx<string>) => T {
  return (text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      const prefix = `${error.field}: `;
      const message = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  };
}

const TEXT_LENGTH_MAX = 128;

export const addressParameter: z.ZodType<Address> = z
  .string()
  .max(TEXT_LENGTH_MAX)
  .transform(parsed((text) => parseAddress(text, 'address')));

/** A hash or transaction id. */
export const hashParameter: z.ZodType<Hash> = z
  .string()
  .max(TEXT_LENGTH_MAX)
  .transform(parsed((text) => parseHash(text, 'hash')));

export const heightParameter: z.ZodType<Height> = z.int().nonnegative().transform(height);
export const slotParameter: z.ZodType<Slot> = z.int().nonnegative().transform(slot);

/** An eviction's number; 0 when it is left out. */
export const evictionParameter: z.ZodType<number> = z.int().nonnegative().default(0);

/** Bytes of one transaction, in base64 with padding. The codec, not this, says whether they are one. */
export const transactionParameter: z.ZodType<Uint8Array> = z
  .string()
  .max(Math.ceil(TRANSACTION_SIZE_BYTES_MAX / 3) * 4)
  .refine((text) => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0, 'is not base64')
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64')));

const commitment: z.ZodType<Commitment> = z.enum(['processed', 'confirmed', 'finalized']);

/** Solana's trailing configuration object. Its members that mean nothing here are ignored, so that existing clients work. */
export const commitmentConfig: z.ZodType<{ commitment: Commitment }> = z
  .object({ commitment: commitment.default('finalized') })
  .default({ commitment: 'finalized' });
