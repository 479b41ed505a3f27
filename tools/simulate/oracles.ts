/**
 * What must hold in every run, checked from outside while it goes on.
 *
 * - One final block per height over all honest nodes, each on the one before; equal state roots at equal heights.
 * - A final block is justified by votes that left their voters, and a node's proof of finality shows a child in the very next slot voted for by more
 *   than 2/3 with the final block as source.
 * - Its bytes keep the rules anybody can check: PoH, structure, signature, no transaction final twice.
 * - Supply is conserved to the unit.
 * - No honest validator casts slashable votes or signs two blocks for a slot; nobody honest is blamed by anybody honest.
 * - What an honest node has reported final is there after every restart.
 * - Op log files of honest nodes are byte-identical as far as both go.
 * - Bonds, sets, eras, exclusions and leaders are what the plain rules come to; nobody honest is slashed (chain-watch.ts).
 */
import { byteKey, type Hash, sameBytes } from '../../native/index.ts';
import {
  type Block,
  type BlockHeader,
  blockTransactions,
  type Certificate,
  decodeBlock,
  decodeCertificate,
  decodeHeader,
  type Vote,
} from '../../src/codec/index.ts';
import { genesisHeader, totalSupply } from '../../src/ledger/index.ts';
import { genesisRoot } from '../../src/node/chain/open-root.ts';
import type { ChainNode } from '../../src/node/chain-node.ts';
import type { ChainSetup } from './chain-setup.ts';
import { ChainWatch } from './chain-watch.ts';
import { Decoded } from './decoded.ts';
import { checkFinalBlock } from './final-block.ts';
import type { SharedKernels } from './shared-kernels.ts';
import type { SimulatedNode } from './simulated-node.ts';
import { shortHash, type Trace } from './trace.ts';
import { Violation, type ViolationCode } from './violation.ts';
import { VoteRecord } from './vote-record.ts';

/** Supply is summed at every height divisible by this. */
const SUPPLY_HEIGHTS = 8;
/** Ids of final transactions kept: more than a recency window can hold at the rate of the workload. */
const FINAL_IDS_KEPT = 50_000;

export interface OracleDeps {
  readonly chain: ChainSetup;
  readonly shared: SharedKernels;
  readonly trace: Trace;
  /** Whether the validator of a rank is honest: all nodes that hold its key are. */
  readonly isHonest: (rank: number) => boolean;
  /** Whether finality must not conflict: fewer than 1/3 cheat. Else those who cheated must be shown when it does. */
  readonly claimsSafety: boolean;
  /** Told of each final block once. */
  readonly onFinal: (block: Block) => void;
}

/** What one node has been seen to report. */
interface Reported {
  height: number;
  /** Proof of finality looked at last. */
  proof: object | undefined;
}

export class Oracles {
  readonly votes: VoteRecord;
  /** The final chain by the plain rules. */
  readonly watch: ChainWatch;
  readonly #deps: OracleDeps;
  readonly #finalHeaders: Decoded<BlockHeader>;
  readonly #certificates: Decoded<Certificate>;
  readonly #rankOf: ReadonlyMap<string, number>;
  /** Final headers by height, over all nodes; the first is genesis. */
  readonly #final: BlockHeader[];
  readonly #stateRoots: (Hash | undefined)[] = [];
  /** Best block of each node when it was looked at last. */
  readonly #best = new Map<string, object>();
  readonly #reported = new Map<string, Reported>();
  readonly #proposals = new Map<string, string>();
  readonly #finalIds = new Set<string>();
  #transactionsFinal = 0;
  /** Nodes whose disks broke their promises: what they keep and report may be gone; what they sign is judged as before. */
  readonly ruined: Set<string> = new Set();
  /** Finality has conflicted where it may: from here on only the culprits matter. */
  #isForked = false;

