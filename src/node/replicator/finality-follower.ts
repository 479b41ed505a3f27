/**
 * A light client: follows the final chain by headers, trusting only genesis' validators, and those to whom they have handed over since.
 *
 * Invariants
 * - The head moves only to a header shown final: its direct child in the very next slot, and votes for that child with the head as source, from a quorum of
 *   the electorate after the head, every signature checked here (docs/protocol.md). Who that electorate is, hand-overs have shown: as many as there have been up to the head's height.
 * - Every header kept is linked by parent hashes to the head, and to the block of the newest hand-over where that is among them. Memory is bounded by `keepSlots`.
 * - The head never goes back.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import { type BlockHeader, type Certificate, decodeCertificate, decodeHeader } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/index.ts';
import { areQuorum, followsDirectly, type LedgerRules, linkVotesOf } from '../../ledger/index.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import type { HandOverWalk } from '../hand-overs/hand-over-walk.ts';
import { encodeMessage, FETCH_HEADERS_MAX, PROTOCOL } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import type { SignatureChecks } from '../signature-checks.ts';

/** A header is 336 bytes; a certificate adds its votes. */
const FINALITY_SIZE_BYTES_MAX: number = 4 * 1024 * 1024;
const HEADERS_SIZE_BYTES_MAX: number = FETCH_HEADERS_MAX * 1024;

export interface FollowerDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly signatures: SignatureChecks;
  readonly rules: LedgerRules;
  /** Where the way from genesis' electorate has come to. */
  readonly handOvers: HandOverWalk;
  /** Block 0: where the chain's headers begin. */
  readonly genesis: BlockHeader;
  /** How many slots of headers below the head to keep: what a rotation's designated hash may lie back. */
  readonly keepSlots: number;
}

/** A final header's bytes, and its certificate's. */
export type FinalityFrames = readonly [header: Uint8Array, certificate: Uint8Array];

interface ShownFinality {
  readonly final: BlockHeader;
  readonly certificate: Certificate;
  readonly frames: FinalityFrames;
}

export class FinalityFollower {
  readonly #deps: FollowerDeps;
  /** Linked headers, ascending; the last is the head. */
  #headers: BlockHeader[] = [];
  #proof: FinalityFrames | undefined;

  constructor(deps: FollowerDeps) {
    this.#deps = deps;
  }

  /** Who judges the child of the head; genesis' validators before the first update. */
  get electorate(): Electorate {
    return this.#deps.handOvers.known.electorate;
  }

  /** The newest header known to be final; undefined before the first update. */
  get head(): BlockHeader | undefined {
    return this.#headers.at(-1);
  }

  /** The frames that showed the head final: what others can be shown in turn. */
  get proof(): FinalityFrames | undefined {
    return this.#proof;
  }

  /** The header of a height, when it is kept. */
  header(height: number): BlockHeader | undefined {
    const first = this.#headers[0];
    return first === undefined ? undefined : this.#headers[height - first.height];
  }

  /** The last block's header with a slot of at most `slot`, when it is certain: undefined when the head or the kept headers do not reach there. */
  lastUpTo(slot: number): BlockHeader | undefined {
    if (this.head === undefined || this.head.slot < slot) return undefined;
    return this.#headers.findLast((header) => header.slot <= slot);
  }

  /** Asks a peer for its latest final block and moves the head there. Throws `PeerFault` when what it says does not hold. */
  async update(peer: PeerName): Promise<void> {
    const proof = await this.#fetchFinality(peer);
    if (proof === undefined || proof.final.height <= (this.head?.height ?? -1)) return;
    const { handOvers } = this.#deps;
    // Hand-overs after finality: all there are up to it are durable before it is told.
    await handOvers.follow(peer, proof.final.height);
    // A block that is final already, shown by somebody who is behind: those who judged it then may not judge any more.
    if (proof.final.height < handOvers.known.block.height) return;
    await this.#checkFinality(peer, proof.final, proof.certificate);
    const from = this.head === undefined ? proof.final.height - this.#deps.keepSlots : this.head.height + 1;
    const linked = await this.#fetchLinked(peer, from, proof.final);
    this.#append(peer, linked);
    this.#proof = proof.frames;
  }

