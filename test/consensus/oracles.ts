/**
 * What must hold in every run, checked from outside the machine and without its code: every vote ever signed and every block
 * made is known here, whoever saw it.
 *
 * - One finalized block per height, over all honest nodes, each on the one before.
 * - A finalized block carries a certificate: votes of more than 2/3 of the bonds from it to its child in the very next slot,
 *   and the block itself is justified by the votes signed so far, worked out afresh here.
 * - No honest validator signs a double or surrounding vote, or two headers for a slot.
 * - No honest node blames an honest peer.
 */
import { byteKey, type Hash } from '../../native/index.ts';
import type { BlockHeader, Certificate, Vote } from '../../src/codec/model.ts';
import type { ChainModel } from './chain-model.ts';
import { isQuorumFor } from './chain-model.ts';
import { GENESIS } from './fixture.ts';

const numberOf = (key: Uint8Array): number => 255 - key[0]!;

function hasSlashablePair(votes: readonly Vote[]): boolean {
  return votes.some((a) =>
    votes.some((b) => {
      const isDouble = a.targetSlot === b.targetSlot && byteKey(a.targetHash) !== byteKey(b.targetHash);
      return isDouble || (a.sourceSlot < b.sourceSlot && b.targetSlot < a.targetSlot);
    }),
  );
}

export class OracleError extends Error {
  override readonly name = 'OracleError';
}

export class Oracles {
  readonly #model: ChainModel;
  readonly #maySplit: 'exposed' | 'freely' | null;
  readonly #decoys = new Set<string>();
  /** Blocks finalized against the first one at their height: finality has split. */
  readonly splits: BlockHeader[] = [];
  readonly #headers = new Map<string, BlockHeader>([[byteKey(GENESIS.hash), GENESIS]]);
  readonly #votesFor = new Map<string, { rank: number; vote: Vote }[]>();
  readonly #signed: Vote[][];
  readonly #signedSlots: Map<number, string>[];
  readonly #justified = new Map<string, boolean>([[byteKey(GENESIS.hash), true]]);
  readonly #final: BlockHeader[] = [GENESIS];

  constructor(model: ChainModel, validatorCount: number, maySplit: 'exposed' | 'freely' | null) {
    this.#model = model;
    this.#maySplit = maySplit;
    this.#signed = Array.from({ length: validatorCount }, () => []);
    this.#signedSlots = Array.from({ length: validatorCount }, () => new Map());
  }

  isDecoy(header: BlockHeader): boolean {
    return this.#decoys.has(byteKey(header.hash));
  }

  /** Height of the highest block any honest node has finalized. */
  get finalHeight(): number {
    return this.#final.length - 1;
  }

  headerMade(header: BlockHeader, rank: number, honest: boolean, isDecoy = false): void {
    if (isDecoy) this.#decoys.add(byteKey(header.hash));
    this.#headers.set(byteKey(header.hash), header);
    const earlier = this.#signedSlots[rank]!.get(header.slot);
    if (honest && earlier !== undefined && earlier !== byteKey(header.hash))
      throw new OracleError(`honest validator ${rank} signed two headers for slot ${header.slot}`);
    this.#signedSlots[rank]!.set(header.slot, byteKey(header.hash));
  }

