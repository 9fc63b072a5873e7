import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { budgetOf, SERIES, type SeriesName, type SeriesSpec } from '@berth/runtime'
import { simPool, startFleet, until, type Fleet } from '@berth/test-support'
import { readPrometheusText, type Family, type Sample } from './src/prometheus-text.ts'

/** llama-orch 4.1, but for what belongs to lifecycle; the labels of each in its order there. */
const PLACED = ['engine', 'engine_version', 'pool_id', 'replica_id']
const CONTRACT = {
  tasks_enqueued_total: ['counter', [...PLACED, 'priority']],
  tasks_started_total: ['counter', [...PLACED, 'priority']],
  tasks_canceled_total: ['counter', [...PLACED, 'reason']],
  tasks_rejected_total: ['counter', ['engine', 'reason']],
  tokens_in_total: ['counter', PLACED],
  tokens_out_total: ['counter', PLACED],
  admission_backpressure_events_total: ['counter', ['engine', 'policy']],
  placement_decisions_total: ['counter', ['outcome', 'pinned', 'fallback']],
  placement_candidates_considered: ['gauge', []],
  queue_depth: ['gauge', ['engine', 'engine_version', 'pool_id', 'priority']],
  kv_cache_usage_ratio: ['gauge', PLACED],
  gpu_utilization: ['gauge', [...PLACED, 'device']],
  vram_used_bytes: ['gauge', [...PLACED, 'device']],
  latency_first_token_ms: ['histogram', ['engine', 'engine_version', 'pool_id', 'priority']],
  latency_decode_ms: ['histogram', ['engine', 'engine_version', 'pool_id', 'priority']],
  admission_latency_ms: ['histogram', []],
} as const
const BUCKETS = {
  latency_first_token_ms: [50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000],
  latency_decode_ms: [250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000],
}
const SLOW = { model: 'slow', max_tokens: 4_000, stream: true }
const SESSION = 'a-session-that-is-no-label'
const CORRELATION = 'a-correlation-id-that-is-no-label'

let fleet: Fleet
let scrapes: readonly (readonly [string, ReadonlyMap<string, Family>])[]

const scrape = async (url: string) => {
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  return readPrometheusText(await answer.text())
}
const scrapeAll = async () => {
  const portOf = ({ ports }: { readonly ports: Readonly<Record<string, number>> }) =>
    `http://127.0.0.1:${ports['httpPort']}/metrics`
  return [
    ['orchestratord', await scrape(`${fleet.url}/metrics`)],
    ['orchestrator-core', await scrape(portOf(fleet.core))],
    ['pool-managerd', await scrape(portOf(fleet.agent('h1')))],
  ] as const
}
const samplesOf = (name: string): readonly Sample[] =>
  scrapes.flatMap(([, families]) => families.get(name)?.samples ?? [])
const valueOf = async (name: string, labels: object) => {
  scrapes = await scrapeAll()
  const sample = samplesOf(name).find((each) =>
    Object.entries(labels).every(([label, value]) => each.labels[label] === value),
  )
  return sample?.value
}

/** A leader that is younger lets jobs for unknown models wait for hosts that may still come. */
const SETTLED_MS = 3_500
const coreHasSettled = async () => {
  const leading = (await fleet.core.lines()).find(({ msg }) => msg === 'leading')
  return leading !== undefined && Date.now() - Date.parse(String(leading['time'])) > SETTLED_MS
}

