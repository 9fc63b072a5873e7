import { describe, expect, it } from '@jest/globals'
import { operatorOf, simPool, startFleet, type Fleet, type PoolEntry } from '@berth/test-support'
import { startTraffic } from '@berth/traffic'
import { moreHaveEnded } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'

const TOKENS_PER_S = 100
const SETTINGS = {
  knobs: { tokens_per_s: TOKENS_PER_S, load_ms: 300, broken_model: 'broken' },
  lifecycle: { shutdown_grace_s: 1 },
}
/** Longer than any answer takes. */
const PATIENT = { deadline_ms: 30_000 }

const pool = async (id: string, model = 'sim-model', more: object = {}): Promise<PoolEntry> => {
  const made = await simPool(id, { ...SETTINGS, model })
  return { ...made, entry: { ...made.entry, ...more } }
}

const start = (...hosts: readonly (readonly PoolEntry[])[]): Promise<Fleet> =>
  startFleet({
    hosts: hosts.map((pools, index) => ({ hostId: `h${index + 1}`, pools })),
    gatewayFlags: { '--drain-timeout-ms': 20_000 },
  })

const trafficOn = (
  fleet: Fleet,
  pools: readonly string[],
  models: readonly string[],
  seed: number,
) =>
  startTraffic({
    gateways: fleet.urls,
    engines: pools.map((id) => fleet.sim(id).url),
    models: models.map((id) => ({ id, tokensPerS: TOKENS_PER_S })),
    concurrency: 5,
    tokens: { min: 10, max: 60 },
    seed,
  })

describe('planned changes of a pool under traffic', () => {
  it('[002-28b2][002-15a2] harm no request while another pool has the model', async () => {
    await using fleet = await start([await pool('one')], [await pool('two')])
    const { command, ended } = operatorOf(fleet)
    await using traffic = trafficOn(fleet, ['one', 'two'], ['sim-model'], 71)
    const outcome = async (name: string, body: object = {}) => {
      const { status, rolled_back } = await ended(await command('one', name, body))
      await moreHaveEnded(traffic, 8)
      return rolled_back ? 'rolled back' : status
    }
    const outcomes = [
      await outcome('drain', PATIENT),
      await outcome('undrain'),
      await outcome('restart', PATIENT),
      await outcome('reload', { new_model_ref: 'spare', ...PATIENT }),
      await outcome('reload', { new_model_ref: 'sim-model', ...PATIENT }),
      await outcome('reload', { new_model_ref: 'broken', ...PATIENT }),
      await outcome('reload', { new_model_ref: 'sim-model', ...PATIENT }),
      await outcome('stop', PATIENT),
      await outcome('start'),
    ]
    const report = await traffic.stop()
    expect(outcomes).toEqual([
      ...['completed', 'completed', 'completed', 'completed', 'completed'],
      ...['rolled back', 'completed', 'completed', 'completed'],
    ])
    expect(await recordRow('planned-two-pools', report)).toMatchObject(UNHARMED)
    expect(report.ok).toBeGreaterThan(60)
  }, 120_000)

  it('[002-28b2][002-11b] let requests wait where the pool is the only one of its model', async () => {
    // What clients ask for stays `sim-model`, whichever model the pool serves.
    const swapped = await pool('swapped', 'first', { model_id: 'sim-model' })
    const failing = await pool('failing', 'lone-model')
    await using fleet = await start([swapped, failing])
    const { command, ended } = operatorOf(fleet)
    const models = ['sim-model', 'lone-model']
    await using traffic = trafficOn(fleet, ['swapped', 'failing'], models, 72)
    const outcome = async (id: string, name: string, body: object = {}) => {
      const { status, rolled_back } = await ended(await command(id, name, body))
      await moreHaveEnded(traffic, 8)
      return rolled_back ? 'rolled back' : status
    }
    await ended(await command('swapped', 'drain', PATIENT))
    const outcomes = [
      await outcome('swapped', 'undrain'),
      await outcome('swapped', 'restart', PATIENT),
      await outcome('swapped', 'reload', { new_model_ref: 'second', ...PATIENT }),
      await outcome('swapped', 'reload', PATIENT),
      await outcome('failing', 'reload', { new_model_ref: 'broken', ...PATIENT }),
      await outcome('failing', 'restart', PATIENT),
    ]
    const report = await traffic.stop()
    expect(outcomes).toEqual([
      ...['completed', 'completed', 'completed', 'completed', 'rolled back', 'completed'],
    ])
    expect(await recordRow('planned-one-pool', report)).toMatchObject(UNHARMED)
    expect(report.queued).toBeGreaterThan(0)
  }, 120_000)
})
