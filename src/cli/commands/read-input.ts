/** Reads a whole input file of bounded size; what cannot be read ends a command with exit code 2. */
import { readFile, stat } from 'node:fs/promises';
import { GENESIS_SIZE_BYTES_MAX, type Genesis, parseGenesis } from '../../ledger/index.ts';
import { unusable } from '../failure.ts';

/** @param sizeBytesMax larger files are refused before they are read */
export async function readInput(file: string, sizeBytesMax: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > sizeBytesMax) throw new RangeError(`it is ${size} bytes; at most ${sizeBytesMax} are read`);
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw unusable(`cannot read ${file}: ${(error as Error).message}`);
  }
}

/** Reads and checks a genesis file. */
export async function readGenesis(file: string): Promise<Genesis> {
  const bytes = await readInput(file, GENESIS_SIZE_BYTES_MAX);
  try {
    return parseGenesis(bytes);
  } catch (error) {
    throw unusable(`${file}: ${(error as Error).message}`);
  }
}
