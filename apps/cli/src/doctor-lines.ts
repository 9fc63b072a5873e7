import { messageOf } from '@berth/kernel'
import { CliError } from './cli-error.ts'
import { findProgram } from './find-program.ts'
import { listPools, type PoolView } from './gateway-client.ts'
import { isAlive } from './processes.ts'
import type { RunState } from './run-state.ts'

/** One line of what `doctor` found; as `pool-managerd check` prints them. */
export interface DoctorLine {
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
}

/** What `up` needs of this machine besides the checkout. */
export const doctorPrograms = (
  env: Readonly<Record<string, string | undefined>>,
): readonly DoctorLine[] => {
  const nats = findProgram('nats-server', env)
  const docker = findProgram('docker', env)
  return [
    { check: 'node', status: 'ok', message: process.version },
    nats !== undefined
      ? { check: 'nats-server', status: 'ok', message: nats }
      : {
          ...{ check: 'nats-server', status: 'warn' },
          message: docker ? `none; ${docker} may run its image` : 'none',
          advice: './berth up installs it where it can: apt-get or brew.',
        },
  ]
}

/** What the fleet that runs says of itself. */
export const doctorFleet = async (state: RunState): Promise<readonly DoctorLine[]> => {
  const services = state.services.map((service): DoctorLine => {
    const check = `service ${service.name}`
    return isAlive(service)
      ? { check, status: 'ok', message: `runs, pid ${service.pid}` }
      : { check, status: 'fail', message: 'has ended', advice: 'Look at .berth/run/logs.' }
  })
  return [...services, ...(await poolLines(state.url))]
}

const poolLines = async (url: string): Promise<readonly DoctorLine[]> => {
  const check = 'gateway'
  try {
    const pools = await listPools(url)
    if (pools) return pools.map(lineOfPool)
    const advice = 'Its log: .berth/run/logs/orchestratord.log'
    return [{ check, status: 'fail', message: `${url} does not answer for the fleet`, advice }]
  } catch (error) {
    // It asks for a key: the fleet may be well, and it is not for us to see.
    const advice = error instanceof CliError ? error.next : 'Look at its log.'
    return [{ check, status: 'warn', message: messageOf(error), advice }]
  }
}

const lineOfPool = ({ id, state, ready, last_error: error }: PoolView): DoctorLine => {
  const check = `pool ${id} now`
  if (ready) return { check, status: 'ok', message: state }
  const advice = `berth pools history ${id}; berth pools logs ${id}`
  const status = state === 'failed' ? 'fail' : 'warn'
  return { check, status, message: error ? `${state}: ${error}` : state, advice }
}
