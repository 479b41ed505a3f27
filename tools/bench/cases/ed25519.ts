/** Ed25519 by our one rule: different keys and messages, a bad signature here and there. */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Work } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

const SIGNATURES = 1024;
/** A transfer without its signature. */
const MESSAGE_BYTES = 112;
const PEER_SIGNATURES = 16;
/** Before a 32-byte seed: PKCS #8 of an Ed25519 private key (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Length of a public key's SubjectPublicKeyInfo before its 32 bytes. */
const SPKI_HEAD_BYTES = 12;

/** Whether signature i is a bad one. */
const isSpoilt = (i: number): boolean => i % 100 === 99;

function signedMessages(count: number) {
  const seeds = sampleBytes(32 * count, 40);
  const messages = sampleBytes(MESSAGE_BYTES * count, 41);
  const [publicKeys, signatures] = [new Uint8Array(32 * count), new Uint8Array(64 * count)];
  for (let i = 0; i < count; i += 1) {
    const der = Buffer.concat([PKCS8_HEAD, seeds.subarray(32 * i, 32 * i + 32)]);
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    publicKeys.set(publicKey.subarray(SPKI_HEAD_BYTES), 32 * i);
    const message = messages.subarray(MESSAGE_BYTES * i, MESSAGE_BYTES * (i + 1));
    signatures.set(sign(null, message, privateKey), 64 * i);
    if (isSpoilt(i)) signatures[64 * i + 40]! ^= 1;
  }
  const offsets = Uint32Array.from({ length: count + 1 }, (_, i) => i * MESSAGE_BYTES);
  return { publicKeys, signatures, messages, offsets };
}

type Verify = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array, index: number) => boolean;

export const ed25519Verify: BenchCase = {
  name: 'ed25519.verify',
  unit: 'signatures',
  limitIs: 'the field multiplications in IFMA lanes',
  prepare(context) {
    const count = context.size === 'tiny' ? 104 : SIGNATURES;
    const { publicKeys, signatures, messages, offsets } = signedMessages(count);
    const peer = (check: Verify): Work => {
      let next = 0;
      const call = (): void => {
        for (let n = 0; n < PEER_SIGNATURES; n += 1) {
          const i = next++ % count;
          const message = messages.subarray(MESSAGE_BYTES * i, MESSAGE_BYTES * (i + 1));
          const key = publicKeys.subarray(32 * i, 32 * i + 32);
          if (check(signatures.subarray(64 * i, 64 * i + 64), message, key, i) === isSpoilt(i))
            throw new RangeError(`signature ${i} got the wrong verdict`);
        }
      };
      return { units: PEER_SIGNATURES, call };
    };
    const keyObjects = Array.from({ length: count }, (_, i) => {
      const x = Buffer.from(publicKeys.subarray(32 * i, 32 * i + 32)).toString('base64url');
      return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    });
    const { sodium } = context.peers;
    return {
      ours: (kernels) => {
        const verdicts = new Uint8Array(count);
        const call = (): void => kernels.ed25519Verify(publicKeys, signatures, messages, offsets, verdicts);
        return { units: count, call };
      },
      peers: {
        'node:crypto': peer((signature, message, _, i) => verify(null, message, keyObjects[i]!, signature)),
        noble: peer((signature, message, key) => ed25519.verify(signature, message, key)),
        'sodium-native':
          sodium && peer((signature, message, key) => sodium.crypto_sign_verify_detached(signature, message, key)),
      },
      limit: limitWork(context, 'ed25519Field', SIGNATURES),
      result: (kernels) => {
        const verdicts = new Uint8Array(count);
        kernels.ed25519Verify(publicKeys, signatures, messages, offsets, verdicts);
        return joined(signatures, verdicts);
      },
    };
  },
};
