/**
 * The requests nodes make of each other over streams: names, shapes, maxima. Requests and small answers are msgpack maps, checked field by
 * field; blocks, headers, batches and segments travel as raw frames in the formats of docs/format/.
 *
 * Invariants
 * - Nothing of a peer's message is used before `decode*` accepted it; a refusal is a `PeerFault` that names protocol and field.
 * - Each answer is bounded by a maximum named here, on the side that serves and on the side that asks.
 */
import { Packr } from 'msgpackr';
import { z } from 'zod';
import { SEATS_MAX, VALIDATION_ENTRIES_MAX } from '../codec/market-model.ts';
import { PeerFault, type PeerName } from '../net/transport.ts';
import { messageFault } from './message-scan.ts';

export const PROTOCOL = {
  /** Push of one new block: request = block bytes, no answer. */
  blocks: '/cairn/blocks/1',
  /** One block by hash: its bytes, then its certificate's votes (empty when there is none). */
  block: '/cairn/block/1',
  /** Blocks of the peer's best chain, ascending from a height: for each its bytes, then its certificate's votes. */
  range: '/cairn/range/1',
  /** Transactions for the leader: request = frames of u16 length || bytes; answer = one byte each (0 accepted). */
  submit: '/cairn/submit/1',
  /** Who is where: both sides' finalized and best blocks. */
  status: '/cairn/status/1',
  /** Proof of the latest final block: its header, its child's header, the votes for the child. */
  finality: '/cairn/finality/1',
  /** Hand-overs from one electorate to the next, ascending, from an epoch on; a frame each. */
  handOvers: '/cairn/hand-overs/1',
  /** Headers of the final chain, ascending. */
  headers: '/cairn/headers/1',
  /** Blocks of the final chain, descending from a height. */
  backfill: '/cairn/backfill/1',
  /** The manifest of the state after a height, and the piece that proves its first op; or that it is not kept any more. */
  stateManifest: '/cairn/state-manifest/1',
  /** Ops of the log in a row, with their proof; one frame, or none when they are not kept. */
  statePiece: '/cairn/state-piece/1',
  /** Roots of completed segments; one frame. */
  segmentRoots: '/cairn/segment-roots/1',
  /** One completed segment from a byte on, in frames; no frames when it is not kept. Replicators answer out of their replicas. */
  segment: '/cairn/segment/1',
  /** The replicas an identity holds, as the ledger records them. */
  replicas: '/cairn/replicas/1',
  /** How many proven replicas each segment has, as the ledger records them; one frame. */
  standings: '/cairn/standings/1',
  /** Proofs of a period on which too few validators have spoken yet; one frame. */
  pendingProofs: '/cairn/pending-proofs/1',
  /** Validator -> replicator: the openings behind a proof, in frames; no frames when they are not held. */
  opening: '/cairn/opening/1',
  /** Anybody -> validator: its sealed findings on proofs of a period; no frame when it has nothing to say yet. */
  validations: '/cairn/validations/2',
  /** Anybody -> validator: the secret that opens its findings of a period; no frame while others may still seal theirs. */
  findingsSecret: '/cairn/findings-secret/1',
} as const;

/** Most blocks in one answer. */
export const FETCH_BLOCKS_MAX = 128;
/** Most bytes of blocks in one answer; one block may pass it alone. */
export const FETCH_SIZE_BYTES_MAX: number = 16 * 1024 * 1024;
/** Most headers in one answer. */
export const FETCH_HEADERS_MAX = 1024;
/** Most hand-overs in one answer, and their bytes. */
export const HAND_OVERS_MAX = 64;
export const HAND_OVERS_SIZE_BYTES_MAX: number = 8 * 1024 * 1024;
/** Most transactions in one submission. */
export const SUBMIT_TRANSACTIONS_MAX = 512;
/** Most segment roots in one answer (32 bytes each). */
export const SEGMENT_ROOTS_MAX = 262_144;
/** How long a peer may stay silent in the middle of an answer. */
export const IDLE_TIMEOUT_MS = 5_000;

const hashBytes = z.instanceof(Uint8Array).refine((bytes) => bytes.length === 32, 'must be 32 bytes');
const signatureBytes = z.instanceof(Uint8Array).refine((bytes) => bytes.length === 64, 'must be 64 bytes');
const addressBytes = z.instanceof(Uint8Array).refine((bytes) => bytes.length === 20, 'must be 20 bytes');
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const u32 = z.number().int().min(0).max(0xffff_ffff);
const findingBits = z.instanceof(Uint8Array).refine((bytes) => bytes.length <= VALIDATION_ENTRIES_MAX / 8, 'too long');
const seatNumber = z
  .number()
  .int()
  .min(0)
  .max(SEATS_MAX - 1);
/** Names one replica. */
export interface ReplicaEntry {
  readonly segment: number;
  /** 20 bytes. */
  readonly identity: Uint8Array;
}
const replicaEntry: z.ZodType<ReplicaEntry> = z.strictObject({ segment: u32, identity: addressBytes });

