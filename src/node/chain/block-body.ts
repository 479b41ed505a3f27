/**
 * Whether a block's bytes are what its leader signed: header signature and entries root.
 *
 * Why before anything else: a block's hash covers its header alone, so different bodies can bear one hash. Taken unchecked, a body that somebody
 * has put under an honest header would be refused in that header's name, and the honest block with it.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import { type Block, entriesRoot, entryMixins, headerSignature } from '../../codec/index.ts';

export type BodyFault = 'bad-signature' | 'wrong-body';

/** Mixins of the entries of blocks whose bodies were found to be what their headers name. */
const CHECKED = new WeakMap<Block, Uint8Array>();

/** What is wrong with a block by itself, or null. Hashes every item once: a few milliseconds for the largest block. */
export function blockBodyFault(kernels: Kernels, block: Block): BodyFault | null {
  const { header, entries } = block;
  const verdict = new Uint8Array(1);
  const { publicKey, signature, message } = headerSignature(header);
  kernels.ed25519Verify(publicKey, signature, message, Uint32Array.of(0, message.length), verdict);
  if (verdict[0] !== 1) return 'bad-signature';
  const mixins = entryMixins(kernels, entries, header.parentHash);
  if (!sameBytes(entriesRoot(kernels, entries, mixins), header.entriesRoot)) return 'wrong-body';
  CHECKED.set(block, mixins);
  return null;
}

/** The entries' mixins (packed, borrowed) of this very block, if it passed `blockBodyFault`: nothing of it need be hashed again for them or its root. */
export function checkedMixins(block: Block): Uint8Array | undefined {
  return CHECKED.get(block);
}
