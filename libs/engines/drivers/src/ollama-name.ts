/**
 * The names of Ollama: `[host/][namespace/]model[:tag]`, where a host may have a port and what is
 * left out is `registry.ollama.ai`, `library` and `latest` (source: types/model/name.go of Ollama).
 */

const PART = /^\w[\w.-]{0,79}$/
const HOST = /^\w[\w.:-]{0,349}$/
const DEFAULT_HOST = 'registry.ollama.ai/'
const DEFAULT_NAMESPACE = 'library/'
const DEFAULT_TAG = ':latest'

/** Registries that models come from unless a pool names others: Ollama's own and the Hub. */
const KNOWN_HOSTS: readonly string[] = [
  ...['registry.ollama.ai', 'ollama.com', 'hf.co', 'huggingface.co'],
]

/** What is wrong with a model's name for Ollama; `undefined` when nothing is. */
export const problemOfName = (
  name: string,
  registries: readonly string[] = [],
): string | undefined => {
  const { path, tag } = split(name)
  const parts = path.split('/')
  const host = parts.length > 2 ? parts.shift() : undefined
  const isWell =
    parts.length <= 2 &&
    parts.every((part) => PART.test(part)) &&
    (host === undefined || HOST.test(host)) &&
    (tag === undefined || PART.test(tag))
  if (!isWell)
    return (
      `${JSON.stringify(name.slice(0, 80))} is no name of a model of Ollama: ` +
      'write it as llama3.2, llama3.2:3b or hf.co/owner/name:Q4_K_M'
    )
  // The daemon asks whatever host a name begins with.
  return host === undefined || [...KNOWN_HOSTS, ...registries].includes(host.toLowerCase())
    ? undefined
    : `${host} is no registry that models may come from: name it in engine_options.registries`
}

/** The name as people write it: without what Ollama adds by itself. */
export const shortName = (name: string): string => {
  const { path, tag } = split(name)
  const owned = cut(path, DEFAULT_HOST)
  const short = cut(owned, DEFAULT_NAMESPACE)
  return tag === undefined || `:${tag}`.toLowerCase() === DEFAULT_TAG ? short : `${short}:${tag}`
}

/** The same text for every spelling of one model: Ollama ignores case. */
export const ollamaNameOf = (name: string): string => shortName(name).toLowerCase()

const cut = (path: string, start: string): string =>
  path.toLowerCase().startsWith(start) ? path.slice(start.length) : path

/** A colon before a slash belongs to the port of the host. */
const split = (name: string) => {
  const at = name.indexOf(':', name.lastIndexOf('/') + 1)
  return at < 0 ? { path: name } : { path: name.slice(0, at), tag: name.slice(at + 1) }
}