  constructor(deps: OracleDeps) {
    this.#deps = deps;
    const { chain, shared } = deps;
    this.#finalHeaders = new Decoded((bytes) => decodeHeader(shared.checking, bytes));
    this.#certificates = new Decoded((bytes) => decodeCertificate(shared.checking, bytes));
    const genesis = genesisHeader(shared.checking, chain.genesis, genesisRoot(chain.genesis, shared.checking));
    this.votes = new VoteRecord(
      chain.bonds,
      chain.validators.map(({ publicKey }) => publicKey),
      genesis,
    );
    this.#rankOf = new Map(chain.validators.map(({ publicKey }, rank) => [byteKey(publicKey), rank]));
    this.#final = [genesis];
    this.watch = new ChainWatch({
      chain,
      genesis,
      rankOf: (name) => this.#rankOf.get(name),
      mayBeSlashed: (rank) => !deps.isHonest(rank) || this.ruined.has(`v${rank}`),
      fail: (code, message) => this.#fail(code, message),
    });
  }

  /** Highest final height anywhere. */
  get finalHeight(): number {
    return this.#final.length - 1;
  }

  get finalTransactions(): number {
    return this.#transactionsFinal;
  }

  get isForked(): boolean {
    return this.#isForked;
  }

  rankOf(publicKey: Uint8Array): number | undefined {
    return this.#rankOf.get(byteKey(publicKey));
  }

  /** A vote has left its voter. */
  voteSent(vote: Vote): void {
    const rank = this.rankOf(vote.voter);
    if (rank === undefined) return;
    const pair = this.votes.addVote(rank, vote);
    if (pair === null || !this.#deps.isHonest(rank)) return;
    const { a, b, kind } = pair;
    this.#fail(
      'slashable-vote',
      `${kind}: validator ${rank} voted ${a.sourceSlot}->${a.targetSlot} and ${b.sourceSlot}->${b.targetSlot}`,
    );
  }

