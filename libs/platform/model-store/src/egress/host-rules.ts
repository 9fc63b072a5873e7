import { BerthError } from '@berth/kernel'

/** Which hosts the store may ask. Each entry: `[http://]HOST[:PORT]`, HOST may begin with `*.`. */
export interface EgressOptions {
  /** Beside the Hub and Ollama's registry. `http://` allows plain HTTP of that host. */
  readonly hosts?: readonly string[]
  /** These as well, and they may have private or loopback addresses. */
  readonly privateHosts?: readonly string[]
  /** False: the Hub and Ollama's registry are not asked unless `hosts` names them. */
  readonly hasDefaults?: boolean
}

/** What is allowed of one host. */
export interface HostRule {
  /** Lower case; `*.` in front for all its sub-domains. */
  readonly host: string
  /** Empty for the scheme's own. */
  readonly port: string
  readonly isHttpAllowed: boolean
  readonly isPrivateAllowed: boolean
  /** Only where a host that is allowed sends us: storage that others rent as well. */
  readonly isRedirectOnly: boolean
}

/**
 * The Hub answers a file with a redirect to storage below `hf.co` or `huggingface.co`
 * (huggingface.co/docs/hub/models-downloading, "Downloading behind a proxy or firewall"),
 * Ollama's registry with one to Cloudflare R2, where every customer has a host.
 */
const DEFAULT_HOSTS = ['huggingface.co', '*.huggingface.co', 'hf.co', '*.hf.co']
const OLLAMA_HOSTS = ['registry.ollama.ai', '*.ollama.ai', 'ollama.com', '*.ollama.com']
const OLLAMA_STORAGE = '*.r2.cloudflarestorage.com'

/** The rules of the settings. Throws `CONFIG_INVALID` for an entry that cannot be read. */
export const readHostRules = (options: EgressOptions = {}): readonly HostRule[] => [
  ...(options.privateHosts ?? []).map((entry) => ({ ...readEntry(entry), isPrivateAllowed: true })),
  ...(options.hosts ?? []).map(readEntry),
  ...(options.hasDefaults === false
    ? []
    : [
        ...[...DEFAULT_HOSTS, ...OLLAMA_HOSTS].map(readEntry),
        { ...readEntry(OLLAMA_STORAGE), isRedirectOnly: true },
      ]),
]

const readEntry = (entry: string): HostRule => {
  const [, scheme, host = '', port = ''] =
    /^(?:(https?):\/\/)?(\*|(?:\*\.)?[\w.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?\/?$/i.exec(entry) ?? []
  if (host === '')
    throw new BerthError(
      'CONFIG_INVALID',
      `"${entry.slice(0, 100)}" names no host that models may come from. Write HOST, HOST:PORT, *.HOST or http://HOST.`,
    )
  const isHttpAllowed = scheme?.toLowerCase() === 'http'
  return {
    ...{ host: host.toLowerCase(), port: isOwnPort(port, isHttpAllowed) ? '' : port },
    ...{ isHttpAllowed, isPrivateAllowed: false, isRedirectOnly: false },
  }
}

const isOwnPort = (port: string, isHttp: boolean): boolean => port === (isHttp ? '80' : '443')

/**
 * The rule that allows the address, or why none does. `isRedirect`: an allowed host sent us there.
 */
export const checkAddress = (
  rules: readonly HostRule[],
  url: URL,
  isRedirect: boolean,
): HostRule | BerthError => {
  const host = url.hostname.replace(/\.$/, '')
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return refused(`${url.protocol.slice(0, 20)} is no way to fetch a model`, 'Use https.')
  if (url.username !== '' || url.password !== '')
    return refused(`An address at ${host} holds a password`, 'Use an address without one.')
  const matching = rules.filter((rule) => matches(rule, host, url.port))
  const reachable = matching.filter((rule) => isRedirect || !rule.isRedirectOnly)
  if (reachable.length === 0)
    return refused(
      `${isRedirect ? 'A model source sends us to' : 'The model comes from'} ${url.host}, a host that models may not come from`,
      'Add it to egressAllow in the settings of the agent, or use another source.',
    )
  const allowed = reachable.find((rule) => url.protocol === 'https:' || rule.isHttpAllowed)
  return (
    allowed ??
    refused(
      `${url.host} would be asked without TLS`,
      `Use https, or add http://${url.host} to egressAllow in the settings of the agent.`,
    )
  )
}

const matches = (rule: HostRule, host: string, port: string): boolean => {
  if (rule.port !== port) return false
  if (rule.host === '*') return true
  return rule.host.startsWith('*.') ? host.endsWith(rule.host.slice(1)) : host === rule.host
}

/** The scheme that a registry is spoken to with: https unless the settings say http. */
export const schemeFor = (rules: readonly HostRule[], host: string): 'http' | 'https' => {
  const url = URL.parse(`http://${host}/`)
  if (!url) return 'https'
  const found = rules.some((rule) => rule.isHttpAllowed && matches(rule, url.hostname, url.port))
  return found ? 'http' : 'https'
}

const refused = (fact: string, nextStep: string) =>
  new BerthError('FORBIDDEN', `${fact}. ${nextStep}`)
