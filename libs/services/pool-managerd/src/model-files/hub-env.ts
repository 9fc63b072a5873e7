import { BerthError } from '@berth/kernel'
import { readHubToken, type HubEnv } from '@berth/model-store'

/**
 * The environment of the agent with the token of the Hub that its settings name: the store asks
 * with it, and engines that fetch for themselves find it as `HF_TOKEN`. Rejects with
 * `UNAUTHENTICATED` for a file that holds no token.
 */
export const withHubToken = async (
  env: Readonly<Record<string, string | undefined>>,
  tokenFile: string | undefined,
): Promise<HubEnv> => {
  if (tokenFile === undefined) return env
  const token = await readHubToken({ HF_TOKEN_PATH: tokenFile })
  if (token !== undefined) return { ...env, HF_TOKEN_PATH: tokenFile, HF_TOKEN: token }
  throw new BerthError(
    'CONFIG_INVALID',
    `hf_token_file: ${tokenFile} holds no token, or cannot be read. Write one there, or leave it out.`,
  )
}
