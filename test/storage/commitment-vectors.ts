/**
 * The content of test/vectors/commitment.json, made from the naive state: what another implementation must reproduce, byte by byte.
 */
import { encodeStateProof } from '../../storage/commitment/state-proof.ts';
import { CommitmentTrees } from '../../storage/commitment/trees.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { NaiveState, NaiveStore } from './commitment-model.ts';
import { kernels } from './kernels-fixture.ts';
import { naiveRoot } from './merkle-naive.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** 20 bytes: a u32, then zeros. */
function address(n: number): Uint8Array {
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
}

const put = (n: number, balance: number): StateOp => ({
  kind: 'putAccount',
  address: address(n),
  balance: BigInt(balance),
});

const SMALL: readonly (readonly StateOp[])[] = [
  [
    put(1, 1000),
    put(2, 2000),
    { kind: 'putRecord', key: ascii('color'), value: ascii('blue') },
    { kind: 'putBond', address: address(1), bond: 500n, lastVote: 0n, details: new Uint8Array(24) },
  ],
  [put(2, 1990), put(3, 10)],
  [],
  [
    { kind: 'deleteAccount', address: address(3) },
    put(1, 1010),
    { kind: 'deleteRecord', key: ascii('color') },
    { kind: 'putRecord', key: ascii('shape'), value: new Uint8Array(0) },
    { kind: 'putBond', address: address(2), bond: 7n, lastVote: 3n, details: new Uint8Array(24).fill(1) },
    { kind: 'deleteBond', address: address(1) },
  ],
];

const LONG: readonly (readonly StateOp[])[] = Array.from({ length: 10 }, (_, h) =>
  Array.from({ length: 100 }, (_, i) => put((h * 37 + i * 7) % 500, h * 1000 + i)),
);

/** A summary of a state. */
const figures = (state: NaiveState): Record<string, unknown> => ({
  opCount: state.ops.length,
  floor: state.floor,
  activeCount: state.latest.size,
  opsRoot: hex(state.opsRoot),
  activityRoot: hex(state.activityRoot),
  stateRoot: hex(state.root),
});

/** The states after each batch, the fast trees settled along with them; both must agree. */
function chain(
  chainId: Uint8Array,
  batches: readonly (readonly StateOp[])[],
): { states: NaiveState[]; trees: CommitmentTrees } {
  const store = new NaiveStore(NaiveState.before(chainId));
  const trees = CommitmentTrees.empty(kernels, chainId, store, store);
  const states = batches.map((ops) => {
    const state = store.state.next(ops);
    const child = trees.tip.next(state.batches.at(-1)!);
    store.state = state;
    trees.absorb(child);
    if (hex(trees.tip.root) !== hex(state.root))
      throw new Error(`the trees disagree after batch ${state.batches.length - 1}`);
    return state;
  });
  return { states, trees };
}

/** Everything the file holds. */
export function commitmentVectors(): unknown {
  const chainId = new Uint8Array(32).fill(0xc0);
  const small = chain(chainId, SMALL);
  const tip = small.states.at(-1)!;
  const header = ascii('any header');
  const long = chain(chainId, LONG);
  const last = long.states.at(-1)!;
  const [from, to, size] = [300, 700, 900];
  const range = long.trees.rangeProof(from, to, size);
  return {
    about:
      'State commitment: docs/format/proofs.md, docs/format/storage.md. All bytes in hex. Each batch of "small" is given whole; a batch of "long" by its rule.',
    chainId: hex(chainId),
    small: {
      batches: small.states.map((state) => ({
        batch: hex(state.batches.at(-1)!),
        digest: hex(state.place.previousDigest),
        ...figures(state),
      })),
      header: hex(header),
      proofs: [...tip.latest].map(([, op]) => ({
        opNumber: op,
        proof: hex(encodeStateProof(small.trees.stateProof(op, header))),
      })),
    },
    long: {
      rule: 'batch h = 0 .. 9 has 100 putAccount ops; op i = 0 .. 99 sets account (37 h + 7 i) mod 500, whose address is that number as u32 and 16 zero bytes, to 1000 h + i',
      states: long.states.map(figures),
      range: {
        from,
        to,
        size,
        root: hex(naiveRoot(last.leaves.slice(0, size))),
        left: hex(range.left),
        right: hex(range.right),
      },
      proof: hex(encodeStateProof(long.trees.stateProof(last.floor, header))),
    },
  };
}
