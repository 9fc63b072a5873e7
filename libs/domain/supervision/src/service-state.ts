import { unreachable } from '@berth/kernel'
import type { PoolState } from './pool-state.ts'

/** The seven service states of the seeds (001-ST-1 to 001-ST-8). */
export const SERVICE_STATES = [
  'Running',
  'Starting',
  'Stopping',
  'Stopped',
  'Failed',
  'Crashed',
  'Unknown',
] as const

/** One of `SERVICE_STATES`. */
export type ServiceState = (typeof SERVICE_STATES)[number]

/**
 * The service state of a pool. A server that we do not run (`hasProcess` false) and that does not
 * answer is `Unknown`: from outside nobody can tell starting from gone.
 */
export const serviceStateOf = (state: PoolState, hasProcess: boolean): ServiceState => {
  switch (state.kind) {
    case 'stopped':
      return 'Stopped'
    case 'preparing':
    case 'starting':
      return hasProcess ? 'Starting' : 'Unknown'
    case 'ready':
    case 'draining':
      return 'Running'
    case 'stopping':
      return 'Stopping'
    case 'backoff':
    case 'crashed':
      return 'Crashed'
    case 'failed':
      return 'Failed'
    default:
      return unreachable(state)
  }
}

/** Reads the string form of a service state, whatever its case; `undefined` for anything else. */
export const parseServiceState = (text: string): ServiceState | undefined =>
  SERVICE_STATES.find((state) => state.toLowerCase() === text.toLowerCase())
