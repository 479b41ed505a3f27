/**
 * One pass of encryption over a stream, with the Merkle hashing of what goes in and comes out done beside it, on threads where there are
 * some: the chain waits for nobody, and nothing waits for the hashes but the taker.
 *
 * Memory: four chunks in and out. A piece is borrowed until the second next is asked for, so a taker may write one while it asks for another.
 */
import type { Kernels } from '../native/index.ts';
import { type ByteSource, PieceReader } from './chunks.ts';
import type { ReplicaCipher } from './key.ts';
import type { HashedLeaves } from './subtrees.ts';
import type { ReplicaThreads } from './threads/threads.ts';

const SLOT_COUNT = 4;
/** Pieces whose hashes are under way while the chain goes on. */
const AHEAD_COUNT = 2;

export interface CipherPass {
  readonly source: ByteSource;
  readonly cipher: ReplicaCipher;
  /** Whole leaves and subtrees. */
  readonly chunkSizeBytes: number;
  readonly leafSizeBytes: number;
  /** Bytes of the whole pass, and how many of them were done before; the source gives the rest. */
  readonly sizeBytes: number;
  readonly startOffset: number;
  /** The cipher block before `startOffset`; the IV at 0. 16 bytes, borrowed */
  readonly chain: Uint8Array;
  readonly wantInputHashes: boolean;
  readonly wantOutputHashes: boolean;
}

/** A chunk that went through the cipher. */
export interface PassPiece {
  readonly offset: number;
  readonly output: Uint8Array;
  readonly inputLeaves: HashedLeaves | undefined;
  readonly outputLeaves: HashedLeaves | undefined;
}

/** Encrypts a stream in order. Throws `ReplicatorError` 'source-short' / 'source-long' / 'thread'. */
export async function* cipherPass(
  kernels: Kernels,
  threads: ReplicaThreads,
  pass: CipherPass,
): AsyncGenerator<PassPiece> {
  const { chunkSizeBytes, leafSizeBytes, sizeBytes, startOffset } = pass;
  const reader = new PieceReader(pass.source, sizeBytes - startOffset);
  const chain = pass.chain.slice();
  const slotSizeBytes = Math.min(chunkSizeBytes, sizeBytes - startOffset);
  const slots = Array.from({ length: SLOT_COUNT }, () => ({
    input: threads.allocate(slotSizeBytes),
    output: threads.allocate(slotSizeBytes),
  }));
  const hashed = (wanted: boolean, data: Uint8Array): Promise<HashedLeaves | undefined> =>
    wanted ? threads.run({ kind: 'leaves', data, leafSizeBytes }) : Promise.resolve(undefined);
  const ahead: Promise<PassPiece>[] = [];
  let turn = 0;
  for (let offset = startOffset; offset < sizeBytes; offset += chunkSizeBytes) {
    const slot = slots[turn % SLOT_COUNT]!;
    turn += 1;
    const length = Math.min(chunkSizeBytes, sizeBytes - offset);
    const [input, output] = [slot.input.subarray(0, length), slot.output.subarray(0, length)];
    await reader.fill(input);
    const inputLeaves = hashed(pass.wantInputHashes, input);
    kernels.aesCbcEncrypt(pass.cipher.key, chain, input, output);
    const both = Promise.all([inputLeaves, hashed(pass.wantOutputHashes, output)]);
    const piece = both.then(([first, second]) => ({ offset, output, inputLeaves: first, outputLeaves: second }));
    // The generator's own `await` reports a failure; until then it must not count as unhandled.
    piece.catch(() => undefined);
    ahead.push(piece);
    if (ahead.length > AHEAD_COUNT) yield await ahead.shift()!;
  }
  await reader.end();
  for (const piece of ahead) yield await piece;
}
