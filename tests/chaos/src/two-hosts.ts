import { simPool, startFleet, until, type Fleet, type FleetOptions } from '@berth/test-support'
import { startTraffic, type Traffic, type TrafficOptions } from '@berth/traffic'

/** Pace of one answer. Answers of 20 to 120 tokens then take half a second to three. */
export const TOKENS_PER_S = 40
const SLOTS = 4

/** A fleet of two hosts with one pool of four slots each, `one` and `two`, of one model. */
export const startTwoHosts = async (
  options: Partial<FleetOptions> = {},
  lifecycle: object = {},
): Promise<Fleet> => {
  const settings = { slots: SLOTS, knobs: { tokens_per_s: TOKENS_PER_S }, lifecycle }
  const one = await simPool('one', settings)
  const two = await simPool('two', settings)
  return startFleet({
    hosts: [
      { hostId: 'h1', pools: [one] },
      { hostId: 'h2', pools: [two] },
    ],
    gatewayFlags: { '--drain-timeout-ms': 20_000 },
    agentFlags: { '--drain-timeout-ms': 20_000 },
    ...options,
  })
}

/** Mixed clients on a fleet of two hosts, fewer than it has slots unless told otherwise. */
export const trafficOn = (fleet: Fleet, options: Partial<TrafficOptions> = {}): Traffic =>
  startTraffic({
    gateways: fleet.urls,
    engines: [fleet.sim('one').url, fleet.sim('two').url],
    models: [{ id: 'sim-model', tokensPerS: TOKENS_PER_S }],
    concurrency: 6,
    tokens: { min: 20, max: 120 },
    seed: 1,
    ...options,
  })

/** A host and its pool that are in the middle of so many answers at this moment. */
export const busyHost = async (
  fleet: Fleet,
  { atLeast = 2, atMost = SLOTS } = {},
): Promise<{ readonly host: string; readonly pool: string; readonly enginePid: number }> =>
  until('a host is busy', async () => {
    for (const [host, pool] of [['h1', 'one'] as const, ['h2', 'two'] as const]) {
      const { pid: enginePid, counters } = await fleet.sim(pool).state()
      const running = counters['running'] ?? 0
      if (running >= atLeast && running <= atMost) return { host, pool, enginePid }
    }
    return undefined
  })