  /** A block has left its leader. @returns true at its first sight */
  blockSent(header: BlockHeader): boolean {
    this.votes.addBlock(header);
    const rank = this.rankOf(header.leader);
    const place = `${rank}/${header.slot}`;
    const [known, key] = [this.#proposals.get(place), byteKey(header.hash)];
    if (known === key) return false;
    this.#proposals.set(place, key);
    if (known !== undefined && rank !== undefined && this.#deps.isHonest(rank))
      this.#fail('double-proposal', `validator ${rank} signed two blocks for slot ${header.slot}`);
    return true;
  }

  /** An honest node holds evidence against, or has banned, the validator of this rank. */
  blamed(by: string, rank: number, why: string): void {
    if (this.#deps.isHonest(rank) && !this.ruined.has(`v${rank}`))
      this.#fail('false-blame', `${by} blames honest validator ${rank}: ${why}`);
  }

  /** An honest node has started: what it had reported must be there. */
  restarted(name: string, node: ChainNode): void {
    const reported = this.#reported.get(name);
    const { height } = node.tree.root.header;
    if (this.ruined.has(name) && reported !== undefined) reported.height = height;
    if (reported !== undefined && height < reported.height)
      this.#fail('lost', `${name} had reported height ${reported.height} final and came back with ${height}`);
    if (reported !== undefined) reported.proof = undefined;
  }

  gaveUp(name: string, error: Error): void {
    this.#fail('gave-up', `${name}: ${error.name}: ${error.message}`);
  }

  fail(code: ViolationCode, message: string): never {
    return this.#fail(code, message);
  }

  /** Whether a node may have reported something since the last look. */
  hasNews(name: string, node: ChainNode): boolean {
    this.#noteJudges(name, node);
    const reported = this.#reported.get(name);
    return node.tree.root.header.height !== reported?.height || node.store.finality() !== reported.proof;
  }

  #noteJudges(name: string, { tree }: ChainNode): void {
    if (this.#best.get(name) === tree.best) return;
    this.#best.set(name, tree.best);
    for (const { header, electorate, commitment } of [tree.root, ...tree.branch(tree.best)]) {
      this.votes.addJudge(header, electorate);
      // Here and not only at the root: when several blocks become final at once, most of them never are the root.
      if (!sameBytes(header.stateRoot, commitment.root)) this.#wrongRoot(name, header);
    }
  }

  /** Looks at everything an honest node has made final since the last look. */
  async look(name: string, node: ChainNode): Promise<void> {
    const reported = this.#reportedBy(name, node);
    const root = node.tree.root;
    const to = root.header.height as number;
    if (to > reported.height) {
      for (let height = reported.height + 1; height <= to; height += 1) await this.#lookAt(name, node, height);
      reported.height = to;
      this.#checkState(name, node);
    }
    this.#checkProof(name, node, reported);
  }

  #reportedBy(name: string, node: ChainNode): Reported {
    let reported = this.#reported.get(name);
    if (reported === undefined) {
      reported = { height: 0, proof: node.store.finality() };
      this.#reported.set(name, reported);
    }
    return reported;
  }

  async #lookAt(name: string, node: ChainNode, height: number): Promise<void> {
    const hash = node.store.hashOfHeight(height);
    if (hash === undefined && this.ruined.has(name)) return;
    if (hash === undefined) this.#fail('lost', `${name} does not keep the block of height ${height}`);
    const known = this.#final[height];
    if (known !== undefined) {
      if (byteKey(known.hash) !== byteKey(hash)) this.#conflict(name, height, known.hash, hash);
      return;
    }
    // What a ruined disk gives back is not what the node said.
    if (this.#isForked || this.ruined.has(name)) return;
    const bytes = await node.store.finalBlock(height);
    if (bytes === undefined) this.#fail('lost', `${name} does not keep the block of height ${height}`);
    this.#takeFinal(name, bytes, height);
  }

  /** The first sight of a final block. */
  #takeFinal(name: string, bytes: Uint8Array, height: number): void {
    const { shared, chain, trace } = this.#deps;
    const block = decodeBlock(shared.checking, bytes);
    const { header } = block;
    const below = this.#final[height - 1]!;
    if (byteKey(below.hash) !== byteKey(header.parentHash))
      this.#conflict(name, height - 1, below.hash, header.parentHash);
    if (this.#isForked) return;
    const fault = checkFinalBlock(shared.checking, chain, below, block);
    if (fault !== null) this.#fail('invalid-block', `${name}, height ${height}: ${fault}`);
    this.votes.addBlock(header);
    for (const { id } of blockTransactions(block.entries)) this.#takeTransaction(byteKey(id), height);
    this.#final[height] = header;
    this.votes.addFinal(header);
    this.watch.take(block);
    this.#deps.onFinal(block);
    const judge = this.votes.judgeAfter(header);
    if (judge !== undefined) this.watch.compareElectorate(name, judge);
    const leader = this.rankOf(header.leader) ?? -1;
    const transactions = header.transactionCount;
    trace.add('final', name, { height, slot: header.slot, hash: shortHash(header.hash), leader, transactions });
  }

  #takeTransaction(id: string, height: number): void {
    if (this.#finalIds.has(id)) this.#fail('replayed', `a transaction is final again at height ${height}`);
    this.#finalIds.add(id);
    this.#transactionsFinal += 1;
    if (this.#finalIds.size <= FINAL_IDS_KEPT) return;
    for (const oldest of this.#finalIds) {
      this.#finalIds.delete(oldest);
      return;
    }
  }

  #wrongRoot(name: string, { height }: BlockHeader): never {
    return this.#fail('state-root', `${name}: the header of height ${height} names another than execution gives`);
  }

  #checkState(name: string, node: ChainNode): void {
    const { header, commitment, state } = node.tree.root;
    const height = header.height as number;
    const known = this.#stateRoots[height];
    if (this.#isForked) return;
    if (byteKey(header.stateRoot) !== byteKey(commitment.root)) this.#wrongRoot(name, header);
    if (known === undefined) {
      this.#stateRoots[height] = commitment.root;
      if (node.store.stateHeight === height) this.watch.compare(name, node.tree.root);
    } else if (byteKey(known) !== byteKey(commitment.root)) this.#fail('state-root', `${name} at height ${height}`);
    if (height % SUPPLY_HEIGHTS !== 0 || node.store.stateHeight !== height) return;
    const supply = totalSupply(node.store.balances(), state);
    const { rules } = this.#deps.chain;
    if (supply !== rules.supply) this.#fail('supply', `${name} holds ${supply} units, genesis made ${rules.supply}`);
  }

  #checkProof(name: string, node: ChainNode, reported: Reported): void {
    const proof = node.store.finality();
    if (proof === undefined || proof === reported.proof || this.#isForked) return;
    reported.proof = proof;
    const last = this.#finalHeaders.of(proof.header);
    const { header, votes } = this.#certificates.of(proof.certificate);
    const isChild = byteKey(header.parentHash) === byteKey(last.hash) && header.slot === last.slot + 1;
    if (!isChild)
      this.#fail(
        'unjustified-finality',
        `${name}: the certificate for slot ${last.slot} names no child in the next slot`,
      );
    const ranks: number[] = [];
    for (const vote of votes) {
      const isLink =
        byteKey(vote.sourceHash) === byteKey(last.hash) && byteKey(vote.targetHash) === byteKey(header.hash);
      const rank = this.rankOf(vote.voter);
      if (!isLink || rank === undefined) this.#fail('unjustified-finality', `${name}: a vote for another link`);
      ranks.push(rank);
    }
    if (this.votes.isQuorumFor(header, ranks) === false)
      this.#fail('unjustified-finality', `${name}: slot ${last.slot} final by validators ${ranks.join(', ')} only`);
    // Its ancestors are final with it, whoever voted for them.
    if (!this.votes.isJustified(last))
      this.#fail('unjustified-finality', `${name}: slot ${last.slot} has no votes of more than 2/3`);
  }

  /** Op logs of honest nodes that are up: equal files as far as both go. */
  checkOpLogs(nodes: readonly SimulatedNode[]): void {
    if (this.#isForked) return;
    const longest = new Map<string, { bytes: Uint8Array; name: string }>();
    for (const { name, disk } of nodes)
      for (const [path, bytes] of disk.disk.image('/data/state/log/segment-')) {
        const other = longest.get(path);
        const common = Math.min(bytes.length, other?.bytes.length ?? 0);
        if (other !== undefined && Buffer.compare(bytes.subarray(0, common), other.bytes.subarray(0, common)) !== 0)
          this.#fail('op-log', `${path} of ${name} and ${other.name} differ`);
        if (bytes.length > common) longest.set(path, { bytes, name });
      }
  }

  /** Two final blocks at one height: an error where safety is claimed; else whoever made it possible must be known by name. */
  #conflict(name: string, height: number, a: Uint8Array, b: Uint8Array): void {
    const what = `${name}: ${shortHash(a)} and ${shortHash(b)} are both final at height ${height}`;
    if (this.#deps.claimsSafety) this.#fail('conflicting-finality', what);
    const pairs = this.votes.slashable();
    const culprits = pairs.map(({ rank }) => rank);
    if (!this.votes.isThird(culprits))
      this.#fail('unnamed-culprits', `${what}; only ${culprits.join(', ')} can be slashed`);
    const innocent = culprits.find((rank) => this.#deps.isHonest(rank));
    if (innocent !== undefined) this.#fail('false-blame', `${what}; honest validator ${innocent} can be slashed`);
    if (!this.#isForked) this.#deps.trace.add('evidence', name, { conflict: height, culprits: culprits.map(String) });
    this.#isForked = true;
  }

  #fail(code: ViolationCode, message: string): never {
    const violation = new Violation(code, this.finalHeight, message);
    this.#deps.trace.add('violation', null, { code, message });
    throw violation;
  }
}
