import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { simPool, startFleet, until, type Fleet, type PoolEntry } from '@berth/test-support'
import { servedAfter } from '@berth/traffic'
import { moreHaveEnded, servedSince } from './src/moments.ts'
import { recordRow, UNHARMED } from './src/record-row.ts'
import { TOKENS_PER_S, trafficOn } from './src/two-hosts.ts'

const entryOf = (id: string, more: Parameters<typeof simPool>[1] = {}) =>
  simPool(id, { slots: 4, knobs: { tokens_per_s: TOKENS_PER_S }, ...more })

/** Replaces the pools file of the first host as an editor does. */
const write = async (fleet: Fleet, ...pools: readonly PoolEntry[]) => {
  const path = join(fleet.dir, 'h1.pools.yaml')
  const text = JSON.stringify({ host: 'h1', pools: pools.map(({ entry }) => entry) })
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}
const pidOf = async (fleet: Fleet, pool: string) => (await fleet.sim(pool).state()).pid
const pools = async (fleet: Fleet) => {
  const { data } = await fleet.get<{ data: readonly { id: string; slots_total: number }[] }>(
    '/v1/pools',
  )
  return data
}

describe('a pools file that is changed again and again under traffic', () => {
  it('drops no request: neither of pools that stay, nor of those that change or go', async () => {
    const [one, two, beside] = [await entryOf('one'), await entryOf('two'), await entryOf('beside')]
    await using fleet = await startFleet({
      hosts: [
        { hostId: 'h1', pools: [one, beside] },
        { hostId: 'h2', pools: [two] },
      ],
      gatewayFlags: { '--drain-timeout-ms': 20_000 },
    })
    const [onePid, besidePid] = [await pidOf(fleet, 'one'), await pidOf(fleet, 'beside')]
    await using traffic = trafficOn(fleet, {
      ...{ concurrency: 5, seed: 61 },
      engines: ['one', 'two', 'beside'].map((pool) => fleet.sim(pool).url),
    })
    const startedAtMs = performance.now()
    await moreHaveEnded(traffic, 6)

    // One is only watched in another way, and a third comes.
    const { lifecycle } = one.entry as { lifecycle?: object }
    const watched = { ...one.entry, lifecycle: { ...lifecycle, stall_timeout_s: 30 } }
    const third = await entryOf('third')
    await write(fleet, { entry: watched }, beside, third)
    await fleet.poolIsReady('third')
    await moreHaveEnded(traffic, 6)
    expect(await pidOf(fleet, 'one')).toBe(onePid)

    // One needs another engine, and the third goes again.
    await write(fleet, { entry: { ...watched, slots: 3 } }, beside)
    await until('the pools are those of the file', async () => {
      const now = await pools(fleet)
      const changed = now.find(({ id }) => id === 'one')
      return changed?.slots_total === 3 && now.every(({ id }) => id !== 'third')
    })
    await fleet.poolIsReady('one')
    const changedAtMs = performance.now()
    await servedSince(traffic, changedAtMs, 6)
    expect(await pidOf(fleet, 'one')).not.toBe(onePid)
    expect(await pidOf(fleet, 'beside')).toBe(besidePid)
    const report = await traffic.stop()

    const changedMs = Math.round(changedAtMs - startedAtMs)
    const figures = await recordRow('pools-file-changed', report, { changedMs })
    expect(figures).toMatchObject(UNHARMED)
    expect(servedAfter(report, changedAtMs)).toBeDefined()
  }, 120_000)
})