/** Who a peer is and how far it has come: claims, never proofs. */
export interface StatusMessage {
  readonly chainId: Uint8Array;
  readonly role: 'validator' | 'archive' | 'replicator';
  /** First block of its history: 1 when it keeps everything. */
  readonly startHeight: number;
  readonly finalizedHeight: number;
  readonly bestHeight: number;
  /** Ledger key (32 bytes), JSON-RPC address and package version, where there are any. */
  readonly publicKey: Uint8Array | null;
  /** Signature of `peerKeyMessage` by that key (64 bytes): who claims a validator's key must hold it. */
  readonly keyProof: Uint8Array | null;
  readonly rpc: string | null;
  readonly version: string;
}
export const StatusMessage: z.ZodType<StatusMessage> = z.strictObject({
  chainId: hashBytes,
  role: z.enum(['validator', 'archive', 'replicator']),
  startHeight: count,
  finalizedHeight: count,
  bestHeight: count,
  publicKey: hashBytes.nullable(),
  keyProof: signatureBytes.nullable(),
  rpc: z.string().max(256).nullable(),
  version: z.string().max(32),
});

/** What a ledger key signs to say that it belongs to a peer: tag || chain id || the peer's name. */
export function peerKeyMessage(chainId: Uint8Array, peer: PeerName): Uint8Array {
  return Buffer.concat([Buffer.from('cairn/peer/1'), chainId, Buffer.from(peer)]);
}

/** One block by its hash (32 bytes). */
export const HashRequest: z.ZodType<{ readonly hash: Uint8Array }> = z.strictObject({ hash: hashBytes });
/** `countMax` items from a height or index on. */
export const RangeRequest: z.ZodType<{ readonly from: number; readonly countMax: number }> = z.strictObject({
  from: count,
  countMax: count,
});
/** Hand-overs to electorates that began in this epoch or later. */
export const HandOversRequest: z.ZodType<{ readonly fromEpoch: number }> = z.strictObject({ fromEpoch: u32 });
/** The state after a block. */
export const HeightRequest: z.ZodType<{ readonly height: number }> = z.strictObject({ height: count });
/** Ops `from` .. `to` (excluded) as leaves of the tree of the first `size` ops. */
export const PieceRequest: z.ZodType<{ readonly size: number; readonly from: number; readonly to: number }> =
  z.strictObject({ size: count, from: count, to: count });
/** Most bytes of a manifest's message. */
export const MANIFEST_SIZE_BYTES_MAX = 1024;

/** What a peer says of the state after a height: a claim until its roots are hashed. `pruned`: the heights it could serve instead. */
export type ManifestAnswer =
  | {
      readonly kind: 'manifest';
      readonly opsRoot: Uint8Array;
      readonly activityRoot: Uint8Array;
      readonly opCount: number;
      readonly floor: number;
      readonly firstOp: number;
    }
  | { readonly kind: 'pruned'; readonly first: number; readonly last: number };
export const ManifestAnswer: z.ZodType<ManifestAnswer> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('manifest'),
    opsRoot: hashBytes,
    activityRoot: hashBytes,
    opCount: count,
    floor: count,
    firstOp: count,
  }),
  z.strictObject({ kind: z.literal('pruned'), first: count, last: count }),
]);

/** One completed segment, from a byte on. */
export const SegmentRequest: z.ZodType<{ readonly index: number; readonly offset: number }> = z.strictObject({
  index: z.number().int().min(0).max(0xffff_ffff),
  offset: count.default(0),
});
/** Ledger records of one identity (20-byte address). */
export const ReplicasRequest: z.ZodType<{ readonly identity: Uint8Array }> = z.strictObject({ identity: addressBytes });
/** The openings behind one proof. */
export const OpeningRequest: z.ZodType<{ readonly segment: number; readonly period: number }> = z.strictObject({
  segment: u32,
  period: u32,
});
/** Frames of openings, and the most bytes of them all. */
export const OPENING_FRAME_SIZE_BYTES: number = 1024 * 1024;
/** Proofs of one period. */
export const PendingProofsRequest: z.ZodType<{ readonly period: number }> = z.strictObject({ period: u32 });
/** Findings on entries ascending by segment, then identity. */
export const ValidationsRequest: z.ZodType<{
  readonly period: number;
  readonly entries: readonly ReplicaEntry[];
}> = z.strictObject({ period: u32, entries: z.array(replicaEntry).min(1).max(VALIDATION_ENTRIES_MAX) });
/** As in a validation packet: docs/format/packets.md. */
export interface ValidationsAnswer {
  readonly seat: number;
  readonly seal: Uint8Array;
  readonly spoken: Uint8Array;
  readonly sealed: Uint8Array;
  readonly signature: Uint8Array;
}
export const ValidationsAnswer: z.ZodType<ValidationsAnswer> = z.strictObject({
  seat: seatNumber,
  seal: hashBytes,
  spoken: findingBits,
  sealed: findingBits,
  signature: signatureBytes,
});
export const FindingsSecretRequest: z.ZodType<{ readonly period: number }> = z.strictObject({ period: u32 });
/** As in an `unseal`: docs/format/packets.md. */
export interface FindingsSecretAnswer {
  readonly seat: number;
  readonly secret: Uint8Array;
}
export const FindingsSecretAnswer: z.ZodType<FindingsSecretAnswer> = z.strictObject({
  seat: seatNumber,
  secret: hashBytes,
});
export interface PendingProofsAnswer {
  readonly entries: readonly ReplicaEntry[];
}
export const PendingProofsAnswer: z.ZodType<PendingProofsAnswer> = z.strictObject({
  entries: z.array(replicaEntry).max(VALIDATION_ENTRIES_MAX),
});

