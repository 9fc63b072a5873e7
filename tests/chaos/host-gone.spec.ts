import { kill } from 'node:process'
import { describe, expect, it } from '@jest/globals'
import { until, type Fleet } from '@berth/test-support'
import { servedAfter } from '@berth/traffic'
import { moreHaveEnded, servedSince, timed } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { busyHost, startTwoHosts, trafficOn } from './src/two-hosts.ts'

/** A host that says nothing is stale after 10 s and offline after 30 s. Source: architecture, 3. */
const OFFLINE_WITHIN_MS = 60_000

describe('a host that freezes under traffic', () => {
  it('is left out once it is stale, gone once it is offline, and back when it thaws', async () => {
    await using fleet = await startTwoHosts()
    const early = { mix: { stream: 1 }, concurrency: 3, seed: 71 }
    await using inFlight = trafficOn(fleet, early)
    await using thawing = new AsyncDisposableStack()
    await moreHaveEnded(inFlight, 6)
    const { host, pool, enginePid } = await busyHost(fleet, { atLeast: 1, atMost: 3 })
    const pids = [enginePid, fleet.agent(host).pid]
    thawing.defer(() => pids.forEach((pid) => kill(pid, 'SIGCONT')))
    const frozenAtMs = performance.now()
    pids.forEach((pid) => kill(pid, 'SIGSTOP'))
    const earlyEnded = inFlight.stop()
    // It has a free slot, so that it may be given a request until it is stale.
    await using traffic = trafficOn(fleet, {
      mix: { stream: 4, whole: 2 },
      concurrency: 3,
      seed: 72,
    })
    const offlineMs = await timed(() => untilOffline(fleet, pool))
    await servedSince(traffic, performance.now(), 6)
    pids.forEach((pid) => kill(pid, 'SIGCONT'))
    const healedMs = await timed(() => fleet.poolIsReady(pool))
    await moreHaveEnded(traffic, 6)
    const [report, earlyReport] = [await traffic.stop(), await earlyEnded]

    const servedAgainMs = servedAfter(report, frozenAtMs)
    const measured = { offlineMs, healedMs, servedAgainMs }
    expect(await recordRow('host-gone', report, measured)).toMatchObject(UNHARMED)
    const figures = await recordRow('host-gone-in-flight', earlyReport)
    const { terminalErrors: _, ...rest } = UNHARMED
    expect(figures).toMatchObject(rest)
    expect(figures.terminalErrors).toBeGreaterThan(0)
    expect(new Set(earlyReport.terminalErrors.map((error) => error.pool))).toEqual(new Set([pool]))
  }, 200_000)
})

const untilOffline = (fleet: Fleet, pool: string) =>
  until(
    'the host is offline',
    async () => {
      const { data } = await fleet.get<{ data: readonly { id: string }[] }>('/v1/pools')
      return data.every(({ id }) => id !== pool)
    },
    OFFLINE_WITHIN_MS,
  )
