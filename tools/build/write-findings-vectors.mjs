/**
 * Writes test/vectors/findings.json: sealed findings and what opens them, as docs/format/packets.md has them, by node:crypto alone and none of this project's code.
 * Run when the format was changed on purpose: node tools/build/write-findings-vectors.mjs
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';

const bytesOf = (sizeBytes, seed) =>
  Buffer.from(Array.from({ length: sizeBytes }, (_, at) => (seed * 31 + at * 7 + 1) & 0xff));
const sha256 = (...parts) =>
  createHash('sha256')
    .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
    .digest();
const u16 = (value) => Buffer.from([value & 0xff, value >>> 8]);
const u32 = (value) => Buffer.from([0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff));
const u64 = (value) => Buffer.concat([u32(value), u32(0)]);

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const secretKey = createPrivateKey({
  key: Buffer.concat([PKCS8_PREFIX, bytesOf(32, 1)]),
  format: 'der',
  type: 'pkcs8',
});
const publicKey = createPublicKey(secretKey).export({ format: 'der', type: 'spki' }).subarray(-32);
const signed = (message) => sign(null, message, secretKey);

const chainId = bytesOf(32, 90);
const period = 45;
const reasons = { unstated: 0, 'samples-root': 4 };

/** Everything one validator makes: the secret, the seal, the sealed bits and the signature. */
function sealedFindings(seat, entries, words) {
  const subject = [chainId, u16(seat), u32(period)];
  const secret = sha256(
    'cairn/findings-secret/1',
    signed(Buffer.concat([Buffer.from('cairn/findings-key/1'), ...subject, Buffer.alloc(1)])),
  );
  const seal = sha256('cairn/findings/1', ...subject, secret);
  const masks = entries.map(
    ({ segment, identity }) => (sha256('cairn/findings-mask/1', secret, u32(segment), identity)[0] & 1) === 1,
  );
  const size = Math.ceil(entries.length / 8);
  const [spoken, sealed] = [Buffer.alloc(size), Buffer.alloc(size)];
  for (const [at, word] of words.entries()) {
    if (word === null) continue;
    spoken[at >> 3] |= 1 << (at & 7);
    if (word !== masks[at]) sealed[at >> 3] |= 1 << (at & 7);
  }
  const names = entries.map(({ segment, identity }) => Buffer.concat([u32(segment), identity]));
  const head = [Buffer.from('cairn/validations/2'), chainId, u32(period), u16(entries.length), u16(0), ...names];
  const message = Buffer.concat([...head, seal, spoken, sealed]);
  return { seat, words, secret, seal, masks, spoken, sealed, message, signature: signed(message) };
}

/** A transaction of a kind, as the packets of vectors.ts have it. */
function transaction(kind, payload) {
  const head = Buffer.concat([bytesOf(20, 2), u64(50_000), Buffer.from([1, kind]), Buffer.alloc(6)]);
  const unsigned = Buffer.concat([head, payload, u64(1), u64(1_000), publicKey]);
  return { bytes: Buffer.concat([unsigned, signed(unsigned)]), id: sha256(unsigned) };
}

const entries = Array.from({ length: 9 }, (_, at) => ({ segment: 46 + at, identity: bytesOf(20, 60 - at) }));
const voters = [
  sealedFindings(3, entries, [true, false, true, null, true, true, false, true, true]),
  sealedFindings(1023, entries, [null, null, null, null, null, null, null, null, false]),
];
const names = Buffer.concat(entries.map(({ segment, identity }) => Buffer.concat([u32(segment), identity])));
const parts = voters.map(({ seat, seal, spoken, sealed, signature }) =>
  Buffer.concat([u16(seat), seal, spoken, sealed, signature]),
);
const validations = transaction(25, Buffer.concat([u32(period), u16(9), u16(2), names, ...parts]));
const secrets = voters.map(({ seat, secret }) => Buffer.concat([u16(seat), secret]));
const settled = ['unstated', 'samples-root'].map((reason, at) =>
  Buffer.concat([u32(entries[at].segment), entries[at].identity, Buffer.from([reasons[reason], 0])]),
);
const unseal = transaction(32, Buffer.concat([u32(period), u16(2), u16(2), ...secrets, ...settled]));

const hex = (value) => (Buffer.isBuffer(value) ? value.toString('hex') : value);
const texts = (value) => Object.fromEntries(Object.entries(value).map(([name, part]) => [name, hex(part)]));
const content = {
  note: 'Written by node:crypto alone (tools/build/write-findings-vectors.mjs). The validator of every seat has the key of seed pattern(32, 1); pattern(n, s) is n bytes (31 s + 7 i + 1) mod 256.',
  seed: hex(bytesOf(32, 1)),
  chainId: hex(chainId),
  period,
  entries: entries.map(texts),
  voters: voters.map(texts),
  validations: texts(validations),
  unseal: texts(unseal),
};
await writeFile(
  new URL('../../test/vectors/findings.json', import.meta.url),
  `${JSON.stringify(content, undefined, 2)}\n`,
);
process.stdout.write('findings.json written\n');
