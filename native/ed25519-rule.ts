/**
 * The byte checks of our one Ed25519 rule, done by us before any backend sees a signature, because libraries differ here.
 *
 * The rule: S < L; A and R canonical and not of small order; then the cofactorless equation, comparing R's bytes. A signature that
 * passes here is one on whose equation every backend agrees. Small order is a finite list: the 8 torsion points have 5
 * different y coordinates, so on canonical bytes it is a comparison of y, with either sign.
 * Source: RFC 8032, section 5.1; Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs" (2020).
 */

const POINT_BYTES = 32;

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: POINT_BYTES }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** The field's prime. */
const P = 2n ** 255n - 19n;
/** The group's prime order. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
/** y of two of the four points of order 8; the other two have its negative. */
const Y_OF_ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;

const P_BYTES = littleEndian(P);
const L_BYTES = littleEndian(L);
/** y of the points of order 1, 2, 4, 8 and 8. */
const SMALL_ORDER_Y: readonly Uint8Array[] = [1n, P - 1n, 0n, Y_OF_ORDER_8, P - Y_OF_ORDER_8].map(littleEndian);

/** Whether the 32 bytes at `at`, with `topMask` applied to the last, are below `limit`, little-endian. */
function below(bytes: Uint8Array, at: number, topMask: number, limit: Uint8Array): boolean {
  for (let i = POINT_BYTES - 1; i >= 0; i--) {
    const byte = i === POINT_BYTES - 1 ? bytes[at + i]! & topMask : bytes[at + i]!;
    if (byte !== limit[i]) return byte < limit[i]!;
  }
  return false;
}

function equalsY(bytes: Uint8Array, at: number, y: Uint8Array): boolean {
  for (let i = 0; i < POINT_BYTES - 1; i++) if (bytes[at + i] !== y[i]) return false;
  return (bytes[at + 31]! & 0x7f) === y[31];
}

/** Whether the 32 bytes at `at` are a canonical y, with any sign bit, and not that of a point of small order. */
function acceptablePoint(bytes: Uint8Array, at: number): boolean {
  return below(bytes, at, 0x7f, P_BYTES) && !SMALL_ORDER_Y.some((y) => equalsY(bytes, at, y));
}

/**
 * The byte checks for the signature at `signatureAt` under the key at `keyAt`.
 * A key that is not on the curve passes here; the backend refuses it.
 */
export function passesByteChecks(
  publicKeys: Uint8Array,
  keyAt: number,
  signatures: Uint8Array,
  signatureAt: number,
): boolean {
  return (
    below(signatures, signatureAt + POINT_BYTES, 0xff, L_BYTES) &&
    acceptablePoint(publicKeys, keyAt) &&
    acceptablePoint(signatures, signatureAt)
  );
}