  async #fetchFinality(peer: PeerName): Promise<ShownFinality | undefined> {
    const frames = await this.#frames(peer, PROTOCOL.finality, {}, 2, FINALITY_SIZE_BYTES_MAX);
    if (frames.length === 0) return undefined;
    const [final, certificate] = frames;
    if (final === undefined || certificate === undefined)
      throw new PeerFault(peer, 'malformed-finality', 'finality is two frames: header, certificate');
    return decoded(peer, () => ({
      final: decodeHeader(this.#deps.kernels, final),
      certificate: decodeCertificate(this.#deps.kernels, certificate),
      frames: [final, certificate],
    }));
  }

  async #checkFinality(peer: PeerName, final: BlockHeader, certificate: Certificate): Promise<void> {
    const { rules, signatures } = this.#deps;
    const { votes } = certificate;
    const fault = (why: string): PeerFault => new PeerFault(peer, 'bad-finality', why);
    if (!sameBytes(final.chainId, rules.chainId)) throw fault('the header is of another chain');
    if (!followsDirectly(final, certificate)) throw fault('the child does not follow in the very next slot');
    const counting = linkVotesOf(final, certificate);
    const verdicts = await signatures.votes(counting);
    const signed = counting.filter((_, index) => verdicts[index]);
    if (areQuorum(this.electorate, signed)) return;
    if (signed.length < votes.length) throw fault('votes that are no quorum, and some that do not count');
    // Good votes may be a quorum of an electorate that this peer itself has not been handed over to yet (hand-over-repair.ts).
    throw new TransportError('refused', 'finality by votes that are no quorum of any electorate handed over to here');
  }

  /** Headers `from` (genesis at the lowest) .. final, each the parent of the next, the last the final one itself. */
  async #fetchLinked(peer: PeerName, from: number, final: BlockHeader): Promise<BlockHeader[]> {
    const headers: BlockHeader[] = from <= 0 ? [this.#deps.genesis] : [];
    const first = Math.max(0, from);
    while (first + headers.length < final.height) {
      const next = first + headers.length;
      const countMax = Math.min(FETCH_HEADERS_MAX, final.height - next);
      const request = { from: next, countMax };
      const frames = await this.#frames(peer, PROTOCOL.headers, request, countMax, HEADERS_SIZE_BYTES_MAX);
      if (frames.length === 0) throw new TransportError('closed', `the peer holds no header of height ${next}`);
      for (const frame of frames) headers.push(decoded(peer, () => decodeHeader(this.#deps.kernels, frame)));
    }
    headers.push(final);
    for (let index = 1; index < headers.length; index += 1)
      if (!sameBytes(headers[index]!.parentHash, headers[index - 1]!.hash))
        throw new PeerFault(peer, 'broken-headers', `header ${headers[index]!.height} does not follow the one before`);
    return headers;
  }

  #append(peer: PeerName, linked: readonly BlockHeader[]): void {
    const { head } = this;
    const { block } = this.#deps.handOvers.known;
    const handed = linked.find(({ height }) => height === block.height) ?? this.header(block.height);
    if (handed !== undefined && !sameBytes(handed.hash, block.hash))
      throw new PeerFault(
        peer,
        'conflicting-finality',
        `a final chain without the hand-over at height ${block.height}`,
      );
    if (head !== undefined && !sameBytes(linked[0]!.parentHash, head.hash))
      throw new PeerFault(peer, 'conflicting-finality', `a final chain that leaves ours at height ${head.height}`);
    this.#headers.push(...linked);
    const oldest = this.head!.slot - this.#deps.keepSlots;
    const cut = this.#headers.findIndex(({ slot }) => slot >= oldest);
    // One header before the oldest slot kept stays: it is the last one up to that slot.
    if (cut > 1) this.#headers.splice(0, cut - 1);
  }

  async #frames(
    peer: PeerName,
    protocol: string,
    message: Record<string, unknown>,
    framesMax: number,
    sizeBytesMax: number,
  ): Promise<Uint8Array[]> {
    const frames: Uint8Array[] = [];
    const question = { protocol, request: encodeMessage(message), framesMax, sizeBytesMax };
    for await (const frame of ask(this.#deps.transport, peer, question)) frames.push(frame);
    return frames;
  }
}

function decoded<T>(peer: PeerName, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new PeerFault(peer, 'malformed-header', (error as Error).message);
  }
}
