/**
 * One pass of encryption over a stream, with the Merkle hashing of what goes in and comes out in the same breath, on a thread where there is one: the next piece
 * is read, and the last one written, meanwhile.
 *
 * Memory: four chunks in and out. A piece is borrowed until the second next is asked for, so a taker may write one while it asks for another.
 */
import { type ByteSource, PieceReader } from './chunks.ts';
import type { ReplicaCipher } from './key.ts';
import type { HashedLeaves } from './subtrees.ts';
import type { EncryptionChain } from './threads/encryption.ts';
import type { ReplicaThreads } from './threads/threads.ts';

const SLOT_COUNT = 4;

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
  /** Gives memory for a chunk, which jobs can read and write in place. */
  readonly borrow: (sizeBytes: number) => Uint8Array;
}

/** A chunk that went through the cipher. */
export interface PassPiece {
  readonly offset: number;
  readonly output: Uint8Array;
  readonly inputLeaves: HashedLeaves | undefined;
  readonly outputLeaves: HashedLeaves | undefined;
}

/** Encrypts a stream in order. Throws `ReplicatorError` 'source-short' / 'source-long' / 'thread'. */
export async function* cipherPass(threads: ReplicaThreads, pass: CipherPass): AsyncGenerator<PassPiece> {
  // Other chains wait for one that may go beside them: then it must be sure to end, whatever becomes of its taker. An inner pass is not, and could not share anyway.
  const isShared = pass.wantInputHashes && pass.wantOutputHashes;
  const chain = isShared ? threads.beginEncryption() : chainApart(threads);
  try {
    yield* encryptAll(threads, chain, pass);
  } finally {
    chain.end();
  }
}

async function* encryptAll(
  threads: ReplicaThreads,
  chain: EncryptionChain,
  pass: CipherPass,
): AsyncGenerator<PassPiece> {
  const { chunkSizeBytes, leafSizeBytes, sizeBytes, startOffset, wantInputHashes, wantOutputHashes } = pass;
  const reader = new PieceReader(pass.source, sizeBytes - startOffset);
  const slotSizeBytes = Math.min(chunkSizeBytes, sizeBytes - startOffset);
  const slots = Array.from({ length: SLOT_COUNT }, () => ({
    input: memoryOf(pass, slotSizeBytes),
    output: memoryOf(pass, slotSizeBytes),
  }));
  const { key } = pass.cipher;
  const wants = { key, leafSizeBytes, wantInputHashes, wantOutputHashes } as const;
  let before = pass.chain;
  let underWay: Promise<PassPiece> | undefined;
  let turn = 0;
  for (let offset = startOffset; offset < sizeBytes; offset += chunkSizeBytes) {
    const slot = slots[turn % SLOT_COUNT]!;
    turn += 1;
    const length = Math.min(chunkSizeBytes, sizeBytes - offset);
    const output = slot.output().subarray(0, length);
    const input = await chain.reading(next(reader, threads, length, slot.input));
    const done = await underWay;
    const encrypted = chain.encrypt({ ...wants, before, input, output });
    underWay = encrypted.then(({ chain: last, inputLeaves, outputLeaves }) => {
      before = last;
      return { offset, output, inputLeaves, outputLeaves };
    });
    // The generator's own `await` reports a failure; until then it must not count as unhandled.
    underWay.catch(() => undefined);
    if (done !== undefined) yield done;
    // Input that was borrowed from the source must be done with before the source is asked for more.
    if (threads.isInline) {
      yield await underWay;
      underWay = undefined;
    }
  }
  await chain.reading(reader.end());
  if (underWay !== undefined) yield await underWay;
}

/** A chain that shares the cipher with no other. */
function chainApart(threads: ReplicaThreads): EncryptionChain {
  return {
    reading: (read) => read,
    encrypt: async (chunk) => (await threads.run({ kind: 'encrypt', chunks: [chunk] }))[0]!,
    end: () => undefined,
  };
}

/** The next bytes: where they lie when the job is done at once, else in memory that threads share. */
async function next(
  reader: PieceReader,
  threads: ReplicaThreads,
  sizeBytes: number,
  memory: () => Uint8Array,
): Promise<Uint8Array> {
  if (threads.isInline) return reader.take(sizeBytes, memory);
  const target = memory().subarray(0, sizeBytes);
  await reader.fill(target);
  return target;
}

/** Memory that is borrowed when it is first wanted. */
function memoryOf({ borrow }: CipherPass, sizeBytes: number): () => Uint8Array {
  let memory: Uint8Array | undefined;
  return () => {
    memory ??= borrow(sizeBytes);
    return memory;
  };
}
