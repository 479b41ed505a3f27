/**
 * Sizes of a yamux stream's windows, shared by node creation and the stream adapter because one must fit the other.
 *
 * A paused reader's peer may still send one whole window; it lands in the stream's read buffer, which is therefore larger.
 */

/** Yamux's first window, fixed by its specification. */
export const STREAM_WINDOW_SIZE_BYTES: number = 256 * 1024;
/** Keeps a loopback stream busy, and bounds what a paused stream holds. */
export const STREAM_WINDOW_SIZE_BYTES_MAX: number = 1024 * 1024;
export const STREAM_READ_BUFFER_BYTES: number = 2 * STREAM_WINDOW_SIZE_BYTES_MAX;
/** Queued bytes at which a reader pauses its stream, and at which it resumes. */
export const READ_HIGH_BYTES: number = 512 * 1024;
export const READ_LOW_BYTES: number = 128 * 1024;
