/** Lies about hand-overs, each made from the true ones: changed, cut, mixed, left out, repeated. */
import { VOTE_SIZE_BYTES } from '../../src/codec/index.ts';

type Frames = readonly Uint8Array[];

function flip(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  bytes[at] = bytes[at]! ^ mask;
  return bytes;
}
const u32 = (bytes: Uint8Array, at: number): number => Buffer.from(bytes).readUInt32LE(at);
/** Where the parts of a hand-over begin. */
const partsOf = (bytes: Uint8Array): { proof: number; list: number } => {
  const proof = 16 + u32(bytes, 4);
  return { proof, list: proof + u32(bytes, 8) };
};

/** Each changes a copy of the frames' own. */
const changed = (frames: Frames, index: number, change: (bytes: Uint8Array) => Uint8Array): Uint8Array[] =>
  frames.map((bytes, at) => {
    if (at !== index) return bytes;
    return change(Uint8Array.from(bytes));
  });
const votesOnly = (bytes: Uint8Array, keep: number): Uint8Array => {
  const count = u32(bytes, 16 + 4);
  const { proof } = partsOf(bytes);
  const short = Buffer.concat([bytes.subarray(0, proof - (count - keep) * VOTE_SIZE_BYTES), bytes.subarray(proof)]);
  short.writeUInt32LE(u32(bytes, 4) - (count - keep) * VOTE_SIZE_BYTES, 4);
  short.writeUInt32LE(keep, 20);
  return new Uint8Array(short);
};
const damaged = (bytes: Uint8Array): Uint8Array => {
  return flip(bytes, 16 + 344 + 264 - 1, 1);
};

/**
 * What a peer may say instead of the truth, and the code of the fault that it is refused with, after `hand-over-`; empty where what is left is true and enough.
 */
export const HAND_OVER_LIES: readonly (readonly [string, (frames: Frames) => Uint8Array[], string])[] = [
  [
    'a list with another weight',
    (frames) => changed(frames, 1, (bytes) => flip(bytes, partsOf(bytes).list + 32, 1)),
    'list',
  ],
  [
    'a list with another flag',
    (frames) => changed(frames, 1, (bytes) => flip(bytes, partsOf(bytes).list + 42, 4)),
    'list',
  ],
  [
    'another list that was once true',
    (frames) =>
      changed(frames, 1, (bytes) => {
        const other = frames[0]!;
        const list = other.subarray(partsOf(other).list);
        const mixed = Buffer.concat([bytes.subarray(0, partsOf(bytes).list), list]);
        mixed.writeUInt32LE(u32(other, 12), 12);
        return new Uint8Array(mixed);
      }),
    'list',
  ],
  [
    'a proof with a changed path',
    (frames) => changed(frames, 1, (bytes) => flip(bytes, partsOf(bytes).list - 1, 1)),
    'proof',
  ],
  [
    'a forged header',
    (frames) => changed(frames, 1, (bytes) => flip(bytes, partsOf(bytes).proof + 40 + 200, 1)),
    'link',
  ],
  [
    'the proof of an older state',
    (frames) =>
      changed(frames, 1, (bytes) => {
        const old = frames[0]!;
        const part = old.subarray(partsOf(old).proof, partsOf(old).list);
        const { proof, list } = partsOf(bytes);
        const mixed = Buffer.concat([bytes.subarray(0, proof), part, bytes.subarray(list)]);
        mixed.writeUInt32LE(part.length, 8);
        return new Uint8Array(mixed);
      }),
    'link',
  ],
  ['votes that are no quorum', (frames) => changed(frames, 1, (bytes) => votesOnly(bytes, 2)), 'votes'],
  [
    'nothing for one vote of five without a signature',
    (frames) => changed(frames, 1, (bytes) => bytes.fill(7, 16 + 344 + 200, 16 + 344 + 264)),
    '',
  ],
  ['nothing of three of four', (frames) => changed(frames, 0, (bytes) => votesOnly(bytes, 3)), ''],
  [
    'a wrong signature among three of four',
    (frames) => changed(frames, 0, (bytes) => damaged(votesOnly(bytes, 3))),
    'votes',
  ],
  ['one hand-over left out', (frames) => [frames[0]!, ...frames.slice(2)], 'skipped'],
  ['the first left out', (frames) => frames.slice(1).filter((_, at) => at > 0), 'skipped'],
  ['an old one again', (frames) => [frames[0]!, frames[0]!, ...frames.slice(1)], 'replayed'],
  ['an old one behind newer ones', (frames) => [...frames.slice(0, 3), frames[1]!], 'replayed'],
  ['no hand-over at all', () => [new Uint8Array(0)], 'malformed'],
  ['one with bytes behind it', (frames) => changed(frames, 1, (bytes) => new Uint8Array([...bytes, 0])), 'malformed'],
  ['sizes past the end', (frames) => changed(frames, 1, (bytes) => bytes.fill(255, 4, 8)), 'malformed'],
];
