/** Every Ed25519 backend this machine can run, and the cases on which one errs: shared by the suite and the long campaign. */
import type { Kernels } from '../../native/kernels.ts';
import { sodiumEd25519 } from '../../native/portable/ed25519-backend.ts';
import { portableKernels } from '../../native/portable/index.ts';
import type { Ed25519Case } from './ed25519-cases.ts';
import { VARIANTS } from './variants.ts';

/** Portable ones by name, then every variant of the native twin. */
export const BACKENDS: readonly { name: string; kernels: Kernels }[] = [
  { name: 'node:crypto', kernels: portableKernels('node') },
  { name: 'noble points', kernels: portableKernels('noble') },
  ...(sodiumEd25519() === null ? [] : [{ name: 'sodium', kernels: portableKernels('sodium') }]),
  ...VARIANTS.filter(({ kernels }) => kernels.name === 'native'),
];

/** Verdicts of one packed batch. */
export function verdicts(kernels: Kernels, cases: readonly Ed25519Case[]): Uint8Array {
  const offsets = new Uint32Array(cases.length + 1);
  for (const [i, { message }] of cases.entries()) offsets[i + 1] = offsets[i]! + message.length;
  const pack = (parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
  const out = new Uint8Array(cases.length).fill(7);
  kernels.ed25519Verify(
    pack(cases.map(({ publicKey }) => publicKey)),
    pack(cases.map(({ signature }) => signature)),
    pack(cases.map(({ message }) => message)),
    offsets,
    out,
  );
  return out;
}

/** The cases whose verdict is not the right one. */
export function wrong(kernels: Kernels, cases: readonly Ed25519Case[]): string[] {
  const given = verdicts(kernels, cases);
  return cases.flatMap(({ kind, valid }, i) => (given[i] === Number(valid) ? [] : [`${i}: ${kind} gave ${given[i]}`]));
}
