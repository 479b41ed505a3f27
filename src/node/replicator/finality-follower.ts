/**
 * A light client: follows the final chain by headers, trusting only genesis' validators: as long as more than 2/3 of their bonds vote, whoever else does.
 * Once fewer of them do, it stands still and says so.
 *
 * Invariants
 * - The head moves only to a header shown final: its direct child in the very next slot, and votes for that child with the head as source, from more
 *   than 2/3 of the bonds, every signature checked here (docs/protocol.md).
 * - Every header kept is linked by parent hashes to the head. Memory is bounded by `keepSlots`.
 * - The head never goes back.
 */
import { byteKey, type Kernels, sameBytes } from '../../../native/index.ts';
import { type BlockHeader, type Certificate, decodeCertificate, decodeHeader } from '../../codec/index.ts';
import type { LedgerRules } from '../../ledger/index.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
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
  /** Block 0: where the chain's headers begin. */
  readonly genesis: BlockHeader;
  /** How many slots of headers below the head to keep: what a rotation's designated hash may lie back. */
  readonly keepSlots: number;
}

export class FinalityFollower {
  readonly #deps: FollowerDeps;
  /** Linked headers, ascending; the last is the head. */
  #headers: BlockHeader[] = [];

  constructor(deps: FollowerDeps) {
    this.#deps = deps;
  }

  /** The newest header known to be final; undefined before the first update. */
  get head(): BlockHeader | undefined {
    return this.#headers.at(-1);
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
    await this.#checkFinality(peer, proof.final, proof.certificate);
    const from = this.head === undefined ? proof.final.height - this.#deps.keepSlots : this.head.height + 1;
    const linked = await this.#fetchLinked(peer, from, proof.final);
    this.#append(peer, linked);
  }

  async #fetchFinality(peer: PeerName): Promise<{ final: BlockHeader; certificate: Certificate } | undefined> {
    const frames = await this.#frames(peer, PROTOCOL.finality, {}, 2, FINALITY_SIZE_BYTES_MAX);
    if (frames.length === 0) return undefined;
    const [final, certificate] = frames;
    if (final === undefined || certificate === undefined)
      throw new PeerFault(peer, 'malformed-finality', 'finality is two frames: header, certificate');
    return decoded(peer, () => ({
      final: decodeHeader(this.#deps.kernels, final),
      certificate: decodeCertificate(this.#deps.kernels, certificate),
    }));
  }

  async #checkFinality(peer: PeerName, final: BlockHeader, { header: child, votes }: Certificate): Promise<void> {
    const { rules, signatures } = this.#deps;
    const fault = (why: string): PeerFault => new PeerFault(peer, 'bad-finality', why);
    if (!sameBytes(final.chainId, rules.chainId)) throw fault('the header is of another chain');
    if (!sameBytes(child.parentHash, final.hash) || child.slot !== final.slot + 1)
      throw fault('the child does not follow in the very next slot');
    const counting = votes.filter(
      (vote) =>
        sameBytes(vote.targetHash, child.hash) &&
        vote.targetSlot === child.slot &&
        sameBytes(vote.sourceHash, final.hash) &&
        vote.sourceSlot === final.slot,
    );
    const verdicts = await signatures.votes(counting);
    const voters = new Map(counting.filter((_, at) => verdicts[at]).map(({ voter }) => [byteKey(voter), voter]));
    const indexes = [...voters.values()].map((voter) => rules.validators.indexOf(voter));
    const bond = indexes.reduce((sum, at) => sum + (rules.validators.members[at]?.bond ?? 0n), 0n);
    if (bond * 3n > rules.validators.totalBond * 2n) return;
    if (voters.size < votes.length) throw fault('votes of no more than 2/3 of the bonds, and some that do not count');
    // Good votes may well be a quorum of today's validators: nobody is blamed for what this follower cannot judge.
    throw new TransportError(
      'refused',
      "finality is shown by no more than 2/3 of genesis' bonds: the validators have changed since, which this follower cannot check",
    );
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
    const head = this.head;
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
