/**
 * Proof of stake on the chain, said a second time and in the plainest way: names and lists, whole sets for every era, a full copy of each block's judge. Nothing is
 * read from records, nothing is worked out anew from bonds: who agrees with this for every block has understood docs/format/records.md, "Stake".
 */
import {
  bounded,
  isQuorum,
  type ModelBlock,
  type ModelElectorate,
  type ModelRules,
  type ModelStake,
  type ModelVote,
  newBlock,
} from './stake-model-parts.ts';

export class StakeModel {
  readonly rules: ModelRules;
  readonly stakes: Map<string, ModelStake> = new Map();
  /** set(era), by era. */
  readonly sets: Map<number, readonly string[]> = new Map();
  readonly blocks: ModelBlock[] = [];
  pool = 0n;
  /** How often an excluded member has come to count again in a stall. */
  readmitted = 0;
  electorate: ModelElectorate;
  final: { slot: number; hash: string } = { slot: 0, hash: '' };
  justifiedSlot = 0;
  #eraFirstSlot = 0;
  #finalAtEpoch = 0;
  #stalled = 0;
  #blocksInEpoch = 0;
  #present: Set<string> = new Set();
  /** Judge of the block under way, and of its parent. */
  #judge: ModelElectorate;
  slot = 0;

  constructor(
    rules: ModelRules,
    genesis: readonly { readonly name: string; readonly order: number; readonly bond: bigint }[],
  ) {
    this.rules = rules;
    for (const { name, order, bond } of genesis) this.#add(name, order, bond, 0, false);
    const names = genesis.map(({ name }) => name);
    for (const era of [-1, 0, 1]) this.sets.set(era, names);
    this.electorate = this.#electorateOf(0, 0, false);
    this.#judge = this.electorate;
  }

  /** A block begins; `parent` is the one before. */
  begin(slot: number, parentHash: string): void {
    if (this.slot === 0) this.final = { slot: 0, hash: parentHash };
    else this.blocks.push(newBlock(this.slot, parentHash, this.#judge));
    this.#judge = this.electorate;
    if (Math.floor(slot / this.rules.slotsPerEpoch) > this.electorate.epoch) this.#beginEpoch(slot);
    this.slot = slot;
    this.#blocksInEpoch++;
  }

  bond(name: string, order: number, units: bigint): boolean {
    if (units === 0n) {
      const stake = this.stakes.get(name);
      if (stake === undefined || stake.leftEpoch === null || stake.leaving || stake.slashed) return false;
      if (this.final.slot < stake.leftSlot) return false;
      this.#comeBack(stake, this.slot);
      return true;
    }
    if (this.stakes.has(name) || units < this.rules.minimumBond || this.stakes.size === 1024) return false;
    this.#add(name, order, units, this.slot, true);
    return true;
  }

  unbond(name: string): boolean {
    const stake = this.stakes.get(name);
    if (stake === undefined || stake.slashed || stake.leaving) return false;
    stake.leaving = true;
    this.#asks(stake);
    return true;
  }

  /** The units given back, or null. */
  withdraw(name: string): bigint | null {
    const stake = this.stakes.get(name);
    if (stake === undefined || !(stake.leaving || stake.slashed) || stake.leftEpoch === null) return null;
    if (this.electorate.epoch < stake.leftEpoch + this.rules.unbondingEpochs) return null;
    if (this.final.slot < stake.leftSlot) return null;
    this.stakes.delete(name);
    return stake.units;
  }

  /** Evidence for an offence in `slot`. */
  slash(name: string, slot: number): boolean {
    const stake = this.stakes.get(name);
    if (stake === undefined || stake.slashed || slot < stake.bondedSlot) return false;
    this.pool += stake.units;
    stake.units = 0n;
    stake.slashed = true;
    this.#asks(stake);
    return true;
  }

  votes(votes: readonly ModelVote[]): void {
    const finalBefore = this.final.slot;
    const slots = [...new Set(votes.map(({ target }) => target.slot))].sort((a, b) => a - b);
    for (const slot of slots) {
      const block = this.blocks.find((one) => one.slot === slot);
      if (block === undefined) continue;
      const isParent = slot === Math.max(...this.blocks.map((one) => one.slot));
      const { staleEpochsSlow, slotsPerEpoch, voteLateSlotsMax } = this.rules;
      const lateMax = this.#stalled >= staleEpochsSlow ? staleEpochsSlow * slotsPerEpoch : voteLateSlotsMax;
      const isForgotten = slot + voteLateSlotsMax < this.slot;
      const isLate = !isParent && slot + lateMax < this.slot;
      // What is final and old is forgotten.
      if (slot <= finalBefore && isForgotten) continue;
      const fitting = votes.filter(
        ({ target, isTrue }) => target.slot === slot && target.hash === block.hash && isTrue,
      );
      for (const { voter } of fitting)
        if (!isLate && this.electorate.members.some(({ name }) => name === voter)) this.#present.add(voter);
      if (slot <= this.final.slot) continue;
      for (const vote of fitting) this.#count(block, vote);
      this.#settle(block);
    }
  }

  /** Units in all bonds. */
  get bonded(): bigint {
    return [...this.stakes.values()].reduce((sum, { units }) => sum + units, 0n);
  }

  #count(block: ModelBlock, { voter, source }: ModelVote): void {
    if (!block.judge.members.some(({ name }) => name === voter) || source.slot >= block.slot) return;
    const below = this.blocks.find(({ slot, hash }) => slot === source.slot && hash === source.hash);
    const isFinal =
      source.slot < this.final.slot || (source.slot === this.final.slot && source.hash === this.final.hash);
    if (isFinal || (source.slot > this.final.slot && below?.justified === true)) {
      block.counted.add(voter);
      if (source.slot + 1 === block.slot) block.linked.add(voter);
    } else if (source.slot > this.final.slot && below !== undefined) {
      const known = block.waiting.get(source.slot);
      if (known !== undefined) known.add(voter);
      else if (block.waiting.size < 8) block.waiting.set(source.slot, new Set([voter]));
    }
  }

  /** Settles a block and, as often as there is anything to wake, all above it. */
  #settle(block: ModelBlock): void {
    block.justified ||= isQuorum(block.judge, block.counted);
    if (block.justified) this.justifiedSlot = Math.max(this.justifiedSlot, block.slot);
    const parent = this.blocks.find(({ slot }) => slot === block.slot - 1);
    if (parent !== undefined && parent.slot > this.final.slot && isQuorum(block.judge, block.linked))
      this.final = { slot: parent.slot, hash: parent.hash };
    for (const other of this.blocks)
      if (other.slot > this.final.slot)
        for (const [source, voters] of other.waiting) {
          const isGood = source <= this.final.slot || this.blocks.find(({ slot }) => slot === source)!.justified;
          if (!isGood) continue;
          other.waiting.delete(source);
          for (const voter of voters) {
            other.counted.add(voter);
            if (other.slot === source + 1) other.linked.add(voter);
          }
          this.#settle(other);
        }
  }

