import { describe, expect, it } from '@jest/globals'
import { until } from '@berth/test-support'
import { moreHaveEnded, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { busyHost, startTwoHosts, trafficOn } from './src/two-hosts.ts'

const STALL_S = 2

describe('an engine that hangs under traffic', () => {
  it('is restarted though it says that it is well, and costs only its open streams', async () => {
    await using fleet = await startTwoHosts({}, { stall_timeout_s: STALL_S })
    const mix = { stream: 6, whole: 1, slow: 1 }
    await using traffic = trafficOn(fleet, { mix, seed: 81 })
    await moreHaveEnded(traffic, 6)
    const { pool, enginePid } = await busyHost(fleet)
    const hungAtMs = performance.now()
    await fleet.sim(pool).turn({ hang: true })
    const readyMs = await timed(async () => {
      await until('another engine answers', async () => {
        const state = await fleet
          .sim(pool)
          .state()
          .catch(() => undefined)
        return state !== undefined && state.pid !== enginePid
      })
      await fleet.poolIsReady(pool)
    })
    await moreHaveEnded(traffic, 12)
    const report = await traffic.stop()

    const figures = await recordRow('engine-hung', report, { readyMs })
    const { terminalErrors: _, ...rest } = UNHARMED
    expect(figures).toMatchObject(rest)
    expect(figures.terminalErrors).toBeGreaterThan(0)
    const hit = report.terminalErrors.map((error) => ({ pool: error.pool, code: error.code }))
    expect(hit).toEqual(hit.map(() => ({ pool, code: 'WORKER_RESET' })))
    expect(report.terminalErrors.every(({ endedAtMs }) => endedAtMs > hungAtMs)).toBe(true)
  }, 120_000)
})
