/**
 * The two questions of a state sync, each with its whole bound: a manifest, a piece. What comes back is proven, or the peer's fault.
 *
 * Invariant: an answer takes at most `ANSWER_MS_MAX`, whatever the peer does meanwhile. For a whole piece that is the rate below which a
 * peer is of no use; nobody gets more time for having been slow before.
 */
import {
  type CheckedManifest,
  checkManifest,
  type ManifestCheck,
  type OpSpan,
  type OpsTree,
  PIECE_FRAME_SIZE_BYTES_MAX,
  type Piece,
  readPiece,
  requireWhole,
} from '../../../storage/index.ts';
import type { Timers } from '../../net/timers.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import { decodeMessage, encodeMessage, MANIFEST_SIZE_BYTES_MAX, ManifestAnswer, PROTOCOL } from '../protocols.ts';

/** Longest time for an answer: 52 KiB/s for a whole piece of accounts. */
export const ANSWER_MS_MAX = 20_000;

export interface StateQuestions {
  readonly transport: Transport;
  readonly timers: Timers;
  readonly check: ManifestCheck;
}

/** A checked manifest, or the heights that the peer could serve instead. */
export type ManifestFound = CheckedManifest | { readonly pruned: { readonly first: number; readonly last: number } };

/** Asks for the manifest of the target. Throws `PeerFault`, `SyncFault`, `TransportError`. */
export async function fetchManifest(questions: StateQuestions, peer: PeerName): Promise<ManifestFound> {
  const request = encodeMessage({ height: questions.check.target.height });
  const sizeBytesMax = MANIFEST_SIZE_BYTES_MAX + PIECE_FRAME_SIZE_BYTES_MAX;
  const question = { protocol: PROTOCOL.stateManifest, request, framesMax: 2, sizeBytesMax };
  const [message, start] = await answer(questions, peer, question);
  if (message === undefined) throw new PeerFault(peer, 'no-manifest', 'an empty answer for a manifest');
  if (message.length > MANIFEST_SIZE_BYTES_MAX)
    throw new PeerFault(peer, 'malformed-message', `a manifest of ${message.length} bytes`);
  const said = decodeMessage(ManifestAnswer, message, peer, PROTOCOL.stateManifest);
  if (said.kind === 'pruned') return { pruned: { first: said.first, last: said.last } };
  if (start === undefined) throw new PeerFault(peer, 'no-start', 'a manifest without its first op');
  const { opsRoot, activityRoot, opCount, floor, firstOp } = said;
  return checkManifest(questions.check, { opsRoot, activityRoot, opCount, floor, firstOp }, start);
}

/** What a piece was asked for, and by whom it can be given up. */
export interface PieceQuestion {
  readonly tree: OpsTree;
  readonly span: OpSpan;
  readonly signal: AbortSignal;
}

/** Asks for ops of the log. Throws `PeerFault`, `SyncFault`, `TransportError` ('not-found' as 'refused': the peer does not keep them). */
export async function fetchPiece(questions: StateQuestions, peer: PeerName, wanted: PieceQuestion): Promise<Piece> {
  const { tree, span, signal } = wanted;
  const request = encodeMessage({ size: tree.opCount, from: span.from, to: span.to });
  const question = { protocol: PROTOCOL.statePiece, request, framesMax: 1, sizeBytesMax: PIECE_FRAME_SIZE_BYTES_MAX };
  const [frame] = await answer(questions, peer, { ...question, signal });
  if (frame === undefined) throw new TransportError('refused', `ops from ${span.from} on are not kept by ${peer}`);
  const piece = readPiece(questions.check.kernels, frame, span.from, tree);
  requireWhole(piece, span.to);
  return piece;
}

interface BoundedQuestion {
  readonly protocol: string;
  readonly request: Uint8Array;
  readonly framesMax: number;
  readonly sizeBytesMax: number;
  readonly signal?: AbortSignal;
}

/** A whole answer within the time it may take. */
async function answer(
  { transport, timers }: StateQuestions,
  peer: PeerName,
  { protocol, request, framesMax, sizeBytesMax, signal }: BoundedQuestion,
): Promise<Uint8Array[]> {
  const late = new AbortController();
  const giveUp = (): void => late.abort();
  const cancel = timers.after(ANSWER_MS_MAX, giveUp);
  signal?.addEventListener('abort', giveUp);
  try {
    const options = { idleTimeoutMs: ANSWER_MS_MAX, responseSizeBytesMax: sizeBytesMax, signal: late.signal };
    const frames: Uint8Array[] = [];
    for await (const frame of transport.request(peer, protocol, request, options)) {
      if (frames.length === framesMax)
        throw new PeerFault(peer, 'too-many-frames', `${protocol}: more than ${framesMax} frames in an answer`);
      frames.push(frame);
    }
    return frames;
  } catch (error) {
    const isLate = error instanceof TransportError && error.code === 'aborted' && signal?.aborted !== true;
    throw isLate ? new TransportError('timeout', `${protocol}: no whole answer in ${ANSWER_MS_MAX} ms`) : error;
  } finally {
    cancel();
    signal?.removeEventListener('abort', giveUp);
  }
}
