import { describe, expect, it } from '@jest/globals'
import { moreHaveEnded, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { busyHost, startTwoHosts, trafficOn } from './src/two-hosts.ts'

describe('an agent, killed under traffic', () => {
  it('ends only the streams that went through it, each with an error, and serves again', async () => {
    await using fleet = await startTwoHosts()
    const mix = { stream: 6, whole: 1, slow: 1 }
    await using traffic = trafficOn(fleet, { mix, concurrency: 4, seed: 61 })
    await moreHaveEnded(traffic, 6)
    const { host, pool } = await busyHost(fleet)
    const killedAtMs = performance.now()
    await fleet.agent(host).end('SIGKILL')
    await moreHaveEnded(traffic, 6)
    const servingMs = await timed(async () => {
      await fleet.agent(host).restart()
      await fleet.poolIsReady(pool)
    })
    await moreHaveEnded(traffic, 6)
    const report = await traffic.stop()

    const figures = await recordRow('agent-killed', report, { servingMs })
    const { terminalErrors: _, ...rest } = UNHARMED
    expect(figures).toMatchObject(rest)
    expect(figures.terminalErrors).toBeGreaterThan(0)
    const hit = report.terminalErrors.map((error) => ({
      pool: error.pool,
      code: error.code,
      wasInFlight: error.sentAtMs <= killedAtMs,
    }))
    expect(hit).toEqual(hit.map(() => ({ pool, code: 'WORKER_RESET', wasInFlight: true })))
  }, 120_000)

  it('finds its engine running when it comes back, and loads no model again', async () => {
    await using fleet = await startTwoHosts()
    await using traffic = trafficOn(fleet, { concurrency: 4, seed: 62 })
    const { host, pool, enginePid } = await busyHost(fleet)
    await fleet.agent(host).end('SIGKILL')
    await fleet.agent(host).restart()
    await fleet.poolIsReady(pool)
    await moreHaveEnded(traffic, 6)

    expect((await fleet.sim(pool).state()).pid).toBe(enginePid)
  }, 90_000)
})
