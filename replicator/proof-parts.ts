/** What proof files of both modes share: the magic, and how a designating block is written (72 bytes: height u64, block hash, PoH hash). */
import type { DesignatedBlock } from './proof-file.ts';

export const PROOF_MAGIC: Uint8Array = new TextEncoder().encode('CAIRNPRF');

export function putBlock(bytes: Uint8Array, view: DataView, at: number, block: DesignatedBlock): void {
  view.setBigUint64(at, BigInt(block.height), true);
  bytes.set(block.blockHash, at + 8);
  bytes.set(block.pohHash, at + 40);
}

/** Copies out of `bytes`. */
export function getBlock(bytes: Uint8Array, view: DataView, at: number): DesignatedBlock {
  return {
    height: Number(view.getBigUint64(at, true)),
    blockHash: bytes.slice(at + 8, at + 40),
    pohHash: bytes.slice(at + 40, at + 72),
  };
}
