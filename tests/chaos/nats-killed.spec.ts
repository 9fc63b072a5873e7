import { describe, expect, it } from '@jest/globals'
import { until } from '@berth/test-support'
import { moreHaveEnded, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { startTwoHosts, trafficOn } from './src/two-hosts.ts'

/** Longer than a view may be old (10 s) and than a host that says nothing is kept (30 s). */
const OUTAGE_MS = 35_000

describe('NATS, killed under traffic', () => {
  it('is not missed by any request, however long it is away', async () => {
    await using fleet = await startTwoHosts({ cores: 2 })
    await using traffic = trafficOn(fleet, { seed: 41 })
    await moreHaveEnded(traffic, 6)
    await fleet.nats.kill()
    const downSinceMs = performance.now()
    await until(
      'the outage has lasted',
      () => performance.now() - downSinceMs > OUTAGE_MS,
      OUTAGE_MS * 2,
    )
    await moreHaveEnded(traffic, 6)
    await fleet.nats.restart()
    const reconnectedMs = await timed(() =>
      until('core is on the bus again', async () => {
        const ready = await fleet.get<{ nats_connected: boolean | null }>('/readyz')
        return ready.nats_connected === true
      }),
    )
    await moreHaveEnded(traffic, 12)
    const report = await traffic.stop()

    const figures = await recordRow('nats-killed', report, { reconnectedMs })
    expect(figures).toMatchObject(UNHARMED)
  }, 150_000)
})