/** A success, one that waits, one that is refused, one cancelled in the queue, one while it runs. */
const sendTraffic = async () => {
  const headers = { 'X-Session-Id': SESSION, 'X-Correlation-Id': CORRELATION }
  const answer = await fleet.chat({ model: 'slow', max_tokens: 3 }, { headers })
  expect(answer.status).toBe(200)
  await answer.text()
  await until('its slot is free', async () => (await valueOf('berth_leases', {})) === 0)

  const holding = new AbortController()
  const holder = await fleet.chat(SLOW, { headers, signal: holding.signal })
  const leaving = new AbortController()
  const queued = await fleet.chat(SLOW, { headers, signal: leaving.signal })
  const refused = await fleet.chat(SLOW, { headers })
  expect(refused.status).toBe(429)
  await refused.text()
  expect((await fleet.chat({ model: 'nobody-has-it' }, { headers })).status).toBe(404)
  leaving.abort()
  await expect(queued.text()).rejects.toThrow()
  await until('the queue is empty', async () => (await valueOf('queue_depth', {})) === 0)
  const waiting = fleet.chat({ model: 'slow', max_tokens: 2 }, { headers })
  await until('it waits', async () => (await valueOf('queue_depth', INTERACTIVE)) === 1)
  holding.abort()
  await expect(holder.text()).rejects.toThrow()
  expect((await waiting).status).toBe(200)
  await (await waiting).text()
}
const INTERACTIVE = { priority: 'interactive' }

beforeAll(async () => {
  const pools = [await simPool('slow', { model: 'slow', slots: 1, knobs: { tokens_per_s: 50 } })]
  fleet = await startFleet({
    hosts: [{ hostId: 'h1', pools }],
    coreFlags: { '--queue-capacity': 1 },
  })
  await until('core has settled', coreHasSettled)
  await sendTraffic()
  await until('every lease is over', async () => (await valueOf('berth_leases', {})) === 0)
  scrapes = await scrapeAll()
}, 90_000)
afterAll(async () => fleet[Symbol.asyncDispose](), 30_000)

const all = () =>
  scrapes.flatMap(([service, families]) =>
    [...families.values()].map((family) => ({
      service,
      family,
      spec: (SERIES as Readonly<Record<string, SeriesSpec>>)[family.name],
    })),
  )

