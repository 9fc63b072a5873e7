import { describe, expect, it } from '@jest/globals'
import { until } from '@berth/test-support'
import { servedAfter } from '@berth/traffic'
import { moreHaveEnded, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { startTwoHosts, trafficOn } from './src/two-hosts.ts'

/** Leases live this long after the session of their gateway. Source: architecture, 2. */
const LEASE_TTL_MS = 15_000

describe('a gateway under traffic', () => {
  it('takes its own clients with it when it is killed, and nobody else', async () => {
    await using fleet = await startTwoHosts({ gateways: 2 })
    const [doomed, other] = fleet.urls as [string, string]
    await using own = trafficOn(fleet, { gateways: [doomed], concurrency: 3, seed: 21 })
    await using others = trafficOn(fleet, { gateways: [other], concurrency: 3, seed: 22 })
    await Promise.all([moreHaveEnded(own, 4), moreHaveEnded(others, 4)])
    const killedAtMs = performance.now()
    await fleet.gateway.end('SIGKILL')
    const ownStopped = own.stop()
    await moreHaveEnded(others, 10)
    const [ownReport, report] = await Promise.all([ownStopped, others.stop()])
    await until(
      'the leases of the dead gateway are reclaimed',
      async () => (await freeSlots(other)) === 8,
      LEASE_TTL_MS * 2,
    )
    const reclaimedMs = Math.round(performance.now() - killedAtMs)

    const figures = await recordRow('gateway-killed-others', report)
    expect(figures).toMatchObject(UNHARMED)
    await recordRow('gateway-killed', ownReport, { reclaimedMs })
    const hit = [...ownReport.failed, ...ownReport.truncated]
    expect(hit.every(({ endedAtMs }) => endedAtMs >= killedAtMs)).toBe(true)
    expect(ownReport).toMatchObject({ terminalErrors: [], mismatched: [], leaked: [] })
  }, 120_000)

  it('finishes the streams it has when it is stopped', async () => {
    await using fleet = await startTwoHosts({ gateways: 2 })
    const [stopping, other] = fleet.urls as [string, string]
    await using own = trafficOn(fleet, { gateways: [stopping], concurrency: 3, seed: 23 })
    await using others = trafficOn(fleet, { gateways: [other], concurrency: 2, seed: 24 })
    await Promise.all([moreHaveEnded(own, 4), moreHaveEnded(others, 4)])
    const ownStopped = own.stop()
    const stoppedMs = await timed(() => fleet.gateway.end('SIGTERM'))
    await moreHaveEnded(others, 4)
    const [ownReport, report] = await Promise.all([ownStopped, others.stop()])

    expect(await recordRow('gateway-stopped', ownReport, { stoppedMs })).toMatchObject(UNHARMED)
    expect(await recordRow('gateway-stopped-others', report)).toMatchObject(UNHARMED)
  }, 90_000)

  it('is replaced without a failed request by clients that know another', async () => {
    await using fleet = await startTwoHosts({ gateways: 2 })
    await using traffic = trafficOn(fleet, { failsOver: true, seed: 25 })
    const startedAtMs = performance.now()
    for (const gateway of fleet.gateways) {
      await moreHaveEnded(traffic, 6)
      await gateway.end('SIGTERM')
      await gateway.restart()
    }
    await moreHaveEnded(traffic, 6)
    const report = await traffic.stop()

    const rolledMs = Math.round(performance.now() - startedAtMs)
    const figures = await recordRow('gateway-rolled', report, { rolledMs })
    expect(figures).toMatchObject(UNHARMED)
    expect(servedAfter(report, startedAtMs)).toBeDefined()
  }, 120_000)
})

const freeSlots = async (gateway: string): Promise<number> => {
  const pools = ['one', 'two'].map(async (id) => {
    const answer = await fetch(`${gateway}/v1/pools/${id}`)
    return ((await answer.json()) as { slots_free: number }).slots_free
  })
  return (await Promise.all(pools)).reduce((sum, free) => sum + free, 0)
}
