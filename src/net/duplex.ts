/**
 * The smallest port under the transports: one stream of bytes each way between two peers. Adapters: a libp2p stream, an in-memory pair.
 * Framing, limits and timeouts stand above it (frames.ts, exchange.ts) and are the same for both.
 */
export interface Duplex {
  /**
   * The next bytes (at least one), or null once the peer has ended its side in order. Rejects with `TransportError` `closed` when the stream
   * was reset or its connection went away. One read at a time. Unread bytes are bounded: a reader that stops reading stops the sender.
   */
  read(): Promise<Uint8Array | null>;
  /** Sends the chunks in order; resolves when more may be sent. Rejects with `closed`. The bytes must not change afterwards. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Ends this side in order; the peer's side stays readable. */
  end(): Promise<void>;
  /** Resets both sides at once. Idempotent, also after the stream has ended. */
  abort(reason: string): void;
}
