import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '@berth/contract/grpc'
import { BerthError } from '@berth/kernel'
import { implement, type RpcService } from './implement.ts'

/** The standard health service over one switch for the whole server. */
export interface HealthState {
  readonly rpcService: RpcService
  readonly setServing: (isServing: boolean) => void
}

/**
 * `grpc.health.v1.Health` for the given services and `''`, the server itself. Starts as serving.
 *
 * Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export const createHealth = (serviceNames: readonly string[]): HealthState => {
  const names = new Set(['', ...serviceNames])
  let status: ServingStatus = ServingStatus.SERVING
  const watchers = new Set<() => void>()
  const statusOf = (name: string): ServingStatus =>
    names.has(name) ? status : ServingStatus.SERVICE_UNKNOWN

  const changed = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const wake = () => {
        watchers.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      watchers.add(wake)
      signal.addEventListener('abort', wake)
    })

  const rpcService = implement(Health, {
    check: async ({ service }) => {
      if (names.has(service)) return { status }
      throw new BerthError('UNSUPPORTED_ROUTE', `Service "${service}" is not served here.`)
    },
    list: async () => ({
      statuses: Object.fromEntries([...names].map((name) => [name, { status }])),
    }),
    watch: async function* ({ service }, { signal }) {
      let told: ServingStatus | undefined
      while (!signal.aborted) {
        const now = statusOf(service)
        if (now !== told) {
          told = now
          yield { status: now }
        }
        if (statusOf(service) === told) await changed(signal)
      }
    },
  })

  return {
    rpcService,
    setServing: (isServing) => {
      status = isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING
      for (const wake of [...watchers]) wake()
    },
  }
}
