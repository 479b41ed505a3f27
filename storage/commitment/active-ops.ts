/**
 * The active ops of one version of the log, ascending: what compaction moves.
 */

import { assertInvariant } from '../errors.ts';
import { KIND_PUT_ACCOUNT, KIND_PUT_BOND, KIND_PUT_RECORD, OP_HEAD_SIZE_BYTES } from '../oplog/op-layout.ts';
import type { ActiveOp } from '../state-reader.ts';
import { CHUNK_OPS } from './activity-tree.ts';
import type { ActivityVersions } from './activity-versions.ts';
import type { Branch } from './branch.ts';
import type { TwigOps, TwigSource } from './sources.ts';

/** What puts are of, by the kind byte of an op. */
const ACTIVE_KINDS: Readonly<Record<number, ActiveOp['kind']>> = {
  [KIND_PUT_ACCOUNT]: 'account',
  [KIND_PUT_RECORD]: 'record',
  [KIND_PUT_BOND]: 'bond',
};

/**
 * Walks the active ops of a branch from `floor` on; each twig of the log is read once. One generator and no closure: a block that writes
 * much moves as many ops.
 */
export function* activeOps(
  activity: ActivityVersions,
  twigs: TwigSource,
  branch: Branch,
  floor: number,
  opCount: number,
): Generator<ActiveOp> {
  for (let chunk = Math.floor(floor / CHUNK_OPS); chunk * CHUNK_OPS < opCount; chunk++) {
    const bits = activity.chunk(branch.version, chunk);
    const logEnd = branch.logEnd;
    let twig: TwigOps | undefined;
    for (let byte = 0; byte < bits.length; byte++)
      for (let rest = bits[byte]!; rest !== 0; rest &= rest - 1) {
        const op = chunk * CHUNK_OPS + byte * 8 + 31 - Math.clz32(rest & -rest);
        if (op < logEnd) {
          twig ??= twigs.readTwig(chunk);
          yield loggedOp(twigs, twig, op);
        } else yield unsettledOp(branch.holding(op), op);
      }
  }
}

function loggedOp(twigs: TwigSource, twig: TwigOps, op: number): ActiveOp {
  const start = twig.offsets[op - twig.firstOp]!;
  return { op, kind: kindOf(twig.bytes[start]!), key: keyAt(twig.bytes, start), height: twigs.heightOf(op) };
}

function unsettledOp(branch: Branch, op: number): ActiveOp {
  const bytes = branch.op(op);
  return { op, kind: kindOf(bytes[0]!), key: keyAt(bytes, 0), height: branch.height };
}

/** What a put of this kind is of. The bitmap says that it is one. */
function kindOf(kind: number): ActiveOp['kind'] {
  const active = ACTIVE_KINDS[kind];
  assertInvariant(active !== undefined, `op of kind ${kind} is no put`);
  return active;
}

/** The key of the op that begins at `start`; borrowed. */
function keyAt(bytes: Uint8Array, start: number): Uint8Array {
  return bytes.subarray(start + OP_HEAD_SIZE_BYTES, start + OP_HEAD_SIZE_BYTES + bytes[start + 1]!);
}
