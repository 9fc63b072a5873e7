import { monitorEventLoopDelay } from 'node:perf_hooks'
import {
  Counter,
  Gauge,
  Histogram,
  Registry,
  type CounterConfiguration,
  type GaugeConfiguration,
  type HistogramConfiguration,
} from 'prom-client'

/** The series of one process. Names carry their unit (`_seconds`, `_bytes`, `_total`). */
export interface Metrics extends Disposable {
  readonly registry: Registry
  counter<L extends string>(options: CounterConfiguration<L>): Counter<L>
  gauge<L extends string>(options: GaugeConfiguration<L>): Gauge<L>
  histogram<L extends string>(options: HistogramConfiguration<L>): Histogram<L>
  /** All series in the Prometheus text format. */
  text(): Promise<string>
}

/**
 * A registry of its own for a service, with the process series every service shows: memory, CPU,
 * event-loop delay and open handles. Every series carries the label `service`. prom-client's
 * default collectors stay off: they walk /proc and hook the garbage collector on each scrape.
 */
export const createMetrics = (service: string): Metrics => {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  const registers = [registry]
  const delay = addProcessSeries(registry)
  return {
    registry,
    counter: (options) => new Counter({ ...options, registers }),
    gauge: (options) => new Gauge({ ...options, registers }),
    histogram: (options) => new Histogram({ ...options, registers }),
    text: () => registry.metrics(),
    [Symbol.dispose]: () => {
      delay.disable()
      registry.clear()
    },
  }
}

const addProcessSeries = (registry: Registry) => {
  const registers = [registry]
  const read = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value())
      },
    })
  read('process_resident_memory_bytes', 'Resident memory of the process.', () =>
    process.memoryUsage.rss(),
  )
  read('process_cpu_seconds_total', 'User and system time of the process.', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  read(
    'process_open_handles',
    'Resources that keep the event loop busy.',
    () => process.getActiveResourcesInfo().length,
  )
  const started = Date.now() / 1000 - process.uptime()
  read('process_start_time_seconds', 'Start of the process, Unix time.', () => started)
  return addEventLoopDelay(registry)
}

/** Delay beyond the 20 ms sampling period, since the last scrape. */
const addEventLoopDelay = (registry: Registry) => {
  const resolution = 20
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  new Gauge({
    name: 'process_event_loop_delay_seconds',
    help: 'How late timers fire: the delay of the event loop since the last scrape.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const [quantile, nanoseconds] of [
        ['0.5', delay.percentile(50)],
        ['0.99', delay.percentile(99)],
        ['1', delay.max],
      ] as const)
        this.set({ quantile }, Math.max(0, nanoseconds / 1e9 - resolution / 1e3))
      delay.reset()
    },
  })
  return delay
}
