/**
 * Packets and their bytes: transactions, votes, entries, headers, blocks, certificates, PoH packets; keys and text forms.
 * Pure: no I/O, no clock, no randomness. Layouts: docs/format/packets.md. Of storage it imports the Merkle module itself, not the face,
 * so that threads and clients that only check bytes do not load a database.
 */
export {
  ACCOUNT_PROOF_SIZE_BYTES_MAX,
  type AccountProofFault,
  type AccountProofVerdict,
  verifyAccountProof,
} from './account-proof.ts';
export {
  assembleBlock,
  BLOCK_ENTRIES_MAX,
  BLOCK_HEAD_SIZE_BYTES,
  BLOCK_SIZE_BYTES_MAX,
  blockSizeBytes,
  blockTransactions,
  blockVotes,
  countTransactions,
  decodeBlock,
  encodeBlock,
} from './block.ts';
export { ByteReader } from './byte-reader.ts';
export { ByteWriter } from './byte-writer.ts';
export { CERTIFICATE_VOTES_MAX, decodeCertificate, encodeCertificate } from './certificate.ts';
export { CodecError, type CodecErrorCode } from './codec-error.ts';
export { BLOCK_TAG, decoyRoot, type Hasher, SIGNATURE_SIZE_BYTES, tagged, taggedHash, VOTE_TAG } from './domain.ts';
export { ENTRY_HEAD_SIZE_BYTES, entryItems, entrySizeBytes } from './entry.ts';
export {
  ENTRY_LEAF_SIZE_BYTES,
  entriesRoot,
  entryLeaf,
  entryLeafHashes,
  entryMixin,
  entryMixins,
  itemLeafHashes,
  itemsRoot,
  type RootKernels,
} from './entry-roots.ts';
export { decodeHeader, encodeHeader, HEADER_SIZE_BYTES, signHeader } from './header.ts';
export * from './market-model.ts';
export { findingBitsSizeBytes, findingsSizeBytes, replicaNameOrder } from './market-payload.ts';
export * from './model.ts';
export {
  decodePohPacket,
  encodePohPacket,
  POH_PACKET_SIZE_BYTES,
  pohPacketDraft,
  signPohPacket,
} from './poh-packet.ts';
export { findingsSecret, type SealSubject, secretSeal, wordMask } from './seal.ts';
export {
  headerSignature,
  packSignedMessages,
  packTransactionsForVerify,
  packVotesForVerify,
  pohPacketSignature,
  type SignatureBatch,
  type SignedMessage,
  transactionSignature,
  voteSignature,
} from './signature-batch.ts';
export { addressOf, SEED_SIZE_BYTES, type SigningKey, signingKey } from './signing.ts';
export { isStakePayload } from './stake-payload.ts';
export {
  ADDRESS_PREFIX,
  decodeBase58,
  decodeHex,
  encodeBase58,
  encodeHex,
  formatAddress,
  parseAddress,
  parseHash,
  parsePublicKey,
  parseSignature,
} from './text.ts';
export {
  decodeTransaction,
  encodeTransaction,
  signedBytes,
  signTransaction,
  TRANSACTION_OVERHEAD_SIZE_BYTES,
  TRANSACTION_SIZE_BYTES_MAX,
  type TransactionFields,
} from './transaction.ts';
export {
  type Findings,
  hasFinding,
  sealFindings,
  setFinding,
  type ValidationList,
  validationMessage,
} from './validation.ts';
export { decodeVote, encodeVote, signVote, VOTE_SIZE_BYTES, voteMessage } from './vote.ts';
