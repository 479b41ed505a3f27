/**
 * The error both twins throw when a file cannot be mapped or synced.
 */

/** `code` is the system's (ENOENT, ENOSPC, EACCES ...), or EINVAL for a file shorter than the mapping asked for. */
export class MappedFileError extends Error {
  override readonly name = 'MappedFileError';
  readonly code: string;
  /** The file's path. */
  readonly path: string;

  constructor(code: string, path: string, what: string, options?: ErrorOptions) {
    super(`${code}: ${what}: ${path}`, options);
    this.code = code;
    this.path = path;
  }
}

/** A file shorter than the mapping: reading past its end would kill the process, so it is refused. */
export function tooShort(path: string, found: number, wanted: number): MappedFileError {
  return new MappedFileError(
    'EINVAL',
    path,
    `file has ${found} bytes, the mapping needs ${wanted}; create it or map less`,
  );
}
