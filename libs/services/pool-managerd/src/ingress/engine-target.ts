/** Where requests to one engine go, in the words of `http.request`. */
export interface EngineTarget {
  readonly isTls: boolean
  readonly host: string
  /** Empty for the port of the scheme. */
  readonly port: string
  /** Goes before the path of a request. */
  readonly pathPrefix: string
}

/** Addresses change with instances: as many as an agent has pools, and the newest stay. */
const KEPT = 256

/** Reads base addresses of engines, each once: a URL costs more to read than a lease to check. */
export const createTargets = (): ((baseUrl: string) => EngineTarget) => {
  const known = new Map<string, EngineTarget>()
  return (baseUrl) => {
    const before = known.get(baseUrl)
    if (before) return before
    const url = new URL(baseUrl)
    const target = {
      isTls: url.protocol === 'https:',
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port,
      pathPrefix: url.pathname.replace(/\/$/, ''),
    }
    known.set(baseUrl, target)
    for (const oldest of known.keys()) {
      if (known.size <= KEPT) break
      known.delete(oldest)
    }
    return target
  }
}
