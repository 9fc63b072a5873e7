import { kill } from 'node:process'
import { describe, expect, it } from '@jest/globals'
import { until } from '@berth/test-support'
import { moreHaveEnded, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { busyHost, startTwoHosts, trafficOn } from './src/two-hosts.ts'

describe('an engine, killed under traffic', () => {
  it('ends only the streams it was in the middle of, each with an error, and comes back', async () => {
    await using fleet = await startTwoHosts()
    await using traffic = trafficOn(fleet, { mix: { stream: 6, whole: 1, slow: 1 }, seed: 31 })
    await moreHaveEnded(traffic, 6)
    const { pool, enginePid } = await busyHost(fleet)
    const killedAtMs = performance.now()
    kill(enginePid, 'SIGKILL')
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

    const figures = await recordRow('engine-killed', report, { readyMs })
    const { terminalErrors: _, ...rest } = UNHARMED
    expect(figures).toMatchObject(rest)
    // At most the four slots of the dead engine.
    expect(figures.terminalErrors).toBeGreaterThan(0)
    expect(figures.terminalErrors).toBeLessThanOrEqual(4)
    const hit = report.terminalErrors.map((error) => ({ pool: error.pool, code: error.code }))
    expect(hit).toEqual(hit.map(() => ({ pool, code: 'WORKER_RESET' })))
    const isInFlight = report.terminalErrors.map(
      ({ sentAtMs, endedAtMs }) => sentAtMs <= killedAtMs && endedAtMs >= killedAtMs,
    )
    expect(isInFlight).toEqual(hit.map(() => true))
  }, 90_000)
})
