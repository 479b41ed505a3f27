/**
 * A look at a peer's msgpack bytes before they are decoded: one value of plain kinds, whole, not deep, not long.
 *
 * Why: the decoder is more generous than we are. It takes extension types (dates, sets, typed arrays, errors, regular expressions, record
 * definitions) and nests until the stack ends. Here nothing is made of the bytes; a length is only ever compared with the bytes that are left.
 *
 * Source: msgpack specification, "Formats".
 */

/** Deepest nesting of maps and arrays any message of ours has, with room to grow. */
export const MESSAGE_DEPTH_MAX = 4;
/** Most values in one message: REPLICAS_MAX rows of seven fields are the most any message of ours has. */
export const MESSAGE_VALUES_MAX = 100_000;

/** How a first byte is followed: by `size` bytes of payload, or by a length of `lengthBytes`, counting bytes or values. */
type Head =
  | { readonly kind: 'fixed'; readonly sizeBytes: number }
  | { readonly kind: 'bytes'; readonly lengthBytes: number }
  | { readonly kind: 'values'; readonly lengthBytes: number; readonly perItem: 1 | 2 };

const HEADS: ReadonlyMap<number, Head> = new Map<number, Head>([
  ...[0xc0, 0xc2, 0xc3].map((byte): [number, Head] => [byte, { kind: 'fixed', sizeBytes: 0 }]),
  ...[1, 2, 4].map((lengthBytes, at): [number, Head] => [0xc4 + at, { kind: 'bytes', lengthBytes }]),
  ...[4, 8].map((sizeBytes, at): [number, Head] => [0xca + at, { kind: 'fixed', sizeBytes }]),
  ...[1, 2, 4, 8, 1, 2, 4, 8].map((sizeBytes, at): [number, Head] => [0xcc + at, { kind: 'fixed', sizeBytes }]),
  ...[1, 2, 4].map((lengthBytes, at): [number, Head] => [0xd9 + at, { kind: 'bytes', lengthBytes }]),
  ...[2, 4].map((lengthBytes, at): [number, Head] => [0xdc + at, { kind: 'values', lengthBytes, perItem: 1 }]),
  ...[2, 4].map((lengthBytes, at): [number, Head] => [0xde + at, { kind: 'values', lengthBytes, perItem: 2 }]),
]);

/** What is wrong with a message's bytes, or null when they are one plain value. Takes time proportional to their number; allocates nothing by them. */
export function messageFault(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  /** Values still to come at each open level. */
  const open: number[] = [1];
  let at = 0;
  for (let values = 0; open.length > 0; values += 1) {
    if (values > MESSAGE_VALUES_MAX) return `more than ${MESSAGE_VALUES_MAX} values`;
    if (at >= bytes.length) return `cut short at byte ${at}`;
    const head = scanHead(view, at);
    if (head === null) return `a value of a kind that is not used here, at byte ${at}`;
    at += head.sizeBytes;
    if (at > bytes.length || head.items > bytes.length - at) return `a length past the end, before byte ${at}`;
    open[open.length - 1]! -= 1;
    if (head.items > 0) open.push(head.items);
    if (open.length > MESSAGE_DEPTH_MAX + 1) return `nested deeper than ${MESSAGE_DEPTH_MAX}`;
    while (open.at(-1) === 0) open.pop();
  }
  return at === bytes.length ? null : `${bytes.length - at} bytes behind the value`;
}

/** The value at `at`: its own bytes, and how many values stand inside it; null for a kind we do not take. */
function scanHead(view: DataView, at: number): { sizeBytes: number; items: number } | null {
  const byte = view.getUint8(at);
  if (byte <= 0x7f || byte >= 0xe0) return { sizeBytes: 1, items: 0 };
  if (byte <= 0x8f) return { sizeBytes: 1, items: 2 * (byte & 0x0f) };
  if (byte <= 0x9f) return { sizeBytes: 1, items: byte & 0x0f };
  if (byte <= 0xbf) return { sizeBytes: 1 + (byte & 0x1f), items: 0 };
  const head = HEADS.get(byte);
  if (head === undefined) return null;
  if (head.kind === 'fixed') return { sizeBytes: 1 + head.sizeBytes, items: 0 };
  const length = lengthAt(view, at + 1, head.lengthBytes);
  const own = 1 + head.lengthBytes;
  return head.kind === 'bytes'
    ? { sizeBytes: own + length, items: 0 }
    : { sizeBytes: own, items: head.perItem * length };
}

/** A big-endian length; past the end it counts as longer than anything. */
function lengthAt(view: DataView, at: number, lengthBytes: number): number {
  if (at + lengthBytes > view.byteLength) return Number.MAX_SAFE_INTEGER;
  if (lengthBytes === 1) return view.getUint8(at);
  return lengthBytes === 2 ? view.getUint16(at) : view.getUint32(at);
}
