import { describe, expect, it } from '@jest/globals'
import { moreHaveEnded, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { startTwoHosts, trafficOn } from './src/two-hosts.ts'

describe('an agent, killed under traffic', () => {
  it('ends only the streams that went through it, each with an error, and serves again', async () => {
    await using fleet = await startTwoHosts()
    const mix = { stream: 6, whole: 1, slow: 1 }
    const traffic = trafficOn(fleet, { mix, concurrency: 4, seed: 61 })
    await moreHaveEnded(traffic, 6)
    const killedAtMs = performance.now()
    await fleet.agent('h1').end('SIGKILL')
    await moreHaveEnded(traffic, 6)
    const servingMs = await timed(async () => {
      await fleet.agent('h1').restart()
      await fleet.poolIsReady('one')
    })
    await moreHaveEnded(traffic, 6)
    const report = await traffic.stop()

    const figures = await recordRow('agent-killed', report, { servingMs })
    const { terminalErrors: _, ...rest } = UNHARMED
    expect(figures).toMatchObject(rest)
    expect(figures.terminalErrors).toBeGreaterThan(0)
    const hit = report.terminalErrors.map(({ pool, code, sentAtMs }) => ({
      pool,
      code,
      wasInFlight: sentAtMs <= killedAtMs,
    }))
    expect(hit).toEqual(hit.map(() => ({ pool: 'one', code: 'WORKER_RESET', wasInFlight: true })))
  }, 120_000)
})
