import { describe, expect, it } from '@jest/globals'
import { until, type Fleet, type ServiceProcess } from '@berth/test-support'
import { servedAfter } from '@berth/traffic'
import { moreHaveEnded, servedSince } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { startTwoHosts, trafficOn } from './src/two-hosts.ts'

/** Every client waits while nobody leads; then all of them are served. */
const SERVED = 12

describe('the placement service, killed under traffic', () => {
  it('hands over to its standby, and no request fails', async () => {
    await using fleet = await startTwoHosts({ cores: 2 })
    const [leader, standby] = await rolesOf(fleet)
    await using traffic = trafficOn(fleet, { seed: 11 })
    await moreHaveEnded(traffic, 6)
    const killedAtMs = performance.now()
    await leader.end('SIGKILL')
    await servedSince(traffic, killedAtMs, SERVED)
    const report = await traffic.stop()

    const servedAgainMs = servedAfter(report, killedAtMs)
    const figures = await recordRow('core-killed', report, { servedAgainMs })
    expect(figures).toMatchObject(UNHARMED)
    expect(await roleOf(standby)).toBe('leader')
  }, 90_000)

  it('comes back by a restart where it has no standby, and no request fails', async () => {
    await using fleet = await startTwoHosts()
    await using traffic = trafficOn(fleet, { seed: 12 })
    await moreHaveEnded(traffic, 6)
    const killedAtMs = performance.now()
    await fleet.core.end('SIGKILL')
    await fleet.core.restart()
    await servedSince(traffic, killedAtMs, SERVED)
    const report = await traffic.stop()

    const servedAgainMs = servedAfter(report, killedAtMs)
    const figures = await recordRow('core-restarted', report, { servedAgainMs })
    expect(figures).toMatchObject(UNHARMED)
  }, 90_000)
})

const roleOf = async (core: ServiceProcess): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${core.ports['httpPort']}/readyz`)
  return ((await answer.json()) as { role: string }).role
}

/** The core that leads, then the one that does not. */
const rolesOf = async (fleet: Fleet): Promise<readonly [ServiceProcess, ServiceProcess]> =>
  until('one core leads', async () => {
    const [a, b] = fleet.cores as [ServiceProcess, ServiceProcess]
    const [roleA, roleB] = await Promise.all([roleOf(a), roleOf(b)])
    if (roleA === 'leader' && roleB === 'standby') return [a, b] as const
    return roleB === 'leader' && roleA === 'standby' ? ([b, a] as const) : undefined
  })
