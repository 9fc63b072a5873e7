import { describe, expect, it } from '@jest/globals'
import { servedAfter } from '@berth/traffic'
import { moreHaveEnded, servedSince } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { startTwoHosts, trafficOn } from './src/two-hosts.ts'

describe('agents, stopped and started again one after the other under traffic', () => {
  it('drop no request', async () => {
    await using fleet = await startTwoHosts()
    // No more clients than one host has slots, since one is all there is in between.
    await using traffic = trafficOn(fleet, { concurrency: 4, seed: 51 })
    const startedAtMs = performance.now()
    for (const [host, pool] of [
      ['h1', 'one'],
      ['h2', 'two'],
    ] as const) {
      await moreHaveEnded(traffic, 6)
      await fleet.agent(host).end('SIGTERM')
      await fleet.agent(host).restart()
      await fleet.poolIsReady(pool)
    }
    const rolledAtMs = performance.now()
    await servedSince(traffic, rolledAtMs, 6)
    const report = await traffic.stop()

    const rolledMs = Math.round(rolledAtMs - startedAtMs)
    const figures = await recordRow('agent-rolled', report, { rolledMs })
    expect(figures).toMatchObject(UNHARMED)
    expect(servedAfter(report, rolledAtMs)).toBeDefined()
  }, 120_000)
})
