import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/kernel'

/** The variables that tell a token and the Hub's address, as its own tools read them. */
export type HubEnv = Readonly<Record<string, string | undefined>>

const MAX_CHARS = 512

/**
 * The token for the Hub: `HF_TOKEN`, else the file at `HF_TOKEN_PATH`, else the one that
 * `hf auth login` writes. `undefined` when there is none. Rejects with `UNAUTHENTICATED` for one
 * that cannot be a token; the message never holds it.
 */
export const readHubToken = async (env: HubEnv): Promise<string | undefined> => {
  const given = env.HF_TOKEN ?? env.HUGGING_FACE_HUB_TOKEN
  if (given !== undefined && given.trim() !== '') return checked(given, 'HF_TOKEN')
  for (const path of tokenPaths(env)) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text.trim() !== '') return checked(text, 'The token file')
  }
  return undefined
}

/** Where the Hub is, without a trailing slash: `HF_ENDPOINT`, else the public one. */
export const readHubEndpoint = (env: HubEnv): string => {
  const given = (env.HF_ENDPOINT ?? '').trim().replace(/\/+$/, '')
  const endpoint = given === '' ? 'https://huggingface.co' : given
  const url = URL.parse(endpoint)
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash)
    throw new BerthError(
      'CONFIG_INVALID',
      'HF_ENDPOINT is no address of a Hub. Write it as https://HOST.',
    )
  return endpoint
}

const tokenPaths = (env: HubEnv): readonly string[] => {
  if (env.HF_TOKEN_PATH) return [env.HF_TOKEN_PATH]
  if (env.HF_HOME) return [join(env.HF_HOME, 'token')]
  const cache = env.XDG_CACHE_HOME ?? (env.HOME ? join(env.HOME, '.cache') : undefined)
  return cache === undefined ? [] : [join(cache, 'huggingface', 'token')]
}

const checked = (text: string, from: string): string => {
  const token = text.trim()
  if (token.length <= MAX_CHARS && /^[\x21-\x7e]+$/.test(token)) return token
  throw new BerthError(
    'UNAUTHENTICATED',
    `${from} holds no token of the Hub: it has white space, other characters than ASCII, or more than ${MAX_CHARS}. Set it to a token as the Hub shows it.`,
  )
}
