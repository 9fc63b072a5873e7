import type { HubRef } from './model-ref.ts'
import { refuseRef } from './refuse-ref.ts'

/** Longest part of a repository's name (huggingface_hub: `REPO_ID_REGEX`). */
const NAME_MAX_CHARS = 96
const REVISION_MAX_CHARS = 128
const SELECTOR_MAX_CHARS = 256

const NEXT = 'Write hf:ORG/NAME, hf:ORG/NAME@REVISION or hf:ORG/NAME:FILE, as the Hub names it.'

/** Reads what follows `hf:`. The rules of names are those of huggingface_hub `validate_repo_id`. */
export const parseHubRef = (ref: string, rest: string): HubRef => {
  const [, repository = '', revision, selector] =
    /^([^@:]*)(?:@([^:]*))?(?::(.*))?$/s.exec(rest) ?? []
  checkRepository(ref, repository)
  if (revision !== undefined) checkRevision(ref, revision)
  if (selector !== undefined) checkSelector(ref, selector)
  const at = revision ?? 'main'
  const end = selector === undefined ? '' : `:${selector}`
  return {
    ...{ scheme: 'hf', repository, revision: at, canonical: `hf:${repository}@${at}${end}` },
    ...(selector === undefined ? {} : { selector }),
  }
}

const checkRepository = (ref: string, repository: string): void => {
  const parts = repository.split('/')
  if (parts.length !== 2) throw refuseRef(ref, 'does not name ORG/NAME', NEXT)
  for (const part of parts) {
    if (part.length > NAME_MAX_CHARS)
      throw refuseRef(ref, `has a name longer than ${NAME_MAX_CHARS} characters`, NEXT)
    if (!/^[\w.-]+$/.test(part))
      throw refuseRef(ref, 'has characters other than letters, digits, "-", "_" and "."', NEXT)
    if (/^[-.]|[-.]$/.test(part))
      throw refuseRef(ref, 'begins or ends a name with "-" or "."', NEXT)
    if (/--|\.\./.test(part)) throw refuseRef(ref, 'has "--" or ".." in a name', NEXT)
    if (part.endsWith('.git')) throw refuseRef(ref, 'ends a name with ".git"', NEXT)
  }
}

const checkRevision = (ref: string, revision: string): void => {
  const next = 'A revision is a branch, a tag or a commit, such as hf:ORG/NAME@main.'
  if (revision.length > REVISION_MAX_CHARS) throw refuseRef(ref, 'has too long a revision', next)
  if (!/^\w[\w./-]*$/.test(revision) || /\.\.|\/\/|\/\.|[/.]$|\.lock(\/|$)/.test(revision))
    throw refuseRef(ref, 'has a revision that git would not take', next)
}

const checkSelector = (ref: string, selector: string): void => {
  const next = 'After ":" write a file, a pattern such as *Q8_0*.gguf, or a quantization.'
  if (selector === '') throw refuseRef(ref, 'ends with ":" and names no file', next)
  if (selector.length > SELECTOR_MAX_CHARS) throw refuseRef(ref, 'names too long a file', next)
  if (/^[-/~]|[\\:]/.test(selector) || selector.split('/').some((part) => /^\.{0,2}$/.test(part)))
    throw refuseRef(ref, 'names a file outside its repository', next)
}
