import { afterEach, describe, expect, it } from '@jest/globals'
import type { RpcLog } from '@berth/rpc'
import { createMetrics } from '@berth/runtime'
import { coreConfigSchema } from './config.ts'
import { followConfig } from './follow-config.ts'
import { toPolicy } from './policy-config.ts'
import { createSeries } from './series.ts'
import { ask, createRig, pool } from './testing/rig.ts'

const ends: Disposable[] = []
afterEach(() => {
  for (const each of ends.splice(0)) each[Symbol.dispose]()
})

/** One host, one pool of one slot that is taken, one gateway on session 1. */
const running = () => {
  const rig = createRig()
  rig.joinHost('h1', [pool('p1', { slotsTotal: 1 })])
  rig.joinGateway(1, 'gw')
  rig.coordinator.onAcquire(1, ask('running'))
  rig.take(1)
  const lines: { readonly settings: readonly string[]; readonly message: string }[] = []
  const write = (fields: object, message: string) =>
    void lines.push({ settings: [], ...fields, message })
  const log = { info: write, warn: write } as unknown as RpcLog
  const metrics = createMetrics('orchestrator-core')
  ends.push(metrics)
  const config = followConfig(rig.coordinator, createSeries(metrics), log)
  const change = (draft: object, ...changed: readonly string[]) =>
    config.onChange({ config: coreConfigSchema.parse(draft), changed })
  return { rig, lines, config, change, metrics }
}

describe('a core whose settings change while it runs', () => {
  it('[004-29a] refuses and drops by the new queue settings from the next job on', () => {
    const { rig, change, lines } = running()
    change({ queue: { capacity: 1 } }, 'queue.capacity')
    rig.coordinator.onAcquire(1, ask('j1', { jobClass: 'batch' }))
    rig.coordinator.onAcquire(1, ask('j2', { jobClass: 'batch' }))
    expect(rig.take(1)).toMatchObject([
      { kind: 'queued', jobId: 'j1' },
      { kind: 'rejected', jobId: 'j2', reason: 'ADMISSION_REJECT' },
    ])
    change({ queue: { capacity: 1, fullPolicy: 'drop-lru' } }, 'queue.full_policy')
    rig.coordinator.onAcquire(1, ask('j3', { jobClass: 'batch' }))
    expect(rig.take(1)).toMatchObject([
      { kind: 'rejected', jobId: 'j1', reason: 'QUEUE_FULL_DROP_LRU' },
      { kind: 'queued', jobId: 'j3' },
    ])
    expect(lines).toEqual([
      { settings: ['queue.capacity'], message: 'settings changed' },
      { settings: ['queue.full_policy'], message: 'settings changed' },
    ])
  })

  it('[004-29a] waits as long as the new settings say', async () => {
    const { rig, change } = running()
    change({ maxWaitMs: 1_000 }, 'max_wait_ms')
    rig.coordinator.onAcquire(1, ask('j1'))
    rig.take(1)
    await rig.pass(1_200, 'h1')
    expect(rig.take(1)).toMatchObject([{ kind: 'rejected', reason: 'QUEUE_TIMEOUT' }])
  })

  it('[004-30a] stops comparing pools by their speed', () => {
    const rig = createRig()
    const fast = { performance: { tokensPerS: 500, firstTokenMs: 1, samples: 9 } }
    rig.joinHost('h1', [pool('slow', { slotsTotal: 4 }), pool('fast', { slotsTotal: 2, ...fast })])
    rig.joinGateway(1, 'gw')
    const chosen = (jobId: string) => {
      rig.coordinator.onAcquire(1, ask(jobId))
      return rig.take(1).flatMap((signal) => (signal.kind === 'assigned' ? [signal.poolId] : []))
    }
    expect(chosen('j1')).toEqual(['fast'])
    const config = coreConfigSchema.parse({ placement: { performanceAware: false } })
    rig.coordinator.onPolicy(toPolicy(config))
    expect(chosen('j2')).toEqual(['slow'])
  })

  it('names what needs a restart, and counts what was applied or refused', async () => {
    const { change, config, lines, metrics } = running()
    change({ grpcPort: 1, queue: { capacity: 9 } }, 'queue.capacity', 'grpc_port')
    config.onRefused()
    expect(lines).toEqual([
      { settings: ['queue.capacity'], message: 'settings changed' },
      { settings: ['grpc_port'], message: 'changed settings need a restart' },
    ])
    const text = await metrics.text()
    expect(text).toContain('berth_config_reloads_total{outcome="applied"} 1')
    expect(text).toContain('berth_config_reloads_total{outcome="refused"} 1')
  })
})

describe('the settings of core', () => {
  const policyOf = (draft: object) => toPolicy(coreConfigSchema.parse(draft))

  it('[004-29a] say when a queue is full, and what happens then', () => {
    const queue = { capacity: 7, fullPolicy: 'drop-lru', promoteAfterMs: 9_000 } as const
    expect(policyOf({ queue }).admission).toMatchObject(queue)
    expect(policyOf({}).admission).toMatchObject({ capacity: 256, fullPolicy: 'reject' })
  })

  it('[004-29a2] weigh classes and tenants', () => {
    const weights = {
      priorityWeights: { interactive: 3, batch: 1 },
      tenantWeights: { 'team-a': 2.5 },
    }
    expect(policyOf(weights).admission).toMatchObject(weights)
    expect(policyOf({}).admission.priorityWeights).toBeUndefined()
  })

  it.each([0, -1, 1e-320, NaN, Infinity])('refuse %s as a weight of tokens', (bad) => {
    const drafts = [
      { tenantWeights: { a: bad } },
      { priorityWeights: { interactive: 1, batch: bad } },
    ]
    for (const draft of drafts) expect(coreConfigSchema.safeParse(draft).success).toBe(false)
  })

  it('[004-29a3] weigh the terms of a score', () => {
    const weights = { queue: 2, firstToken: 0, decode: 1 }
    expect(policyOf({ placement: { weights } }).placement.weights).toEqual(weights)
  })

  it.each([[true], [false]])('[004-30a] switch performance-aware scoring to %s', (isOn) => {
    const { placement } = policyOf({ placement: { performanceAware: isOn, prefixAffinity: isOn } })
    expect([placement.isPerformanceAware, placement.hasPrefixAffinity]).toEqual([isOn, isOn])
  })

  it('price models, and limit what sessions may spend', () => {
    const policy = policyOf({
      prices: { 'org/m:8b': { input_per_million: 0.5, output_per_million: 2 } },
      session: { turnsMax: 3, budget: { costMicros: 5 } },
    })
    expect([...policy.budgets.prices.keys()]).toEqual(['org/m:8b'])
    expect(policy.session).toMatchObject({ turnsMax: 3, budget: { costMicros: 5 } })
    expect(Object.keys(policy.session.budget)).toEqual(['costMicros'])
  })

  it('refuse a host that is offline before it is stale', () => {
    const parsed = coreConfigSchema.safeParse({ snapshot: { staleMs: 9, offlineMs: 9 } })
    expect(parsed.error?.issues).toMatchObject([{ path: ['snapshot', 'offlineMs'] }])
  })
})
