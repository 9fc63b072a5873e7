/** An Ollama that answers. */
export interface OllamaFound {
  /** `http://HOST:PORT`, without a trailing slash. */
  readonly url: string
  readonly version: string
  /** Models on its disk that can chat, the newest first. */
  readonly models: readonly string[]
}

const DEFAULT_PORT = 11434
/** It is on this machine, or meant to be near: who does not answer in this time is not there. */
const TIMEOUT_MS = 1_000

/** The Ollama of `OLLAMA_HOST`, else the one of this machine; `undefined` when none answers. */
export const findOllama = async (
  env: Readonly<Record<string, string | undefined>>,
): Promise<OllamaFound | undefined> => {
  const url = ollamaUrl(env['OLLAMA_HOST'])
  if (url === undefined) return undefined
  const version = await read(`${url}/api/version`)
  if (typeof version?.['version'] !== 'string') return undefined
  const tags = await read(`${url}/api/tags`)
  return { url, version: version['version'], models: namesOf(tags?.['models']) }
}

/**
 * Where `OLLAMA_HOST` points to, as Ollama's own client reads it: a host, a port, both or an
 * address; `undefined` for what is none.
 */
export const ollamaUrl = (host = ''): string | undefined => {
  const text = host.trim()
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text || '127.0.0.1'}`)
  const given = url ?? URL.parse(`http://127.0.0.1${text}`)
  if (!given) return undefined
  // Where it listens is not where it is asked.
  const name = ANY.has(given.hostname) ? '127.0.0.1' : given.hostname
  const isPlain = given.protocol === 'http:' && !/:80\b/.test(text)
  const port = given.port || (isPlain ? String(DEFAULT_PORT) : '')
  return `${given.protocol}//${name}${port === '' ? '' : `:${port}`}`
}

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '[::]'])

const read = async (url: string): Promise<Record<string, unknown> | undefined> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    return response.ok ? ((await response.json()) as Record<string, unknown>) : undefined
  } catch {
    // Nobody there, or somebody else.
    return undefined
  }
}

/** Ollama lists what was changed last first. */
const namesOf = (models: unknown): string[] =>
  (Array.isArray(models) ? models : []).flatMap((model: unknown) => {
    const { name, details } = (model ?? {}) as { name?: unknown; details?: { family?: string } }
    const isEmbedding = /bert/i.test(details?.family ?? '')
    return typeof name === 'string' && !isEmbedding ? [name] : []
  })
