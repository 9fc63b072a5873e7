import type { EngineAccess, EngineSpec, LaunchPlan } from '@berth/supervision'

/** Problems of a pool whose server Berth does not start: it needs a `url`. */
export const checkUrl = ({ url }: EngineSpec): string[] => {
  if (url === undefined) return ['url: is needed when Berth does not start the server']
  const parsed = URL.parse(url)
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) {
    return [`url: ${JSON.stringify(url)} is not an http or https address`]
  }
  // A key in the address would end up in logs.
  return parsed.username === '' ? [] : ['url: must not hold a user name or a password']
}

/** Attaches to the server at `spec.url`. The address may end in `/v1`; paths add it themselves. */
export const attach = (spec: EngineSpec, access: Omit<EngineAccess, 'baseUrl'>): LaunchPlan => ({
  kind: 'attach',
  access: { ...access, baseUrl: (spec.url ?? '').replace(/\/+$/, '').replace(/\/v1$/, '') },
})

/** The header that carries a key; none for an empty key. */
export const bearer = (apiKey: string): Readonly<Record<string, string>> =>
  apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` }
