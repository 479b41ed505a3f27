/** State proofs: read by the library and by a naive verifier made from docs/format/proofs.md alone, and refused when anything is changed. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommitmentError } from '../../storage/commitment/commitment-error.ts';
import { packHashes } from '../../storage/commitment/inclusion.ts';
import {
  decodeStateProof,
  encodeStateProof,
  STATE_PROOF_SIZE_BYTES_MAX,
  type StateProof,
  StateProofError,
  verifyStateProof,
} from '../../storage/commitment/state-proof.ts';
import { CommitmentTrees } from '../../storage/commitment/trees.ts';
import { CHAIN_ID, deleteAccount, NaiveState, putAccount } from './commitment-model.ts';
import { hex, joined, LOG, settled } from './commitment-rig.ts';
import { kernels } from './kernels-fixture.ts';
import { naiveLeaf } from './merkle-naive.ts';

/** State proofs read from docs/format/proofs.md alone: byte offsets, node:crypto, no code of storage/. */
function naiveVerify(
  bytes: Uint8Array,
  trusted: (header: Uint8Array) => Uint8Array | undefined,
): Uint8Array | undefined {
  const buffer = Buffer.from(bytes);
  const sha = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
  if (buffer.length < 40 || buffer.toString('latin1', 0, 8) !== 'CAIRNSTP' || buffer.readUInt16LE(8) !== 1)
    return undefined;
  const [headerSize, opSize] = [buffer.readUInt16LE(10), buffer.readUInt16LE(12)];
  const [number, count] = [16, 24].map((at) => Number(buffer.readBigUInt64LE(at))) as [number, number];
  if (buffer.readUInt16LE(14) !== 0 || number >= count) return undefined;
  let at = 40;
  const take = (size: number): Buffer => {
    at += size;
    return buffer.subarray(at - size, at);
  };
  const rootOf = (leaf: Buffer, index: number, size: number): Buffer => {
    if (size <= 1) return leaf;
    let half = 1;
    while (half * 2 < size) half *= 2;
    const inner = index < half ? rootOf(leaf, index, half) : rootOf(leaf, index - half, size - half);
    const sibling = take(32);
    return index < half ? sha(Uint8Array.of(1), inner, sibling) : sha(Uint8Array.of(1), sibling, inner);
  };
  const header = take(headerSize);
  const op = take(opSize);
  const opsRoot = rootOf(sha(Uint8Array.of(0), op), number, count);
  const chunk = take(32);
  const activityRoot = rootOf(sha(Uint8Array.of(0), chunk), Math.floor(number / 256), Math.ceil(count / 256));
  const root = sha(
    Buffer.from('cairn/state/2'),
    opsRoot,
    activityRoot,
    buffer.subarray(24, 32),
    buffer.subarray(32, 40),
  );
  const bit = number % 256;
  if (at !== buffer.length || ((chunk[bit >> 3]! >> (bit & 7)) & 1) === 0 || ![1, 2, 5].includes(op[0]!))
    return undefined;
  const expected = trusted(header);
  return expected !== undefined && root.equals(expected) ? op : undefined;
}

