import {
  llamacppPool,
  operatorOf,
  startFleet,
  until,
  type Fleet,
  type FleetOptions,
} from '@berth/test-support'
import { startTraffic, type Traffic, type TrafficOptions } from '@berth/traffic'

const MODEL = 'berth-tiny'
const SLOTS = 4

/** A fleet of two hosts with one pool each, `one` and `two`, of the real `llama-server`. */
export const startLlamaHosts = (
  program: string,
  options: Partial<FleetOptions> = {},
  lifecycle: object = {},
): Promise<Fleet> => {
  const more = { context_length: 2_048 }
  const settings = { slots: SLOTS, lifecycle: { shutdown_grace_s: 2, ...lifecycle }, more }
  return startFleet({
    hosts: ['one', 'two'].map((id, index) => ({
      hostId: `h${index + 1}`,
      pools: [llamacppPool(program, id, settings)],
    })),
    gatewayFlags: { '--drain-timeout-ms': 20_000 },
    agentFlags: { '--drain-timeout-ms': 20_000 },
    ...options,
  })
}

/** Clients whose answers take a while: the tiny model says thousands of tokens a second. */
export const trafficOnLlama = (fleet: Fleet, options: Partial<TrafficOptions> = {}): Traffic =>
  startTraffic({
    gateways: fleet.urls,
    models: [{ id: MODEL, isReal: true }],
    concurrency: 4,
    tokens: { min: 300, max: 1_500 },
    mix: { stream: 6, whole: 2, leave: 1 },
    seed: 1,
    ...options,
  })

/** A host whose pool is in the middle of an answer at this moment, and its engine. */
export const busyLlama = (
  fleet: Fleet,
): Promise<{ readonly host: string; readonly pool: string; readonly enginePid: number }> =>
  until('a pool is busy', async () => {
    const operator = operatorOf(fleet)
    for (const [host, pool] of [['h1', 'one'] as const, ['h2', 'two'] as const]) {
      const { active_leases: leases, pid } = await operator.pool(pool)
      if (leases > 1 && pid !== null) return { host, pool, enginePid: pid }
    }
    return undefined
  })

/** The engines of both pools, by pid. */
export const llamaPids = async (fleet: Fleet): Promise<readonly (number | null)[]> =>
  Promise.all(['one', 'two'].map(async (pool) => (await operatorOf(fleet).pool(pool)).pid))
