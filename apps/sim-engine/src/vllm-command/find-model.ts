import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Arguments } from './read-argv.ts'
import type { HubModel, World } from './world.ts'

type Env = Readonly<Record<string, string | undefined>>
/** `undefined`: the model can be read. */
type LastWords = readonly string[] | undefined

const HUB = 'https://huggingface.co'
const LOGGED_OUT =
  'If you are trying to access a private or gated repo, make sure you are authenticated.'

/** The last words of a vLLM that cannot get its model, as the client of the Hub says them. */
export const missModel = ({ model, has }: Arguments, world: World, env: Env): LastWords => {
  if (model.startsWith('/')) return missFolder(model)
  if (env['HF_HUB_OFFLINE'] === '1') return missInCache(model, env)
  const known = world.hub?.[model]
  const token = env['HF_TOKEN'] ?? ''
  if (!known || (known.access === 'private' && known.tokens?.includes(token) !== true))
    return missAtHub(model, token)
  if (known.access === 'gated' && known.tokens?.includes(token) !== true)
    return missAtGate(model, token)
  return missSupport(model, known, has('--trust-remote-code'))
}

const missFolder = (path: string): LastWords =>
  existsSync(join(path, 'config.json'))
    ? undefined
    : [
        `OSError: Can't load the configuration of '${path}'. If you were trying to load it from ` +
          `'${HUB}/models', make sure you don't have a local directory with the same name.`,
      ]

const missInCache = (model: string, env: Env): LastWords => {
  const cache = env['HF_HUB_CACHE'] ?? join(env['HF_HOME'] ?? '/nowhere', 'hub')
  const snapshots = join(cache, `models--${model.replace('/', '--')}`, 'snapshots')
  const isThere =
    existsSync(snapshots) &&
    readdirSync(snapshots).some((name) => existsSync(join(snapshots, name, 'config.json')))
  return isThere
    ? undefined
    : [
        'huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files in the ' +
          'disk cache and outgoing traffic has been disabled. To enable hf.co look-ups and ' +
          "downloads online, set 'HF_HUB_OFFLINE' to False.",
        `OSError: We couldn't connect to '${HUB}' to load the files, and couldn't find them in ` +
          'the cached files.',
      ]
}

/** Who is logged out cannot tell a private model from none. */
const missAtHub = (model: string, token: string): LastWords => [
  `huggingface_hub.errors.RepositoryNotFoundError: ${token === '' ? 401 : 404} Client Error. ` +
    '(Request ID: Root=1-simulated)',
  '',
  `Repository Not Found for url: ${HUB}/api/models/${model}/tree/main?recursive=true.`,
  `Please make sure you specified the correct \`repo_id\` and \`repo_type\`. ${LOGGED_OUT}`,
]

const missAtGate = (model: string, token: string): LastWords => [
  `OSError: You are trying to access a gated repo.`,
  `${token === '' ? 401 : 403} Client Error. (Request ID: Root=1-simulated)`,
  '',
  `Cannot access gated repo for url ${HUB}/${model}/resolve/main/config.json.`,
  token === ''
    ? `Access to model ${model} is restricted. You must have access to it and be authenticated ` +
      'to access it. Please log in.'
    : `Access to model ${model} is restricted and you are not in the authorized list. ` +
      `Visit ${HUB}/${model} to ask for access.`,
]

const missSupport = (
  model: string,
  { architecture, hasCode }: HubModel,
  mayRunCode: boolean,
): LastWords => {
  if (hasCode === true && !mayRunCode)
    return [
      `ValueError: The repository ${model} contains custom code which must be executed to ` +
        'correctly load the model. Please pass the argument `trust_remote_code=True` to allow ' +
        'custom code to be run.',
    ]
  return architecture === undefined
    ? undefined
    : [
        'pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig',
        `  Value error, Model architectures ['${architecture}'] are not supported for now.`,
      ]
}
