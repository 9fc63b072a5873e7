import { describe, expect, it } from '@jest/globals'
import { reserve } from '@berth/fleet'
import type { ModelId, PoolId } from '@berth/kernel'
import { explain } from './explain.ts'
import type { PlacementJob } from './placement-job.ts'
import { DEFAULT_PLACEMENT_POLICY as POLICY } from './placement-policy.ts'
import { plainJob } from './testing/job.ts'
import { GIB, LLAMA, rigPool, rigView } from './testing/reference-rig.ts'

const p = (id: string) => id as PoolId
const rig = () =>
  rigView(
    rigPool('big', { contextLength: 8_192, vramFreeBytes: 20 * GIB }),
    rigPool('small', { deviceMask: ['1'], contextLength: 4_096, computeCapability: 7.5 }),
  )
const adviceOn = (job: Partial<PlacementJob>) => explain(rig(), plainJob(job), POLICY, 0).advice

describe('advice on a job that cannot run', () => {
  it.each<[string, Partial<PlacementJob>, string, Partial<PlacementJob>]>([
    [
      'context',
      { requiredCtx: 20_000 },
      'Ask for at most 8192 tokens of context (pool big), or run a pool with 20000.',
      { requiredCtx: 8_192 },
    ],
    [
      'video memory',
      { minVramBytes: 40 * GIB },
      'Ask for at most 25769803776 bytes of video memory (pool big), or add a device that holds 42949672960.',
      { minVramBytes: 18 * GIB },
    ],
    [
      'cache',
      { estKvBytes: 40 * GIB },
      'Ask for at most 25769803776 bytes of cache (pool big).',
      { estKvBytes: 18 * GIB },
    ],
    [
      'compute capability',
      { minComputeCap: 9 },
      'Ask for compute capability 8.6 or less (pool big), or add a device with 9.',
      { minComputeCap: 8.6 },
    ],
    [
      'its devices',
      { requireDeviceMask: ['2'] },
      'Ask for the devices of a pool, such as 0 (pool big), or for none.',
      { requireDeviceMask: ['0'] },
    ],
    [
      'its pin',
      { pinPoolId: p('small'), requiredCtx: 8_192 },
      'Take the pin off: big could take the job.',
      { requiredCtx: 8_192 },
    ],
  ])('[004-14b] about %s is of the nearest pool, and true', (...row) => {
    const [, job, sentence, changed] = row
    expect(adviceOn(job)).toContain(sentence)
    expect(explain(rig(), plainJob(changed), POLICY, 0).decision.kind).toBe('assigned')
  })

  it('[004-01c] about an estimated cache says what it was estimated from', () => {
    const view = rigView(rigPool('a', { kvTotalBytes: GIB / 4 }, LLAMA))
    const { advice } = explain(view, plainJob({ requiredCtx: 4_096 }), POLICY, 0)
    expect(advice).toEqual([
      'Ask for less context: the cache of 4096 tokens takes 536870912 bytes, a has 268435456.',
    ])
  })

  it('is none for a job that can', () => {
    expect(adviceOn({})).toEqual([])
  })

  it('says the nearest way first', () => {
    const view = rig()
    reserve(view, p('small'))
    const { advice } = explain(view, plainJob({ avoidPools: [p('big')] }), POLICY, 0)
    expect(advice).toEqual([
      'Wait for one of 1 slots of small, or add a pool.',
      'Take big off the list of avoided pools.',
    ])
  })

  it('is to run the model where nobody does', () => {
    expect(adviceOn({ modelId: 'x' as ModelId })).toEqual(['Run a pool that has the model x.'])
  })
})