  voteSigned(vote: Vote, honest: boolean): void {
    const rank = numberOf(vote.voter);
    if (honest && this.#decoys.has(byteKey(vote.targetHash)))
      throw new OracleError(`honest validator ${rank} voted for a decoy`);
    if (honest) for (const other of this.#signed[rank]!) checkPair(rank, other, vote);
    this.#signed[rank]!.push(vote);
    const key = byteKey(vote.targetHash);
    const votes = this.#votesFor.get(key);
    if (votes === undefined) this.#votesFor.set(key, [{ rank, vote }]);
    else votes.push({ rank, vote });
  }

  finalized(headers: readonly BlockHeader[], certificate: Certificate): void {
    for (const header of headers) {
      const known = this.#final[header.height];
      const isOther = known !== undefined && byteKey(known.hash) !== byteKey(header.hash);
      if (this.#maySplit !== null && (isOther || this.#isSplit(header.parentHash))) {
        if (isOther && this.#maySplit === 'exposed') this.#checkExposed(known, header);
        this.splits.push(header);
        continue;
      }
      if (isOther)
        throw new OracleError(
          `two finalized blocks at height ${header.height}: slots ${known.slot} and ${header.slot}`,
        );
      const below = this.#final[header.height - 1];
      if (below === undefined || byteKey(below.hash) !== byteKey(header.parentHash))
        throw new OracleError(`finalized block at height ${header.height} does not stand on the one before`);
      this.#final[header.height] = header;
    }
    if (this.#isSplit(headers[headers.length - 1]!.hash)) return;
    this.#checkCertificate(headers[headers.length - 1]!, certificate);
  }

  #isSplit(hash: Hash): boolean {
    return this.splits.some((header) => byteKey(header.hash) === byteKey(hash));
  }

  #checkCertificate(last: BlockHeader, { header, votes }: Certificate): void {
    const where = `certificate for slot ${last.slot}`;
    if (byteKey(header.parentHash) !== byteKey(last.hash)) throw new OracleError(`${where}: not about a child`);
    if (header.slot !== last.slot + 1)
      throw new OracleError(`${where}: child in slot ${header.slot}, not the next one`);
    const ranks = new Set<number>();
    for (const vote of votes) {
      const linked =
        byteKey(vote.sourceHash) === byteKey(last.hash) && byteKey(vote.targetHash) === byteKey(header.hash);
      if (!linked) throw new OracleError(`${where}: a vote for another link`);
      ranks.add(numberOf(vote.voter));
    }
    if (!isQuorumFor(this.#model.judgeOf(header), ranks))
      throw new OracleError(`${where}: only voters ${[...ranks].join(', ')}`);
    if (!this.#isJustified(last)) throw new OracleError(`${where}: the block is not justified by the votes signed`);
  }

  /** Two final blocks at one height: more than 1/3 of the current set where the branches part has broken the rules in public. */
  #checkExposed(a: BlockHeader, b: BlockHeader): void {
    const cheats = new Set(this.#signed.flatMap((votes, rank) => (hasSlashablePair(votes) ? [rank] : [])));
    const { members } = this.#model.stateOf(byteKey(this.#lastCommon(a, b).hash)).electorate;
    const set = members.filter(({ inCurrent }) => inCurrent);
    const weightOf = (some: typeof set): bigint => some.reduce((sum, { weight }) => sum + weight, 0n);
    const exposed = weightOf(set.filter(({ seat }) => cheats.has(seat)));
    if (3n * exposed > weightOf(set)) return;
    const names = [...cheats].join(', ');
    throw new OracleError(`two finalized blocks at height ${a.height}, but only validators ${names} exposed`);
  }

  /** Where the branches of two blocks of one height part. */
  #lastCommon(a: BlockHeader, b: BlockHeader): BlockHeader {
    let [one, other] = [a, b];
    while (byteKey(one.hash) !== byteKey(other.hash)) {
      one = this.#headers.get(byteKey(one.parentHash))!;
      other = this.#headers.get(byteKey(other.parentHash))!;
    }
    return one;
  }

  /** Somebody holds votes said to show that finality has split. */
  conflictSeen(votes: readonly Vote[]): void {
    if (this.#maySplit === null)
      throw new OracleError(`conflict reported: ${votes.length} votes for slot ${votes[0]!.targetSlot}`);
  }

  /** Only a positive finding is kept: more votes may come. */
  #isJustified(header: BlockHeader): boolean {
    const key = byteKey(header.hash);
    if (this.#justified.get(key) === true) return true;
    const ranks = new Set<number>();
    const finalSlot = this.#highestFinalBelow(header);
    for (const { rank, vote } of this.#votesFor.get(key) ?? []) {
      if (vote.sourceSlot < finalSlot) ranks.add(rank);
      const source = this.#headers.get(byteKey(vote.sourceHash));
      if (source === undefined || source.slot !== vote.sourceSlot || !this.#isBelow(source, header)) continue;
      if (this.#isJustified(source)) ranks.add(rank);
    }
    const justified = isQuorumFor(this.#model.judgeOf(header), ranks);
    if (justified) this.#justified.set(key, true);
    return justified;
  }

  /** Slot of the highest finalized proper ancestor: sources below it are not looked into. */
  #highestFinalBelow(header: BlockHeader): number {
    let at = this.#headers.get(byteKey(header.parentHash));
    while (at !== undefined && this.#final[at.height] !== at) at = this.#headers.get(byteKey(at.parentHash));
    return at?.slot ?? 0;
  }

  #isBelow(source: BlockHeader, header: BlockHeader): boolean {
    let at: BlockHeader | undefined = header;
    while (at !== undefined && at.height > source.height) at = this.#headers.get(byteKey(at.parentHash));
    return at === source && source.height < header.height;
  }
}

function checkPair(rank: number, a: Vote, b: Vote): void {
  if (a.targetSlot === b.targetSlot && byteKey(a.targetHash) !== byteKey(b.targetHash))
    throw new OracleError(`honest validator ${rank} voted twice in slot ${a.targetSlot}`);
  const [outer, inner] = a.sourceSlot < b.sourceSlot ? [a, b] : [b, a];
  if (outer.sourceSlot < inner.sourceSlot && inner.targetSlot < outer.targetSlot)
    throw new OracleError(`honest validator ${rank} voted ${outer.sourceSlot}->${outer.targetSlot} around
      ${inner.sourceSlot}->${inner.targetSlot}`);
}
