import { afterEach, describe, expect, it } from '@jest/globals'
import { createMetrics, type Metrics } from './metrics.ts'
import { LABEL_BUDGETS, SERIES, type SeriesSpec } from './series-registry.ts'

const open: Disposable[] = []
afterEach(() => {
  for (const metrics of open.splice(0)) metrics[Symbol.dispose]()
})
const createFor = (...[service]: Parameters<typeof createMetrics>): Metrics => {
  const metrics = createMetrics(service)
  open.push(metrics)
  return metrics
}
const linesOf = async (metrics: Metrics, name: string) =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(`${name}{`))

describe('the registry of series', () => {
  const all = Object.entries(SERIES) as [string, SeriesSpec][]

  it('[004-36] names every series after the rules of Prometheus', () => {
    for (const [name, spec] of all) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
      expect(spec.help).toMatch(/\.$/)
      expect(new Set(spec.labels).size).toBe(spec.labels.length)
      expect([name, name.endsWith('_total') && name !== 'berth_pool_slots_total']).toEqual([
        name,
        spec.type === 'counter',
      ])
      expect([name, spec.buckets !== undefined]).toEqual([name, spec.type === 'histogram'])
    }
  })

  it('[004-36] has no label that grows with requests', () => {
    const ids = ['job_id', 'session_id', 'correlation_id', 'lease_id', 'tenant', 'key_id']
    expect(ids.filter((id) => Object.hasOwn(LABEL_BUDGETS, id))).toEqual([])
  })

  it('refuses a name it does not have, one of another service, and another type', () => {
    const metrics = createFor('orchestratord')
    expect(() => metrics.counter('made_up_total' as 'tokens_in_total')).toThrow('registry')
    expect(() => metrics.counter('tokens_in_total')).toThrow('orchestrator-core')
    expect(() => metrics.gauge('berth_http_requests_total' as 'berth_leases')).toThrow('counter')
  })
})

describe('a label beyond its budget', () => {
  it('[004-36] becomes other, and every label of the series has a value', async () => {
    const metrics = createFor('orchestrator-core')
    const tokens = metrics.counter('tokens_in_total')
    for (let n = 0; n < 300; n += 1) {
      const pool = `p${n}`
      tokens.inc({ engine: 'sim', engine_version: '', pool_id: pool, replica_id: pool })
    }
    const lines = await linesOf(metrics, 'tokens_in_total')
    const pools = new Set(lines.map((line) => /pool_id="(.*?)"/.exec(line)?.[1]))
    expect(pools.size).toBe(LABEL_BUDGETS.pool_id)
    expect(pools).toContain('p0')
    expect(pools).not.toContain('p299')
    const total = lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)
    expect(total).toBe(300)
    expect(lines.every((line) => line.includes('engine_version="unknown"'))).toBe(true)
  })

  it('is summed up in a gauge of counts, and left out of one of ratios', async () => {
    const metrics = createFor('pool-managerd')
    const pools = Array.from({ length: 257 }, (_, n) => `p${n}`)
    metrics.read('berth_pool_slots_free', (show) => {
      for (const pool_id of pools) show({ pool_id }, 1)
    })
    metrics.read('berth_pool_ready', (show) => {
      for (const pool_id of pools) show({ pool_id }, 1)
    })
    expect(await linesOf(metrics, 'berth_pool_slots_free')).toContain(
      'berth_pool_slots_free{pool_id="other"} 2',
    )
    const ready = await linesOf(metrics, 'berth_pool_ready')
    expect([ready.length, ready.join().includes('other')]).toEqual([255, false])
    pools.splice(1)
    expect(await linesOf(metrics, 'berth_pool_ready')).toEqual(['berth_pool_ready{pool_id="p0"} 1'])
  })

  it('may use every place where the set of values is closed', async () => {
    const metrics = createFor('orchestrator-core')
    const decisions = metrics.counter('placement_decisions_total')
    for (const pinned of ['true', 'false'])
      decisions.inc({ outcome: 'assigned', pinned, fallback: pinned })
    expect(await linesOf(metrics, 'placement_decisions_total')).toHaveLength(2)
    expect(await metrics.text()).not.toContain('"other"')
  })
})
