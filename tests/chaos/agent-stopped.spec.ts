import { describe, expect, it } from '@jest/globals'
import type { Fleet } from '@berth/test-support'
import { servedAfter } from '@berth/traffic'
import { moreHaveEnded, servedSince } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { startTwoHosts, trafficOn } from './src/two-hosts.ts'

describe('agents, stopped and started again one after the other under traffic', () => {
  it('drop no request, and take their engines over as they run', async () => {
    await using fleet = await startTwoHosts({
      agentFlags: { '--drain-timeout-ms': 20_000, '--stop-engines-on-exit': 'false' },
    })
    const pids = await enginePids(fleet)
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
    expect(await enginePids(fleet)).toEqual(pids)
  }, 120_000)
})

const enginePids = async (fleet: Fleet): Promise<readonly number[]> =>
  Promise.all(['one', 'two'].map(async (pool) => (await fleet.sim(pool).state()).pid))
