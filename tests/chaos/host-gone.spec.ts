import { kill } from 'node:process'
import { describe, expect, it } from '@jest/globals'
import { until } from '@berth/test-support'
import { servedAfter } from '@berth/traffic'
import { moreHaveEnded, servedSince, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { startTwoHosts, trafficOn } from './src/two-hosts.ts'

/** A host that says nothing is stale after 10 s and offline after 30 s. Source: architecture, 3. */
const OFFLINE_WITHIN_MS = 60_000

describe('a host that freezes under traffic', () => {
  it('is left out once it is stale, gone once it is offline, and back when it thaws', async () => {
    await using fleet = await startTwoHosts()
    const pids = [(await fleet.sim('one').state()).pid, fleet.agent('h1').pid]
    await using thawing = new AsyncDisposableStack()
    thawing.defer(() => pids.forEach((pid) => kill(pid, 'SIGCONT')))
    const mix = { stream: 4, whole: 2 }
    const traffic = trafficOn(fleet, { mix, concurrency: 4, seed: 71, maxDurationMs: 150_000 })
    await moreHaveEnded(traffic, 6)
    const frozenAtMs = performance.now()
    pids.forEach((pid) => kill(pid, 'SIGSTOP'))
    const offlineMs = await timed(() =>
      until(
        'the host is offline',
        async () => {
          const { pools } = await fleet.get<{ pools: readonly { id: string }[] }>('/v1/pools')
          return pools.every(({ id }) => id !== 'one')
        },
        OFFLINE_WITHIN_MS,
      ),
    )
    const offlineAtMs = performance.now()
    await servedSince(traffic, offlineAtMs, 8)
    pids.forEach((pid) => kill(pid, 'SIGCONT'))
    const healedMs = await timed(() => fleet.poolIsReady('one'))
    await moreHaveEnded(traffic, 8)
    const report = await traffic.stop()

    const servedAgainMs = servedAfter(report, frozenAtMs)
    const measured = { offlineMs, healedMs, servedAgainMs }
    const figures = await recordRow('host-gone', report, measured)
    const { terminalErrors: _, ...rest } = UNHARMED
    expect(figures).toMatchObject(rest)
    const hit = report.terminalErrors.map(({ pool, sentAtMs }) => ({
      pool,
      wasInFlight: sentAtMs <= frozenAtMs,
    }))
    expect(hit).toEqual(hit.map(() => ({ pool: 'one', wasInFlight: true })))
  }, 200_000)
})