describe('what a live fleet shows to Prometheus', () => {
  it('[004-36] is in the registry, under its type and help, on the service that owns it', () => {
    const wrong = all().filter(
      ({ service, family, spec }) =>
        spec === undefined ||
        spec.type !== family.type ||
        spec.help !== family.help ||
        (spec.owner !== service && spec.owner !== 'every'),
    )
    expect(wrong.map(({ service, family }) => `${service}: ${family.name}`)).toEqual([])
  })

  it('[004-36] misses no series of the registry', () => {
    const shown = new Set(all().map(({ family }) => family.name))
    expect(Object.keys(SERIES).filter((name) => !shown.has(name))).toEqual([])
  })

  it('[004-36] has exactly the labels of the registry, each with a value', () => {
    const wrong = all().flatMap(({ family, spec }) =>
      family.samples.filter(({ name, labels }) => {
        const own = name.endsWith('_bucket') && family.type === 'histogram' ? ['le'] : []
        const wanted = [...(spec?.labels ?? []), ...own].sort()
        return (
          Object.keys(labels).sort().join() !== wanted.join() || Object.values(labels).includes('')
        )
      }),
    )
    expect(wrong).toEqual([])
  })

  it('[004-36] keeps the buckets of the registry', () => {
    for (const { family, spec } of all().filter(({ family }) => family.type === 'histogram')) {
      const bounds = family.samples.flatMap(({ labels }) => labels['le'] ?? [])
      const wanted = [...(spec?.buckets ?? []).map(String), '+Inf']
      expect([family.name, [...new Set(bounds)]]).toEqual([
        family.name,
        bounds.length === 0 ? [] : wanted,
      ])
    }
  })

  it('[004-36] stays within the budget of every label, and shows no id that grows', () => {
    for (const { family, spec } of all()) {
      for (const label of spec?.labels ?? []) {
        const values = new Set(family.samples.map(({ labels }) => labels[label] ?? ''))
        expect(values.size).toBeLessThanOrEqual(budgetOf(spec!, label))
      }
    }
    const values = all().flatMap(({ family }) =>
      family.samples.flatMap(({ labels }) => Object.values(labels)),
    )
    const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-/
    const ids = values.filter((value) => uuid.test(value) || [SESSION, CORRELATION].includes(value))
    expect(ids).toEqual([])
  })

  it.each(Object.entries(CONTRACT))('[004-36] keeps the contract of %s', (name, [type, labels]) => {
    const spec: SeriesSpec = SERIES[name as SeriesName]
    expect([spec.type, spec.labels]).toEqual([type, labels])
    expect(spec.buckets).toEqual(
      name in BUCKETS ? BUCKETS[name as keyof typeof BUCKETS] : spec.buckets,
    )
    expect(all().some(({ family }) => family.name === name)).toBe(true)
  })

  it.each([
    ['[004-13a] tasks_enqueued_total', { pool_id: 'unassigned', priority: 'interactive' }, 2],
    ['[004-13a2] tasks_started_total', { engine: 'sim', pool_id: 'slow', replica_id: 'slow' }, 3],
    ['[004-13a3] tasks_canceled_total', { pool_id: 'unassigned', reason: 'client' }, 1],
    ['[004-13a3] tasks_canceled_total', { pool_id: 'slow', reason: 'client' }, 1],
    ['[004-13a4] tasks_rejected_total', { engine: 'sim', reason: 'ADMISSION_REJECT' }, 1],
    ['[004-13a4] tasks_rejected_total', { engine: 'unassigned', reason: 'MODEL_NOT_FOUND' }, 1],
    ['[004-36] admission_backpressure_events_total', { engine: 'sim', policy: 'reject' }, 1],
    ['[004-13c] admission_latency_ms_count', {}, 3],
    ['[004-13c2] latency_first_token_ms_count', { engine: 'sim', pool_id: 'slow' }, 3],
    ['[004-13c3] latency_decode_ms_count', { engine: 'sim', pool_id: 'slow' }, 2],
    ['[004-13b] queue_depth', { pool_id: 'unassigned', priority: 'interactive' }, 0],
    ['[004-36] berth_pool_ready', { pool_id: 'slow' }, 1],
    ['[004-36] berth_pool_slots_total', { pool_id: 'slow' }, 1],
    ['[004-36] berth_pool_slots_free', { pool_id: 'slow' }, 1],
    ['[004-36] berth_pool_active_leases', { pool_id: 'slow' }, 0],
  ])('%s of %j is %d after the traffic', (title, labels, wanted) => {
    const name = title.split(' ')[1]!
    const found = scrapes
      .flatMap(([, families]) => [...families.values()].flatMap(({ samples }) => samples))
      .filter(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      )
    expect(found.map(({ value }) => value)).toEqual([wanted])
  })

  it('[004-36] shows nothing it does not know: no GPU, no figures of one', () => {
    const unknown = ['gpu_utilization', 'vram_used_bytes', 'berth_pool_vram_total_bytes']
    expect(unknown.flatMap(samplesOf)).toEqual([])
  })

  it('[004-36] changes nothing by being scraped', async () => {
    const steady = async () =>
      (await scrapeAll()).map(([service, families]) => [
        service,
        [...families.values()].filter(
          ({ name }) => !name.startsWith('process_') && !name.endsWith('_age_seconds'),
        ),
      ])
    const before = await steady()
    for (let n = 0; n < 5; n += 1) await scrapeAll()
    expect(await steady()).toEqual(before)
  })
})

describe('the log of core after the traffic', () => {
  it('[004-14a] has one line at the end of each job that carries every field', async () => {
    const lines = (await fleet.core.lines()).filter(({ msg }) => msg === 'lease released')
    expect(lines).toHaveLength(3)
    const fields = [
      ...['job_id', 'session_id', 'engine', 'engine_version', 'pool_id', 'replica_id'],
      ...['queue_position', 'predicted_start_ms', 'tokens_in', 'tokens_out', 'decode_time_ms'],
    ]
    for (const line of lines) expect(Object.keys(line)).toEqual(expect.arrayContaining(fields))
    expect(lines[0]).toMatchObject({
      ...{ session_id: SESSION, correlation_id: CORRELATION, engine: 'sim', pool_id: 'slow' },
      ...{ replica_id: 'slow', tokens_out: 3, outcome: 'completed' },
    })
  })

  it('[004-14a] has no prompt in it', async () => {
    expect(JSON.stringify(await fleet.core.lines())).not.toContain('Hello')
  })
})