/** How one segment stands: a claim that only decides what a replicator keeps. */
export interface StandingRow {
  readonly segment: number;
  /** Replicas proven now, and all that are committed. */
  readonly proven: number;
  readonly replicas: number;
}
export interface StandingsAnswer {
  /** Slot of the final block whose state was read. */
  readonly slot: number;
  /** How many identities are paid for a segment. */
  readonly target: number;
  /** Registered identities. */
  readonly identities: number;
  readonly standings: readonly StandingRow[];
}
/** Most rows in one answer. */
export const STANDINGS_MAX = 8_192;
export const StandingsAnswer: z.ZodType<StandingsAnswer> = z.strictObject({
  slot: count,
  target: count,
  identities: count,
  standings: z.array(z.strictObject({ segment: u32, proven: count, replicas: count })).max(STANDINGS_MAX),
});
export const EmptyRequest: z.ZodType<Record<string, never>> = z.strictObject({});

/** What the ledger records of one replica, for its own operator. */
export interface ReplicaStatus {
  readonly segment: number;
  readonly rotation: number;
  /** Slot of the block that holds the commit. */
  readonly commitSlot: number;
  /** -1 before the first proof. */
  readonly lastPeriod: number;
  readonly proof: 'none' | 'pending' | 'accepted' | 'rejected' | 'revealed';
  readonly accepted: number;
  readonly rejected: number;
  readonly expired: number;
  /** Why its last rejected proof was. */
  readonly reason: string;
  /** Rewards paid so far. */
  readonly paid: number;
  /** Periods missed in a row. */
  readonly misses: number;
}
export interface ReplicasAnswer {
  /** Slot of the final block whose state was read. */
  readonly slot: number;
  readonly registered: boolean;
  /** Whether it has unregistered and only waits for its deposit. */
  readonly leaving: boolean;
  /** Decimal: msgpack integers of other languages do not all hold 64 bits. */
  readonly balance: string;
  /** Held as deposit, and rewards that are locked; decimal. */
  readonly deposit: string;
  readonly locked: string;
  /** Proofs accepted and fakes revealed. */
  readonly accepted: number;
  readonly fakes: number;
  readonly replicas: readonly ReplicaStatus[];
}
/** Most replicas in one answer. */
export const REPLICAS_MAX = 4096;
const decimal = z.string().regex(/^\d{1,20}$/);
export const ReplicasAnswer: z.ZodType<ReplicasAnswer> = z.strictObject({
  slot: count,
  registered: z.boolean(),
  leaving: z.boolean(),
  balance: decimal,
  deposit: decimal,
  locked: decimal,
  accepted: count,
  fakes: count,
  replicas: z
    .array(
      z.strictObject({
        segment: count,
        rotation: count,
        commitSlot: count,
        lastPeriod: z.number().int().min(-1),
        proof: z.enum(['none', 'pending', 'accepted', 'rejected', 'revealed']),
        accepted: count,
        rejected: count,
        expired: count,
        reason: z.string().max(32),
        paid: count,
        misses: count,
      }),
    )
    .max(REPLICAS_MAX),
});

// Plain maps, no shared structures: what any msgpack library reads.
const packr = new Packr({ useRecords: false });

/** Encodes a request or answer. */
export function encodeMessage(message: Record<string, unknown>): Uint8Array {
  return packr.pack(message);
}

/** Decodes and checks a peer's message. Throws `PeerFault` naming the field. */
export function decodeMessage<T>(schema: z.ZodType<T>, bytes: Uint8Array, peer: PeerName, protocol: string): T {
  const fault = messageFault(bytes);
  if (fault !== null) throw new PeerFault(peer, 'malformed-message', `${protocol}: ${fault}`);
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch {
    throw new PeerFault(peer, 'malformed-message', `${protocol}: not a msgpack value`);
  }
  const checked = schema.safeParse(normalized(value));
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  throw new PeerFault(peer, 'malformed-message', `${protocol}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
}

/** msgpackr hands out Node Buffers, whose `slice` does not copy; what goes on are plain views and plain objects. */
function normalized(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value.buffer, value.byteOffset, value.length);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(normalized);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normalized(inner)]));
}
