const MAX_CHARS = 1024
const PART_MAX_CHARS = 255
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/**
 * True for a file name of a repository that may become a path on this machine: relative, without
 * `..`, backslash, drive or invisible character. Whoever writes a repository chooses these names
 * (huggingface_hub pull request 4540).
 */
export const isSafePath = (path: string): boolean =>
  path.length <= MAX_CHARS &&
  path.isWellFormed() &&
  !UNSEEN.test(path) &&
  !path.includes('\\') &&
  path
    .split('/')
    .every(
      (part) =>
        part !== '' &&
        part !== '.' &&
        part !== '..' &&
        Buffer.byteLength(part) <= PART_MAX_CHARS &&
        !/^[a-z]:/i.test(part),
    )
