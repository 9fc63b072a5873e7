import type { ClientSession } from './session.ts'

/** Sessions by key, those used longest ago first. */
export interface SessionTable extends Iterable<[string, ClientSession]> {
  readonly size: number
  get(key: string): ClientSession | undefined
  /** Puts a session in as the one used last, whether or not it is there. */
  set(key: string, session: ClientSession): void
  /** False when there is none. */
  delete(key: string): boolean
  clear(): void
  values(): Iterable<ClientSession>
  /**
   * Who makes room: of the tenant with the most sessions, the one used longest ago that has nothing
   * running. Where several have as many, of the tenant that was here longest ago. Undefined when
   * all sessions run.
   */
  leastUsed(): string | undefined
}

/** The sessions of one tenant, in the order of their use. */
type OfTenant = Map<string, ClientSession>

/**
 * A table without sessions. Each change takes the same time however many there are; looking for
 * who makes room passes each session that runs once at most for each time it was used.
 */
export const createSessionTable = (): SessionTable => {
  const byKey = new Map<string, ClientSession>()
  const byTenant = new Map<string, OfTenant>()
  /** Tenants by how many sessions they have, those that were here longest ago first. */
  const bySize = new Map<number, Set<string>>()
  let largest = 0

  const takeOut = (key: string) => {
    const session = byKey.get(key)
    if (!session) return false
    const sessions = byTenant.get(session.tenant)!
    unrank(session.tenant, sessions.size)
    byKey.delete(key)
    sessions.delete(key)
    if (sessions.size === 0) byTenant.delete(session.tenant)
    else rank(session.tenant, sessions.size)
    while (largest > 0 && !bySize.has(largest)) largest -= 1
    return true
  }
  const rank = (tenant: string, size: number) => {
    const tenants = bySize.get(size)
    if (tenants) tenants.add(tenant)
    else bySize.set(size, new Set([tenant]))
    largest = Math.max(largest, size)
  }
  const unrank = (tenant: string, size: number) => {
    const tenants = bySize.get(size)
    tenants?.delete(tenant)
    if (tenants?.size === 0) bySize.delete(size)
  }
  return {
    get size() {
      return byKey.size
    },
    get: (key) => byKey.get(key),
    set: (key, session) => {
      takeOut(key)
      const { tenant } = session
      const sessions = byTenant.get(tenant) ?? new Map<string, ClientSession>()
      unrank(tenant, sessions.size)
      byTenant.set(tenant, sessions)
      byKey.set(key, session)
      sessions.set(key, session)
      rank(tenant, sessions.size)
    },
    delete: takeOut,
    clear: () => {
      for (const map of [byKey, byTenant, bySize]) map.clear()
      largest = 0
    },
    values: () => byKey.values(),
    leastUsed: () => {
      for (let size = largest; size > 0; size--) {
        for (const tenant of bySize.get(size) ?? []) {
          const key = firstIdle(byTenant.get(tenant)!)
          if (key !== undefined) return key
        }
      }
      return undefined
    },
    [Symbol.iterator]: () => byKey.entries(),
  }
}

/** Those that run go behind: they are used, and once they have ended they are there anyway. */
const firstIdle = (sessions: OfTenant): string | undefined => {
  let left = sessions.size
  for (const [key, session] of sessions) {
    if (session.open === 0) return key
    if ((left -= 1) === 0) return undefined
    sessions.delete(key)
    sessions.set(key, session)
  }
  return undefined
}
