import type { RpcLog } from '@berth/rpc'
import { createMetrics } from '@berth/runtime'
import type { CorePolicy } from '../core-state.ts'
import type { CoreEvent } from '../core-event.ts'
import { createReporter } from '../events.ts'
import { registerGauges } from '../gauges.ts'
import { createSeries } from '../series.ts'
import { createRig, type Rig } from './rig.ts'

type Line = Readonly<Record<string, unknown>>

/** A rig whose events go to real series and a log that is written down. */
export interface ToldRig extends Disposable {
  readonly rig: Rig
  /** Tells of an event that the rig did not have. */
  report(event: CoreEvent): void
  /** Lines of one message, oldest first. */
  logged(message: string): readonly Line[]
  /** Everything that was logged, as text. */
  allLogged(): string
  /**
   * What every series of jobs gained since this was asked last: `name{label="value"}` to the
   * difference; of histograms count and sum.
   */
  gains(): Promise<Readonly<Record<string, number>>>
  /** The samples of one series now. */
  samples(name: string): Promise<Readonly<Record<string, number>>>
}

const OF_JOBS = /^(tasks_|tokens_|admission_|latency_|berth_job_outcome|berth_leases_voided)/

export const createToldRig = (policy: Partial<CorePolicy> = {}): ToldRig => {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, ...fields })
  const log = {
    ...{ debug: write('debug'), info: write('info') },
    ...{ warn: write('warn'), error: write('error') },
  } as unknown as RpcLog
  const metrics = createMetrics('orchestrator-core')
  const series = createSeries(metrics)
  const report = createReporter({ series, log, view: () => rig.coordinator.core.view })
  // The first events come while the rig is made, and none of them looks at the view.
  const rig: Rig = createRig(policy, true, (event) => report(event))
  registerGauges(metrics, rig.coordinator.core)
  let before: Readonly<Record<string, number>> = {}
  const read = async (isWanted: (sample: string) => boolean) =>
    Object.fromEntries(
      (await metrics.text())
        .split('\n')
        .filter((line) => !line.startsWith('#') && isWanted(line))
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
    )
  return {
    rig,
    report,
    logged: (message) => lines.filter((line) => line['message'] === message),
    allLogged: () => JSON.stringify(lines),
    gains: async () => {
      const now = await read((line) => OF_JOBS.test(line) && !line.includes('_bucket'))
      const gained = Object.entries(now).flatMap(([sample, value]) => {
        const gain = value - (before[sample] ?? 0)
        return gain === 0 ? [] : [[sample, gain] as const]
      })
      before = now
      return Object.fromEntries(gained)
    },
    samples: (name) => read((line) => line.startsWith(name)),
    [Symbol.dispose]: () => metrics[Symbol.dispose](),
  }
}
