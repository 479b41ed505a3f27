/**
 * The names of the simulated disk: paths from the root to what they stand for, and the changes of them that a power cut may lose.
 *
 * Invariants
 * - A folder's removal or renaming takes all under it along.
 * - A change is applied to whichever names there are then: earlier ones may not have landed.
 */
import { dirname } from 'node:path';
import type { SimulatedInode } from './simulated-inode.ts';

/** What a name stands for. */
export type Entry = SimulatedInode | 'folder';
/** A change of the tree, which may land by itself or not at all. */
export type NameChange =
  | { readonly kind: 'put'; readonly path: string; readonly entry: Entry }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly from: string; readonly entry: Entry };

/** Makes one change, with what lies under a folder. */
export function applyChange(names: Map<string, Entry>, change: NameChange): void {
  if (change.kind === 'put') names.set(change.path, change.entry);
  else if (change.kind === 'remove') removeTree(names, change.path);
  else if (change.entry === 'folder') moveTree(names, change.from, change.path);
  else moveFile(names, change.from, change.path, change.entry);
}

/** A name and all under it. The copy taken first allows changes on the way. */
export function* tree(names: ReadonlyMap<string, Entry>, path: string): Generator<[string, Entry]> {
  for (const [name, entry] of [...names]) if (name === path || name.startsWith(`${path}/`)) yield [name, entry];
}

/** Removes a name and all under it. */
export function removeTree(names: Map<string, Entry>, path: string): void {
  for (const [name] of tree(names, path)) names.delete(name);
}

/** What is renamed is that file, whatever stands at its old name where earlier changes have not landed. */
function moveFile(names: Map<string, Entry>, from: string, to: string, file: SimulatedInode): void {
  names.delete(from);
  names.set(to, file);
}

/** From the root down. */
export function foldersAbove(path: string): string[] {
  const above: string[] = [];
  for (let folder = dirname(path); folder !== '/' && folder !== '.'; folder = dirname(folder)) above.unshift(folder);
  return above;
}

function moveTree(names: Map<string, Entry>, from: string, to: string): void {
  if (!names.has(from)) return;
  removeTree(names, to);
  for (const [name, entry] of tree(names, from)) {
    names.delete(name);
    names.set(to + name.slice(from.length), entry);
  }
}
