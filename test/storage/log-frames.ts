/** Segment files taken apart by hand, after docs/format/storage.md. */
export interface Frame {
  readonly start: number;
  readonly end: number;
  readonly padding: number;
  /** Ops of its batch, the head not counted. */
  readonly ops: number;
}

/** Bytes of a segment's header: where its first frame begins. */
export function headerSizeOf(segment: Uint8Array): number {
  return new DataView(segment.buffer, segment.byteOffset).getUint32(12, true);
}

/** The frames of a segment. */
export function framesOf(segment: Uint8Array): Frame[] {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  const frames: Frame[] = [];
  for (let start = headerSizeOf(segment); start < segment.length; ) {
    const size = view.getUint32(start + 4, true);
    const end = start + Math.ceil((40 + size) / 8) * 8;
    frames.push({ start, end, padding: end - start - 40 - size, ops: view.getUint32(start + 48, true) });
    start = end;
  }
  return frames;
}