  #beginEpoch(slot: number): void {
    const { rules, electorate } = this;
    const epoch = this.#epochOf(slot);
    const isSlow = this.#stalled >= rules.staleEpochsSlow;
    const isFull = this.#blocksInEpoch * 2 >= rules.slotsPerEpoch || (isSlow && this.#blocksInEpoch > 0);
    for (const { name } of electorate.members) {
      const stake = this.stakes.get(name)!;
      if (this.#present.has(name)) stake.missed = 0;
      else if (isFull || stake.missed > 0) stake.missed += isFull ? 1 : 0;
    }
    // Who has left goes on missing what there is: nobody asks after its votes.
    if (isFull)
      for (const stake of this.stakes.values())
        if (stake.missed > 0 && !electorate.members.some(({ name }) => name === stake.name)) stake.missed++;
    this.#stalled = this.final.slot > this.#finalAtEpoch ? 0 : this.#stalled + 1;
    this.#finalAtEpoch = this.final.slot;
    for (const stake of this.stakes.values())
      if (
        stake.leftEpoch !== null &&
        !stake.leaving &&
        !stake.slashed &&
        stake.missed === 0 &&
        this.final.slot >= stake.leftSlot
      )
        this.#comeBack(stake, slot);
    let { era, majorityFloor } = electorate;
    if (this.#stalled >= rules.staleEpochsSlow)
      for (const name of new Set([...this.sets.get(era)!, ...this.sets.get(era - 1)!])) {
        const stake = this.stakes.get(name)!;
        if (!stake.excluded || stake.missed > 0) continue;
        stake.excluded = false;
        this.readmitted++;
      }
    if (this.final.slot >= this.#eraFirstSlot && this.#changeSets(era)) {
      era++;
      this.#eraFirstSlot = slot;
      for (const stake of this.stakes.values())
        if (
          this.#wasIn(stake.name, era) &&
          !this.#isIn(stake.name, era) &&
          !this.#isIn(stake.name, era - 1) &&
          !this.#isIn(stake.name, era + 1)
        )
          this.#leaves(stake, epoch, slot);
      if (![...this.sets.get(era)!, ...this.sets.get(era - 1)!].some((name) => this.stakes.get(name)?.excluded))
        majorityFloor = false;
    }
    majorityFloor = this.#exclude(era, majorityFloor);
    for (const stake of [...this.stakes.values()])
      if (
        stake.slashed &&
        stake.leftEpoch !== null &&
        epoch >= stake.leftEpoch + rules.unbondingEpochs &&
        this.final.slot >= stake.leftSlot
      )
        this.stakes.delete(stake.name);
    this.electorate = this.#electorateOf(epoch, era, majorityFloor);
    this.#blocksInEpoch = 0;
    this.#present = new Set();
  }

  /** Fixes set(era + 2), if there is reason to. */
  #changeSets(era: number): boolean {
    const base = this.sets.get(era + 1)!;
    const total = base.reduce((sum, name) => sum + this.stakes.get(name)!.weight, 0n);
    const inOrder = (a: ModelStake, b: ModelStake): number => a.askedSlot - b.askedSlot || a.order - b.order;
    const entering = bounded(
      [...this.stakes.values()]
        .filter((stake) => stake.waiting && !stake.leaving && !stake.slashed && stake.leftEpoch === null)
        .sort(inOrder),
      total,
    );
    const members = base.map((name) => this.stakes.get(name)!);
    const absent = members.filter(
      (stake) =>
        !stake.slashed &&
        !stake.leaving &&
        (stake.excluded || (this.#stalled === 0 && stake.missed >= this.rules.staleEpochsFast)),
    );
    const leavers = [
      ...members.filter(({ slashed }) => slashed).sort(inOrder),
      ...members.filter(({ slashed, leaving }) => leaving && !slashed).sort(inOrder),
      ...absent.sort((a, b) => b.missed - a.missed || inOrder(a, b)),
    ];
    const leaving = bounded(leavers, total).slice(0, base.length + entering.length - 1);
    const same = (a: readonly string[], b: readonly string[]): boolean => [...a].sort().join() === [...b].sort().join();
    const isSettled = same(base, this.sets.get(era)!) && same(base, this.sets.get(era - 1)!);
    if (entering.length + leaving.length === 0 && isSettled) return false;
    for (const stake of entering) stake.waiting = false;
    const gone = new Set(leaving.map(({ name }) => name));
    this.sets.set(era + 2, [...base.filter((name) => !gone.has(name)), ...entering.map(({ name }) => name)]);
    return true;
  }

  #exclude(era: number, floor: boolean): boolean {
    const { staleEpochsSlow, staleEpochsVerySlow } = this.rules;
    if (this.#stalled < staleEpochsSlow) return floor;
    const names = new Set([...this.sets.get(era)!, ...this.sets.get(era - 1)!]);
    const judging = [...names].map((name) => this.stakes.get(name)!);
    const due = judging.filter(({ excluded, missed }) => !excluded && missed >= staleEpochsSlow);
    if (due.length === 0) return floor;
    const shares = [era, era - 1].map((one) => {
      const set = this.sets.get(one)!.map((name) => this.stakes.get(name)!);
      const sum = (stakes: readonly ModelStake[]): bigint => stakes.reduce((total, { weight }) => total + weight, 0n);
      return { rest: sum(set.filter((stake) => !stake.excluded && !due.includes(stake))), full: sum(set) };
    });
    const hasMajority = shares.every(({ rest, full }) => rest * 2n > full);
    const isLast =
      staleEpochsVerySlow > 0 && this.#stalled >= staleEpochsVerySlow && shares.every(({ rest }) => rest > 0n);
    if (!hasMajority && !isLast) return floor;
    for (const stake of due) stake.excluded = true;
    return hasMajority;
  }

  #electorateOf(epoch: number, era: number, majorityFloor: boolean): ModelElectorate {
    const names = new Set([...this.sets.get(era)!, ...this.sets.get(era - 1)!]);
    const members = [...names].map((name) => {
      const { weight, excluded } = this.stakes.get(name)!;
      return { name, weight, inCurrent: this.#isIn(name, era), inPrevious: this.#isIn(name, era - 1), excluded };
    });
    return { epoch, era, majorityFloor, members };
  }

  #add(name: string, order: number, units: bigint, slot: number, waiting: boolean): void {
    const never = {
      leaving: false,
      slashed: false,
      excluded: false,
      leftEpoch: null,
      leftSlot: 0,
      missed: 0,
    };
    this.stakes.set(name, { name, order, units, weight: units, bondedSlot: slot, askedSlot: slot, waiting, ...never });
  }

  #asks(stake: ModelStake): void {
    stake.askedSlot = this.slot;
    if (stake.waiting && stake.leftEpoch === null) stake.leftEpoch = this.electorate.epoch;
  }

  #comeBack(stake: ModelStake, slot: number): void {
    Object.assign(stake, { waiting: true, leftEpoch: null, leftSlot: 0, excluded: false, missed: 0, askedSlot: slot });
  }

  #leaves(stake: ModelStake, epoch: number, slot: number): void {
    if (stake.waiting || stake.leftEpoch !== null) return;
    stake.leftEpoch = epoch;
    stake.leftSlot = slot;
  }

  #isIn(name: string, era: number): boolean {
    return this.sets.get(era)?.includes(name) ?? false;
  }

  #wasIn(name: string, era: number): boolean {
    return [...this.sets].some(([one, names]) => one < era && names.includes(name));
  }

  #epochOf(slot: number): number {
    return Math.floor(slot / this.rules.slotsPerEpoch);
  }
}
