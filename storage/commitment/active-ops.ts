/**
 * The active ops of one version of the log, ascending: what compaction moves.
 */

import { assertInvariant } from '../errors.ts';
import {
  ADDRESS_SIZE_BYTES,
  KIND_PUT_ACCOUNT,
  KIND_PUT_BOND,
  KIND_PUT_RECORD,
  OP_HEAD_SIZE_BYTES,
} from '../oplog/op-layout.ts';
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

/** The key that a put's bytes hold (borrowed), and what it names. Throws on anything but a put: the bitmap says it is one. */
export function putKey(op: Uint8Array): { kind: ActiveOp['kind']; key: Uint8Array } {
  const kind = ACTIVE_KINDS[op[0]!];
  assertInvariant(kind !== undefined, `op of kind ${op[0]} is no put`);
  const size = kind === 'record' ? op[1]! : ADDRESS_SIZE_BYTES;
  return { kind, key: op.subarray(OP_HEAD_SIZE_BYTES, OP_HEAD_SIZE_BYTES + size) };
}

/** Walks the active ops of a branch from `floor` on; each twig of the log is read once. */
export function* activeOps(
  activity: ActivityVersions,
  twigs: TwigSource,
  branch: Branch,
  floor: number,
  opCount: number,
): Generator<ActiveOp> {
  for (let chunk = Math.floor(floor / CHUNK_OPS); chunk * CHUNK_OPS < opCount; chunk++) {
    let twig: TwigOps | undefined;
    for (const bit of setBits(activity.chunk(branch.version, chunk))) {
      const op = chunk * CHUNK_OPS + bit;
      const holder = branch.holding(op);
      if (holder !== undefined) yield { op, height: holder.height, ...putKey(holder.op(op)) };
      else {
        twig ??= twigs.readTwig(chunk);
        const index = op - twig.firstOp;
        const bytes = twig.bytes.subarray(twig.offsets[index]!, twig.offsets[index + 1]!);
        yield { op, height: twigs.heightOf(op), ...putKey(bytes) };
      }
    }
  }
}

/** Numbers of the bits set in a chunk, ascending. */
function* setBits(chunk: Uint8Array): Generator<number> {
  for (let byte = 0; byte < chunk.length; byte++)
    for (let rest = chunk[byte]!; rest !== 0; rest &= rest - 1) yield byte * 8 + 31 - Math.clz32(rest & -rest);
}
