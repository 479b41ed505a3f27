/**
 * The one error of this folder: bytes (or a text, or a draft to encode) that the formats of docs/format/packets.md do not allow.
 *
 * Invariant: on any input whatever, a decoder either returns a value or throws a `CodecError`; nothing else.
 */

/**
 * Why something was refused.
 * - `truncated`: fewer bytes than the field needs          - `trailing`: bytes after the end
 * - `range`: a number outside what the field allows        - `length`: a byte string or text of the wrong length
 * - `version`, `kind`, `magic`: a value this build does not know   - `reserved`: a reserved field that is not zero
 * - `count`: too few or too many items                     - `size`: the whole is larger than its named maximum
 * - `mismatch`: two fields that contradict each other      - `text`: characters, prefix or checksum of a text form are wrong
 */
export type CodecErrorCode =
  | 'truncated'
  | 'trailing'
  | 'range'
  | 'length'
  | 'version'
  | 'kind'
  | 'magic'
  | 'reserved'
  | 'count'
  | 'size'
  | 'mismatch'
  | 'text';

/** Thrown by every encoder and decoder of this folder. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly code: CodecErrorCode;
  /** The field's dotted name, e.g. `transaction.flags`. */
  readonly field: string;

  /** @param message what was found and what would be right, without the field's name (it is put in front) */
  constructor(code: CodecErrorCode, field: string, message: string) {
    super(`${field}: ${message}`);
    this.code = code;
    this.field = field;
  }
}