describe('state proofs', () => {
  const { store, trees } = settled(LOG);
  const header = packHashes([trees.tip.root, naiveLeaf(Uint8Array.of(1))]);
  /** As floor 4 does: the header's hash is trusted, and the state root stands in it. */
  const headerHash = hex(naiveLeaf(header));
  const rootIn = (bytes: Uint8Array): Uint8Array | undefined =>
    hex(naiveLeaf(bytes)) === headerHash ? bytes.subarray(0, 32) : undefined;
  const holds = (bytes: Uint8Array): boolean => {
    try {
      const proof = decodeStateProof(bytes);
      const root = rootIn(proof.header);
      return root !== undefined && verifyStateProof(kernels, proof, root).holds;
    } catch (error) {
      if (error instanceof StateProofError) return false;
      throw error;
    }
  };

  it('hold for every account, record and bond, and say what was set', () => {
    expect(hex(trees.tip.root)).toBe(hex(store.state.root));
    const kinds = new Set<string>();
    for (const op of store.state.latest.values()) {
      const bytes = encodeStateProof(trees.stateProof(op, header));
      expect(hex(encodeStateProof(decodeStateProof(bytes)))).toBe(hex(bytes));
      expect(hex(naiveVerify(bytes, rootIn)!)).toBe(hex(store.state.ops[op]!));
      const verdict = verifyStateProof(kernels, decodeStateProof(bytes), trees.tip.root);
      expect(verdict.holds).toBe(true);
      if (verdict.holds) kinds.add(verdict.entry.kind);
    }
    expect([...kinds].sort()).toEqual(['putAccount', 'putBond', 'putRecord']);
    const bond = [...store.state.latest].find(([name]) => name.startsWith('bond:'))![1];
    const verdict = verifyStateProof(kernels, trees.stateProof(bond, header), trees.tip.root);
    expect(verdict.holds && verdict.entry.kind === 'putBond' && verdict.entry.bond).toBe(99n);
  });

  it('are refused with any one byte changed, by this verifier and by the naive one', () => {
    const op = [...store.state.latest.values()][50]!;
    const bytes = encodeStateProof(trees.stateProof(op, header));
    expect(holds(bytes)).toBe(true);
    for (let at = 0; at < bytes.length; at++) {
      const wrong = bytes.slice();
      wrong[at]! ^= 1 << (at % 8);
      expect(holds(wrong), `byte ${at}`).toBe(false);
      expect(naiveVerify(wrong, rootIn), `byte ${at}`).toBe(undefined);
    }
  });

  it('are refused with a reason', () => {
    const op = [...store.state.latest.values()][50]!;
    const proof = trees.stateProof(op, header);
    const reason = (change: Partial<StateProof>, root: Uint8Array = trees.tip.root): string => {
      const verdict = verifyStateProof(kernels, { ...proof, ...change }, root);
      return verdict.holds ? 'holds' : verdict.reason;
    };
    expect(reason({})).toBe('holds');
    expect(reason({}, naiveLeaf(Uint8Array.of(3)))).toBe('root');
    expect(reason({ chunk: new Uint8Array(32).fill(255) })).toBe('root');
    expect(reason({ op: store.state.ops[op + 1]! })).toBe('root');
    expect(reason({ op: proof.op.subarray(4) })).toBe('op');
    expect(reason({ op: new Uint8Array(0) })).toBe('op');
    expect(reason({ opPath: proof.opPath.subarray(32) })).toBe('path');
    expect(reason({ chunkPath: joined(proof.chunkPath, proof.chunk) })).toBe('path');
    expect(reason({ chunk: new Uint8Array(31) })).toBe('path');
    expect(reason({ floor: op + 1 })).toBe('counts');
    expect(reason({ opNumber: -1 })).toBe('counts');
    expect(reason({ opCount: Number.NaN })).toBe('counts');
    expect(reason({ opCount: 2 ** 60 })).toBe('counts');
  });

  it('do not hold for an op that a later one has replaced, nor for a delete', () => {
    const rig = settled([
      [putAccount(1), putAccount(2)],
      [putAccount(1, 5), deleteAccount(2)],
    ]);
    const reason = (op: number): string => {
      // The floor is the oldest active op; a liar would leave it out.
      const proof = rig.trees.stateProof(op, header);
      const verdict = verifyStateProof(kernels, proof, rig.trees.tip.root);
      return verdict.holds ? 'holds' : verdict.reason;
    };
    expect([1, 2, 3, 4, 5].map(reason)).toEqual(['counts', 'counts', 'counts', 'holds', 'op-kind']);
    const all = settled([[putAccount(1), putAccount(2)], [putAccount(2, 5)]]);
    const stale = verifyStateProof(kernels, all.trees.stateProof(2, header), all.trees.tip.root);
    expect(stale).toEqual({ holds: false, reason: 'inactive' });
  });

  it('are unreadable when not exact', () => {
    const proof = trees.stateProof(store.state.floor, header);
    const bytes = encodeStateProof(proof);
    const code = (made: Uint8Array): string => {
      try {
        decodeStateProof(made);
        return 'read';
      } catch (error) {
        return (error as StateProofError).code;
      }
    };
    const changed = (at: number, ...values: number[]): Uint8Array => {
      const made = bytes.slice();
      made.set(values, at);
      return made;
    };
    expect(code(bytes)).toBe('read');
    expect(code(bytes.subarray(0, 39))).toBe('length');
    expect(code(bytes.subarray(0, bytes.length - 1))).toBe('length');
    expect(code(Uint8Array.of(...bytes, 0))).toBe('length');
    expect(code(changed(0, 0))).toBe('magic');
    expect(code(changed(8, 2))).toBe('version');
    expect(code(changed(14, 1))).toBe('reserved');
    expect(code(changed(12, 0, 0))).toBe('op-size');
    expect(code(changed(12, 33))).toBe('op-size');
    expect(code(changed(12, 0xff, 0xff))).toBe('op-size');
    expect(code(changed(30, 0xff, 0xff))).toBe('counts');
    expect(code(changed(16, 255, 255, 255, 255))).toBe('counts');
    expect(() => encodeStateProof({ ...proof, header: new Uint8Array(65_536) })).toThrow(/at most 65535/);
    expect(() => encodeStateProof({ ...proof, opPath: new Uint8Array(0) })).toThrow(/other lengths/);
    expect(() => encodeStateProof({ ...proof, floor: proof.opNumber + 1 })).toThrow(/does not hold/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(40), (noise, at) => {
        const made = changed(at, ...noise.slice(0, bytes.length - at));
        expect(['read', 'length', 'magic', 'version', 'reserved', 'op-size', 'counts']).toContain(code(made));
      }),
      { seed: 31, numRuns: 300 },
    );
  });

  it('have the sizes that the documents say', () => {
    const size = (opCount: number): number => {
      const steps = (index: number, count: number): number => {
        let taken = 0;
        for (let [at, left] = [index, count]; left > 1; [at, left] = [at >> 1, (left + 1) >> 1])
          taken += (at ^ 1) < left ? 1 : 0;
        return taken;
      };
      return 40 + 32 + 32 * steps(0, opCount) + 32 + 32 * steps(0, Math.ceil(opCount / 256));
    };
    // Without the header; twice as many ops as accounts.
    expect([1e3, 1e6, 1e7, 1e8].map((accounts) => size(accounts * 2))).toEqual([552, 1192, 1448, 1640]);
    expect(STATE_PROOF_SIZE_BYTES_MAX).toBe(73_163);
  });

  it('of the empty state there are none', () => {
    const empty = CommitmentTrees.empty(kernels, CHAIN_ID);
    expect(() => empty.stateProof(0, header)).toThrow(CommitmentError);
    expect(hex(empty.tip.root)).toBe(hex(NaiveState.empty.root));
  });
});
