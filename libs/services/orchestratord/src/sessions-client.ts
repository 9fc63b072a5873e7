import { SchedulerService, type GetSessionResponse } from '@berth/contract'
import { createCoreClients, type CoreAddresses } from './core-clients.ts'

/** Whose session. */
export interface SessionName {
  readonly tenant: string
  readonly sessionId: string
}

/** What core keeps of clients' sessions, as a port. Fails with `BerthError` only. */
export interface Sessions {
  /** Throws `SESSION_NOT_FOUND`. */
  get(name: SessionName, correlationId: string): Promise<GetSessionResponse>
  /** Forgets a session; not an error when there is none. */
  end(name: SessionName, correlationId: string): Promise<void>
}

/** Asks the leader, which alone knows sessions. */
export const createSessionsClient = (cores: CoreAddresses): Sessions & Disposable => {
  const clients = createCoreClients(SchedulerService, cores)
  return {
    get: (name, correlationId) =>
      clients.ask((client) => client.getSession(name, { correlationId })),
    end: async (name, correlationId) => {
      await clients.ask((client) => client.endSession(name, { correlationId }))
    },
    [Symbol.dispose]: () => clients[Symbol.dispose](),
  }
}
