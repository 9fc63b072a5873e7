import { connect } from 'node:net'
import type { ServicePlan } from './service-plan.ts'

const LOOK_TIMEOUT_MS = 2_000

/** Asks a service once whether it is ready: its `/readyz`, or the greeting of NATS. */
export const isReady = (plan: ServicePlan): Promise<boolean> =>
  plan.ready.kind === 'http' ? answersOk(plan.ready.url) : greets(plan.port)

const answersOk = async (url: string): Promise<boolean> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) })
    await response.body?.cancel()
    return response.ok
  } catch {
    // Not listening yet.
    return false
  }
}

const greets = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: LOOK_TIMEOUT_MS })
    const end = (isGreeted: boolean) => {
      socket.destroy()
      resolve(isGreeted)
    }
    socket.once('data', (bytes) => end(bytes.toString().startsWith('INFO ')))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
    socket.once('close', () => resolve(false))
  })
