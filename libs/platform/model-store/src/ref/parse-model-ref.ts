import type { FileRef, HttpsRef, ModelSourceRef } from './model-ref.ts'
import { parseHubRef } from './parse-hub-ref.ts'
import { parseOciRef, parseOllamaRef } from './parse-registry-ref.ts'
import { refuseRef } from './refuse-ref.ts'

const MAX_CHARS = 1024
/** Control characters, marks that change how a line reads, line ends. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/**
 * Reads a model reference: `file:`, `hf:`, `https:`, `ollama:` or `oci:` (grammar: README). It
 * looks at nothing but the text: whether such a model exists, and whether its host may be asked,
 * is found out later. Throws `INVALID_PARAMS` with the fact and the next step, and nothing else.
 */
export const parseModelRef = (ref: string): ModelSourceRef => {
  if (ref === '') throw refuseRef(ref, 'is empty', SCHEMES)
  if (ref.length > MAX_CHARS)
    throw refuseRef(ref, `has ${ref.length} characters, more than ${MAX_CHARS}`, SCHEMES)
  if (!ref.isWellFormed() || UNSEEN.test(ref))
    throw refuseRef(ref, 'holds a control or invisible character', 'Write it in plain text.')
  if (ref.startsWith('-'))
    throw refuseRef(ref, 'begins with "-" and could be read as a flag', SCHEMES)
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9]*):(.*)$/s.exec(ref) ?? []
  switch (scheme) {
    case 'file':
      return parseFileRef(ref, rest)
    case 'hf':
      return parseHubRef(ref, rest)
    // Plain http is refused later, by the hosts that may be asked: only they know of exceptions.
    case 'http':
    case 'https':
      return parseHttpsRef(ref)
    case 'ollama':
      return parseOllamaRef(ref, rest)
    case 'oci':
      return parseOciRef(ref, rest)
    default:
      throw refuseRef(ref, scheme ? `has an unknown scheme "${scheme}:"` : 'has no scheme', SCHEMES)
  }
}

const SCHEMES =
  'Write hf:ORG/NAME[@REVISION][:FILE], file:PATH, https://HOST/FILE, ollama:NAME[:TAG] or oci:HOST/REPOSITORY:TAG.'

const parseFileRef = (ref: string, rest: string): FileRef => {
  const next = 'Write file:/absolute/path or file:PATH below the model folder.'
  const path = rest.replace(/^\/\/(?=\/)/, '')
  if (path === '') throw refuseRef(ref, 'names no path', next)
  if (path.startsWith('-')) throw refuseRef(ref, 'begins its path with "-"', next)
  if (path.split(/[/\\]/).includes('..')) throw refuseRef(ref, 'holds ".." in its path', next)
  const plain = path.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '')
  return { scheme: 'file', path: plain, canonical: `file:${plain}` }
}

const parseHttpsRef = (ref: string): HttpsRef => {
  const next = 'Write the address of one file, such as https://example.org/models/name.gguf.'
  const url = URL.parse(ref)
  if (!url || !/^https?:\/\/[^/]/i.test(ref)) throw refuseRef(ref, 'is no valid address', next)
  if (url.username || url.password) throw refuseRef(ref, 'holds a user or password', next)
  if (url.hash) throw refuseRef(ref, 'holds a fragment', next)
  if (ref.includes('\\')) throw refuseRef(ref, 'holds a backslash', next)
  const fileName = fileNameOf(url)
  if (fileName === '') throw refuseRef(ref, 'names no file', next)
  return { scheme: 'https', url, fileName, canonical: url.href }
}

/** The last part of the path with nothing in it that a file system or a shell could misread. */
const fileNameOf = (url: URL): string =>
  (url.pathname.split('/').at(-1) ?? '')
    .replace(/%[0-9a-f]{2}/gi, '_')
    .replace(/[^\w.-]/g, '_')
    .replace(/^[.-]+/, '')
    .slice(-150)
    .replace(/^[.-]+/, '')
