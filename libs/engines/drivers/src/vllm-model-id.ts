const NAME_MAX_CHARS = 96

/**
 * What is wrong with the id of a Huggingface repository, or `undefined`. The rules of the Hub
 * (acode 5.2): letters, digits, `_`, `-` and `.`, at most one `/`, names up to 96 characters, no
 * `--` or `..`, no `-` or `.` at an edge, no `.git` at the end. An id never begins like a flag.
 */
export const checkRepositoryId = (id: string): string | undefined => {
  const parts = id.split('/')
  if (parts.length > 2) return 'has more than one "/": expected org/name'
  if (parts.some((part) => part === '')) return 'has an empty part: expected org/name'
  if (!/^[\w.\-/]+$/.test(id) || /\n/.test(id)) return 'may hold letters, digits, "_", "-" and "."'
  if (parts.some((part) => /^[-.]|[-.]$/.test(part)))
    return 'has a part that begins or ends with "-" or "."'
  if (/--|\.\./.test(id)) return 'must not hold "--" or ".."'
  if (id.endsWith('.git')) return 'must not end with ".git"'
  if (parts.some((part) => part.length > NAME_MAX_CHARS))
    return `has a part of more than ${NAME_MAX_CHARS} characters`
  return undefined
}

/** A repository and the revision that is wanted of it. */
export interface Repository {
  readonly id: string
  readonly revision?: string
}

/** Reads `hf:org/name@revision`, also without the scheme; `undefined` for what is no repository. */
export const readRepository = (ref: string): Repository | undefined => {
  const [, scheme, rest = ''] = /^(?:([a-z]+):)?(.*)$/s.exec(ref) ?? []
  if (scheme !== undefined && scheme !== 'hf') return undefined
  const at = rest.lastIndexOf('@')
  return at < 0 ? { id: rest } : { id: rest.slice(0, at), revision: rest.slice(at + 1) }
}

/** Problems of the reference of a repository, to stand after `model: `. */
export const checkRepository = (ref: string): readonly string[] => {
  const repository = readRepository(ref)
  if (!repository) return []
  const { id, revision } = repository
  const problem = checkRepositoryId(id)
  return [
    ...(problem === undefined
      ? []
      : [`${shown(id)} ${problem}. Ids are as at https://huggingface.co/models`]),
    ...(revision === undefined || /^[\w][\w./-]{0,255}$/.test(revision)
      ? []
      : [`revision ${shown(revision)} is no branch, tag or commit`]),
  ]
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 120))
