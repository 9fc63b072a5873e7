import { BerthError, type Clock } from '@berth/kernel'
import { watchKeyFile, type KeySource } from '@berth/keys'
import { isLoopback, type Logger, type Scope } from '@berth/runtime'
import type { GatewayConfig } from './config.ts'
import type { Need } from './http/access.ts'

export interface OpenAccess {
  /** Undefined: nobody is asked who they are. */
  readonly keys: KeySource | undefined
  /** Who may read `/metrics`. */
  readonly metricsNeed: Need
}

/**
 * Decides from the settings whether callers need keys, and opens the key file. Throws
 * `CONFIG_INVALID` for a door that would be open to other machines, for settings that contradict
 * each other, and for a key file that is wrong or has no key.
 */
export const openAccess = (
  scope: Scope,
  { config, clock, log }: { config: GatewayConfig; clock: Clock; log: Logger },
): OpenAccess => {
  const { httpHost, keysFile, insecure } = config
  const isLocal = isLoopback(httpHost)
  if (config.auth === 'none' && keysFile !== undefined)
    throw invalid('auth none and keys_file contradict each other: drop one of them.')
  const auth = config.auth ?? (keysFile !== undefined ? 'keys' : 'none')
  if (auth === 'none') {
    if (!isLocal && !insecure) throw openDoor(httpHost)
    return { keys: undefined, metricsNeed: 'open' }
  }
  if (keysFile === undefined) throw invalid(`auth keys needs a key file. ${HOW_TO_MAKE_ONE}`)
  const keys = scope.use(watchKeyFile({ path: keysFile, clock, log }))
  if (keys.current.size === 0) throw invalid(`${keysFile} has no key. ${HOW_TO_MAKE_ONE}`)
  return { keys, metricsNeed: isLocal ? 'open' : 'operator' }
}

const HOW_TO_MAKE_ONE =
  'Make a key: `berth keys new --id NAME --tenant NAME --file keys.yaml`, then start with ' +
  '--keys-file keys.yaml (BERTH_KEYS_FILE).'

const openDoor = (host: string) =>
  invalid(
    `http_host ${host} can be reached from other machines and requests are not authenticated. ` +
      `${HOW_TO_MAKE_ONE} Or bind to 127.0.0.1, or start with --insecure (BERTH_INSECURE=true) ` +
      'if everyone who can reach it may use it.',
  )

const invalid = (message: string) => new BerthError('CONFIG_INVALID', message)
