import { messageOf, type Clock } from '@berth/kernel'
import type { CliError } from './cli-error.ts'
import type { Paths } from './paths.ts'
import { recordOf } from './processes.ts'
import { writeRunState, type FleetPorts, type RunState } from './run-state.ts'
import type { ServicePlan } from './service-plan.ts'
import { createService, type Service } from './service-process.ts'
import type { Terminal } from './terminal.ts'

export interface FleetOptions {
  readonly paths: Paths
  readonly clock: Clock
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly ports: FleetPorts
  readonly plans: readonly ServicePlan[]
}

/** The processes of one `up`. What is known of them is written down at every change. */
export interface Fleet extends AsyncDisposable {
  /** Starts them one after the other, each when the one before is ready. */
  start(): Promise<void>
  state(): RunState
  enter(phase: RunState['phase']): void
  /** Rejects when a service has died too often. */
  readonly gaveUp: Promise<never>
}

export const createFleet = (options: FleetOptions): Fleet => {
  const { paths, clock, ports, terminal } = options
  const supervisor = recordOf('up', process.pid)
  const startedAtMs = clock.wall()
  const services: Service[] = []
  let phase: RunState['phase'] = 'starting'
  let giveUp: (error: CliError) => void = () => undefined
  const gaveUp = new Promise<never>((_, reject) => (giveUp = reject))
  // Awaited only once everything runs; until then `start` fails by itself.
  gaveUp.catch(() => undefined)

  const state = (): RunState => ({
    version: 1,
    phase,
    url: `http://127.0.0.1:${ports.gateway}`,
    startedAtMs,
    supervisor,
    ports,
    services: services.flatMap((service) => service.record() ?? []),
  })
  let isOver = false
  let isWritten = true
  // The news that the last one has ended may come after the state was removed.
  const save = () => {
    if (isOver) return
    try {
      writeRunState(paths, state())
      isWritten = true
    } catch (error) {
      // A full disk. The fleet runs on, and what dies of it is started again.
      if (isWritten) terminal.print(`! The state cannot be written: ${messageOf(error)}`)
      isWritten = false
    }
  }

  return {
    start: async () => {
      for (const plan of options.plans) {
        const service = createService({ ...options, plan, onChange: save, onGiveUp: giveUp })
        services.push(service)
        await service.start()
      }
    },
    state,
    enter: (next) => {
      phase = next
      save()
    },
    gaveUp,
    [Symbol.asyncDispose]: async () => {
      phase = 'stopping'
      save()
      const failures: unknown[] = []
      for (const service of services.toReversed()) {
        try {
          await service[Symbol.asyncDispose]()
        } catch (error) {
          failures.push(error)
        }
      }
      isOver = true
      if (failures.length > 0) throw new AggregateError(failures, 'Not everything stopped.')
    },
  }
}
