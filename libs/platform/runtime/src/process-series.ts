import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

/**
 * Sampling period of the event-loop delay, in milliseconds. Each sample wakes the process: at 20
 * they were half of what an idle one cost. A block shorter than the period may go unseen.
 */
const RESOLUTION_MS = 100
const WINDOW_MS = 60_000
const QUANTILES = ['0.5', '0.99', '1'] as const

/** Shows what every process shows of itself. */
export const addProcessSeries = (read: Metrics['read']): Disposable => {
  read('process_resident_memory_bytes', (show) => show({}, process.memoryUsage.rss()))
  read('process_cpu_seconds_total', (show) => {
    const { user, system } = process.cpuUsage()
    show({}, (user + system) / 1e6)
  })
  read('process_open_handles', (show) => show({}, process.getActiveResourcesInfo().length))
  const startedS = Date.now() / 1000 - process.uptime()
  read('process_start_time_seconds', (show) => show({}, startedS))
  return addEventLoopDelay(read)
}

/**
 * Delay beyond the sampling period. Each minute starts anew, and the worse of the present one and
 * the one before is shown: a reset at each scrape would hide peaks from a second reader.
 */
const addEventLoopDelay = (read: Metrics['read']): Disposable => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const seconds = () =>
    [delay.percentile(50), delay.percentile(99), delay.max].map((nanoseconds) =>
      Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3),
    )
  let before = [0, 0, 0]
  const turn = setInterval(() => {
    before = seconds()
    delay.reset()
  }, WINDOW_MS)
  turn.unref()
  read('process_event_loop_delay_seconds', (show) => {
    const now = seconds()
    QUANTILES.forEach((quantile, index) =>
      show({ quantile }, Math.max(now[index]!, before[index]!)),
    )
  })
  return {
    [Symbol.dispose]: () => {
      clearInterval(turn)
      delay.disable()
    },
  }
}
